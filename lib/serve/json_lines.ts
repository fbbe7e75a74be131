/** Answers of any length over the unix socket: one JSON document a line, and a last line that says how it ended. @module */

/** The last line: a stream without it was cut. */
export type LastLine = { readonly end: true } | { readonly error: string };

interface JsonLinesOptions {
  /** Ends the stream, and the work behind it, as when the daemon stops. */
  readonly signal: AbortSignal;
}

/**
 * Sends what a generator yields. The next document is worked out when the reader has room for it, and none when the
 * reader has gone, which ends the generator.
 *
 * @param documentsOf is given a signal that aborts when the reader has gone, or the signal of the options does.
 */
export function jsonLines(
  documentsOf: (signal: AbortSignal) => AsyncGenerator<unknown, void>,
  options: JsonLinesOptions,
): Response {
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
        last = { error: error instanceof Error ? error.message : String(error) };
      }
      controller.enqueue(line(last));
      controller.close();
    },
    cancel: end,
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}
