/** Requests to the daemon that holds the embedded database, over its unix socket. @module */
import { type IncomingMessage, request } from "node:http";
import type { LastLine } from "../serve/json_lines.ts";
import { controlSocketPath } from "../store/connection/data_dir.ts";

/** No document is larger than this. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Requests a document.
 *
 * @throws Error when no daemon listens, or it answers with an error.
 */
export function askDaemon(dataDir: string, path: string): Promise<unknown> {
  const socketPath = controlSocketPath(dataDir);
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method: "GET" }, (response) => {
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      response.on("data", (chunk: Uint8Array) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) asked.destroy(new Error("the answer is too long"));
      });
      response.on("error", reject);
      response.on("end", () => {
        const text = new TextDecoder().decode(concat(chunks, bytes));
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`Cannot ask the daemon for ${path}: it answered ${text}`));
      });
    });
    asked.on("error", (error) => reject(unheard(dataDir, error)));
    asked.end();
  });
}

/**
 * Sends a document, and returns the one that is answered.
 *
 * @throws Error when no daemon listens, or it refuses.
 */
export async function tellDaemon(dataDir: string, path: string, told: unknown): Promise<unknown> {
  const response = await post(dataDir, path, JSON.stringify(told));
  response.setEncoding("utf8");
  const text = (await Array.fromAsync(response as AsyncIterable<string>)).join("");
  if (response.statusCode === 200) return JSON.parse(text);
  throw new Error(`Cannot ask the daemon for ${path}: it answered ${text}`);
}

/** A line of the daemon's stream, see lib/serve/json_lines.ts. */
type Line = { readonly document: unknown } | LastLine;

/** No page is longer than this. */
const LINE_CHARACTERS_MAX = 256 * 1024 * 1024;

export interface StreamOptions {
  /** The request, sent as JSON. */
  readonly asked: unknown;
  /** Aborts the wait for the next document. @default never */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Requests a stream of documents. If the loop over it ends early, the connection stays open, and the daemon continues
 * until this process ends. Callers that leave the loop early are about to exit.
 *
 * @throws Error when no daemon listens, its work fails, or the stream is cut.
 * @throws the signal's reason.
 */
export async function* streamDaemon(
  dataDir: string,
  path: string,
  { asked, signal }: StreamOptions,
): AsyncGenerator<unknown, void> {
  const response = await post(dataDir, path, JSON.stringify(asked));
  response.setEncoding("utf8");
  // Do not destroy the response: earlier Deno versions crash when a connection is closed while it is read.
  const all = response.iterator({ destroyOnReturn: false }) as AsyncIterable<string>;
  const chunks = signal === undefined ? all : untilAborted(all, signal);
  if (response.statusCode !== 200) {
    const text = (await Array.fromAsync(chunks)).join("");
    throw new Error(`Cannot ask the daemon for ${path}: it answered ${text}`);
  }
  let isWhole = false;
  for await (const text of lines(chunks)) {
    const line = JSON.parse(text) as Line;
    if ("error" in line) throw new Error(line.error);
    if ("end" in line) isWhole = true;
    else yield line.document;
  }
  if (!isWhole) throw new Error(`Cannot go on reading ${path}: the daemon has ended`);
}

/** The iterable, without waiting for its next value when the signal aborts. @throws the signal's reason. */
async function* untilAborted<T>(
  iterable: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => {});
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  const iterator = iterable[Symbol.asyncIterator]();
  for (;;) {
    signal.throwIfAborted();
    const { value, done } = await Promise.race([iterator.next(), aborted]);
    if (done === true) return;
    yield value;
  }
}

/** @throws Error when the connection breaks, for example because the daemon was killed. */
async function* lines(chunks: AsyncIterable<string>): AsyncGenerator<string, void> {
  let begun: string[] = [];
  let characters = 0;
  for await (const chunk of chunks) {
    const [first = "", ...rest] = chunk.split("\n");
    begun.push(first);
    characters += first.length;
    if (characters > LINE_CHARACTERS_MAX) throw new Error("the daemon's answer is too long");
    for (const next of rest) {
      yield begun.join("");
      begun = [next];
      characters = next.length;
    }
  }
}

function post(dataDir: string, path: string, body: string): Promise<IncomingMessage> {
  const socketPath = controlSocketPath(dataDir);
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const asked = request({ socketPath, path, method: "POST", headers }, resolve);
    asked.on("error", (error) => reject(unheard(dataDir, error)));
    asked.end(body);
  });
}

function unheard(dataDir: string, error: Error): Error {
  return new Error(
    `Cannot ask the daemon that holds ${dataDir}: ${error.message}. It may be starting; try again`,
    { cause: error },
  );
}

function concat(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}
