/** Reads response bodies, and no more of them than a call may take. @module */
import type { AnswerBudget } from "./answer_budget.ts";

/** Read of the answer of an error, whose status says most. Pages that refuse us are shorter. */
const ERROR_BYTES_MAX = 64 * 1024;

const READ_BYTES = 64 * 1024;

interface ReadOptions {
  readonly budget: AnswerBudget;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a body as UTF-8. A compressed one counts uncompressed. `Content-Length` is not looked at: the bytes that come are
 * counted. Of an error, with a status from 400 on, only the beginning is read.
 *
 * @throws AnswerTooLargeError when the call's answers are longer than its budget.
 * @throws Error when the answer has two lengths, so that where it ends depends on who reads it.
 * @throws the reason of the signal when it aborts first.
 */
export async function readText(
  { body, headers, status }: Pick<Response, "body" | "headers" | "status">,
  { budget, signal }: ReadOptions,
): Promise<string> {
  if (body === null) return "";
  const reader = body.getReader({ mode: "byob" });
  // One buffer for all reads, and one for all that came, which grows in place: else every read would leave a buffer of its
  // own to the garbage collector, however few bytes it brings.
  let buffer = new Uint8Array(READ_BYTES);
  let all = new ArrayBuffer(READ_BYTES);
  let bytes = 0;
  try {
    if (headers.has("content-length") && headers.has("transfer-encoding")) {
      throw new Error("the answer has both a Content-Length and a Transfer-Encoding");
    }
    while (status < 400 || bytes < ERROR_BYTES_MAX) {
      const { done, value } = await reader.read(buffer);
      if (done) return decodedStart(all, bytes);
      await budget.addBytes(value.length, signal);
      while (bytes + value.length > all.byteLength) all = all.transfer(2 * all.byteLength);
      new Uint8Array(all).set(value, bytes);
      bytes += value.length;
      buffer = new Uint8Array(value.buffer);
    }
    await reader.cancel();
    return decodedStart(all, bytes);
  } catch (error) {
    // If the body itself failed, it is closed already and cancel() rejects with the same error.
    await reader.cancel(error).catch(() => {});
    throw error;
  } finally {
    // At once: several long answers may be refused between two garbage collections.
    all.transfer(0);
  }
}

function decodedStart(buffer: ArrayBuffer, bytes: number): string {
  return new TextDecoder().decode(new Uint8Array(buffer, 0, bytes));
}
