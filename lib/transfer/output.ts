/** Output of a command: standard output, or a file that gets its name only when it is complete. @module */
import { basename, dirname, join } from "node:path";
import { errorText } from "../text/redact.ts";
import { fileReason } from "../text/system_words.ts";

interface StandardOutput {
  readonly write: (bytes: Uint8Array) => void;
}

export interface Output {
  write(bytes: Uint8Array): Promise<void>;
  /** Call when all data are written. Renames the file to its final name and replaces an existing one. */
  finish(): Promise<void>;
  /** Removes the unfinished file if {@linkcode finish} was not called. */
  close(): Promise<void>;
}

/**
 * Opens a file under a temporary name in the same directory, or standard output for undefined and `-`.
 *
 * @throws Error when the file cannot be created.
 */
export async function openOutput(
  standard: StandardOutput,
  path: string | undefined,
): Promise<Output> {
  if (path === undefined || path === "-") return standardOutput(standard);
  const unfinished = join(dirname(path), `.${basename(path)}.${Deno.pid}.unfinished`);
  const fail = (action: string, error: unknown): never => {
    const text = fileReason(errorText(error));
    throw new Error(`Cannot ${action} ${path}: ${text}`, { cause: error });
  };
  const file = await Deno.open(unfinished, { write: true, create: true, truncate: true })
    .catch((error) => fail("create", error));
  let isOpen = true;
  return {
    async write(bytes): Promise<void> {
      try {
        for (let written = 0; written < bytes.length;) {
          written += await file.write(bytes.subarray(written));
        }
      } catch (error) {
        fail("write", error);
      }
    },
    async finish(): Promise<void> {
      try {
        // Before the rename: otherwise a power cut could leave an empty file under the final name.
        await file.sync();
        file.close();
        isOpen = false;
        await Deno.rename(unfinished, path);
      } catch (error) {
        fail("finish", error);
      }
    },
    async close(): Promise<void> {
      if (isOpen) file.close();
      isOpen = false;
      await Deno.remove(unfinished).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    },
  };
}

function standardOutput({ write }: StandardOutput): Output {
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    write: (bytes) => {
      write(bytes);
      return Promise.resolve();
    },
    finish: nothing,
    close: nothing,
  };
}
