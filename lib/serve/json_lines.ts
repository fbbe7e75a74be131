/** Streams over the unix socket: one JSON document per line, and a last line that says how the stream ended. @module */
import type { Answer } from "./http_answer.ts";
import { errorText } from "../text/redact.ts";

/** The last line. A stream without it was cut. */
export type LastLine = { readonly end: true } | { readonly error: string };

interface JsonLinesOptions {
  /** Aborts the stream and the work behind it, for example when the daemon stops. */
  readonly signal: AbortSignal;
}

/**
 * Sends the documents of a generator. The next document is computed only when the reader is ready for it. When the
 * reader closes the stream, the generator is ended.
 *
 * @param documentsOf gets a signal that aborts when the reader closes the stream, or when the signal of the options
 * does.
 */
export function jsonLines(
  documentsOf: (signal: AbortSignal) => AsyncGenerator<unknown, void>,
  options: JsonLinesOptions,
): Answer {
  const gone = new AbortController();
  const documents = documentsOf(AbortSignal.any([options.signal, gone.signal]));
  const encoder = new TextEncoder();
  const line = (document: unknown): Uint8Array => encoder.encode(`${JSON.stringify(document)}\n`);
  let isOver = false;
  const end = async (): Promise<void> => {
    isOver = true;
    gone.abort(new Error("the reader has gone"));
    await documents.return();
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      let last: LastLine = { end: true };
      try {
        options.signal.throwIfAborted();
        const { value, done } = await documents.next();
        if (isOver) return;
        if (done !== true) return controller.enqueue(line({ document: value }));
      } catch (error) {
        if (isOver) return;
        await end();
        last = { error: errorText(error) };
      }
      controller.enqueue(line(last));
      controller.close();
    },
    cancel: end,
  }, { highWaterMark: 0 });
  return { status: 200, headers: { "content-type": "application/x-ndjson" }, body };
}
