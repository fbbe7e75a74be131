/** An answer of bounded length, whatever the exchange, or whoever answers in its place, sends. @module */
import { FetchError } from "./fetch_error.ts";

/** The largest market list known is a quarter of this, a page of candles a hundredth. */
export const BODY_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The same answer, whose body fails with a `FetchError` (`transient`) once it is longer than `bytesMax`. What is
 * packed counts unpacked.
 *
 * @throws FetchError `transient` when the answer says beforehand that it is longer.
 */
export async function boundBody(response: Response, bytesMax = BODY_BYTES_MAX): Promise<Response> {
  const { body, headers, status, statusText } = response;
  if (body === null) return response;
  const length = headers.get("content-length");
  if (Number(length ?? 0) > bytesMax) {
    await body.cancel();
    throw tooLong(bytesMax);
  }
  // HTTP holds an answer to the length it names, unless it is packed.
  if (length !== null && !headers.has("content-encoding")) return response;
  let bytes = 0;
  const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(piece, controller): void {
      bytes += piece.length;
      if (bytes > bytesMax) throw tooLong(bytesMax);
      controller.enqueue(piece);
    },
  });
  return new Response(body.pipeThrough(counter), { headers, status, statusText });
}

function tooLong(bytesMax: number): FetchError {
  return new FetchError("transient", `The answer is longer than ${bytesMax} bytes`);
}
