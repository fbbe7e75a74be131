/** Limits how many bytes of a response body are read. @module */
import { FetchError } from "./fetch_error.ts";

/** Four times the largest known market list, a hundred times a page of candles. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Returns the response with a body of at most `bytesMax` bytes. If the length is not known from its header, the body is
 * read completely here. A compressed body counts uncompressed.
 *
 * @throws FetchError `transient` when the body, or its `Content-Length`, is longer than `bytesMax`.
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
  // HTTP enforces Content-Length, but for a compressed body it is the compressed length.
  if (length !== null && !headers.has("content-encoding")) return response;
  return new Response(await readAll(body, bytesMax), { headers, status, statusText });
}

/** Without `TransformStream`: after an abort it would leave the connection open until garbage collection. */
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
    // If the body itself failed, it is closed already and cancel() rejects with the same error.
    await reader.cancel(error).catch(() => {});
    throw error;
  }
}

/** Without `Blob`: it would keep its bytes in memory until garbage collection. */
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
