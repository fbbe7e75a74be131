/** An answer of bounded length, whatever the exchange, or whoever answers in its place, sends. @module */
import { FetchError } from "./fetch_error.ts";

/** The largest market list known is a quarter of this, a page of candles a hundredth. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The same answer, read to its end if it does not name its length. What is packed counts unpacked.
 *
 * @throws FetchError `transient` when the answer is longer than `bytesMax`, or says beforehand that it is.
 * @throws the reason of the request's signal when that aborts first.
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
  return new Response(await readAll(body, bytesMax), { headers, status, statusText });
}

/** Not through a `TransformStream`: an abort in the middle would leave the connection open until it is collected. */
async function readAll(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return joined(pieces, bytes);
      bytes += value.length;
      if (bytes > bytesMax) throw tooLong(bytesMax);
      pieces.push(value);
    }
  } catch (error) {
    // After an error of its own a body is closed already, and says so again.
    await reader.cancel(error).catch(() => {});
    throw error;
  }
}

/** By hand: the bytes of a `Blob` are kept until it is collected. */
function joined(
  pieces: readonly Uint8Array<ArrayBuffer>[],
  bytes: number,
): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}

function tooLong(bytesMax: number): FetchError {
  return new FetchError("transient", `The answer is longer than ${bytesMax} bytes`);
}
