/** Reads a stream's messages, and no more of them than one may take. @module */
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { parseExactJson } from "./exact_json.ts";

/** The longest known message is a snapshot of 1,440 candles, 100 kB. */
const MESSAGE_BYTES_MAX = 256 * 1024;

const MESSAGE_BOUNDS = { entriesMax: 10_000 } as const;

/** Memory of the values of a message, in words of eight bytes. */
const MESSAGE_WORDS_MAX = 100_000;

/** How long a message is. Of a text, its characters. */
export function messageLength(data: unknown): number {
  return typeof data === "string" ? data.length : (data as Partial<ArrayBuffer>).byteLength ?? 0;
}

/**
 * The text of a message. Binary ones are unpacked.
 *
 * @throws Error when it is longer than allowed, or binary and not packed by gzip.
 */
export function messageText(data: unknown): string {
  if (messageLength(data) > MESSAGE_BYTES_MAX) throw new Error("the message is too long");
  if (typeof data === "string") return data;
  if (!(data instanceof ArrayBuffer)) throw new Error("the message is neither text nor binary");
  const options = { maxOutputLength: MESSAGE_BYTES_MAX };
  return Buffer.from(gunzipSync(new Uint8Array(data), options)).toString("utf8");
}

/**
 * The values of a message, with every digit that the exchange sent.
 *
 * @throws SyntaxError when it is not JSON.
 * @throws AnswerTooLargeError when it holds more than a message may.
 */
export function messageValues(text: string): unknown {
  return parseExactJson(text, {
    bounds: MESSAGE_BOUNDS,
    wordsLeft: MESSAGE_WORDS_MAX,
    addWords: () => {},
  });
}
