/** Writes what a command has read to the file of its flag, or to standard output. @module */
import { compressedOutput, type Compression } from "../transfer/compressed_output.ts";
import { openOutput, type Output } from "../transfer/output.ts";
import type { Shell } from "./shell.ts";

/**
 * Opens the output before anything is read, so that a path that cannot be written is told of at once; `write` fills it, and
 * then the file gets its name. Returns what `write` returned; undefined when the reader has closed the pipe.
 */
export async function writeOutput<Written>(
  shell: Shell,
  path: string | undefined,
  write: (output: Output) => Promise<Written>,
  { compression }: { readonly compression?: Compression | undefined } = {},
): Promise<Written | undefined> {
  let output = await openOutput(shell, path);
  try {
    if (compression !== undefined) output = compressedOutput(output, compression);
    const written = await write(output);
    await output.finish();
    return written;
  } catch (error) {
    // The reader closed the pipe, because it has read enough.
    if (error instanceof Deno.errors.BrokenPipe) return undefined;
    throw error;
  } finally {
    await output.close();
  }
}
