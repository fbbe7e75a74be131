/** Answers that say themselves where they end: one that was cut off is not taken for whole (RFC 9112, 7.1). @module */
import { type Answer, refusal } from "./http_answer.ts";

const ENCODER = new TextEncoder();

export const LAST_CHUNK = ENCODER.encode("0\r\n\r\n");

export function isChunked({ headers }: Pick<Answer, "headers">): boolean {
  return headers["transfer-encoding"] === "chunked";
}

/** Bytes of which there is at least one: a chunk without any is the last. */
export function chunkOf(bytes: Uint8Array): Uint8Array {
  const head = ENCODER.encode(`${bytes.length.toString(16)}\r\n`);
  const all = new Uint8Array(head.length + bytes.length + 2);
  all.set(head);
  all.set(bytes, head.length);
  all.set([13, 10], head.length + bytes.length);
  return all;
}

/** The answer, or a refusal to a visitor of HTTP/1.0, which could not tell its end from a broken connection. */
export function spokenTo({ isOld }: { readonly isOld: boolean }, answer: Answer): Answer {
  if (!isOld || !isChunked(answer)) return answer;
  if (answer.body instanceof ReadableStream) void answer.body.cancel().catch(() => {});
  return refusal(505, "Ask for files with HTTP/1.1 (nginx: proxy_http_version 1.1)");
}
