/** Where a command's data go: standard output, or a file that appears when it is whole. @module */
import { basename, dirname, join } from "node:path";

/** Standard output, as far as it is needed here. */
interface StandardOutput {
  readonly write: (bytes: Uint8Array) => void;
}

export interface Output {
  write(bytes: Uint8Array): Promise<void>;
  /** The data are whole: the file gets its name, in place of one that was there. */
  finish(): Promise<void>;
  /** Leaves nothing behind unless {@linkcode finish} was reached. */
  close(): Promise<void>;
}

/**
 * Opens a file below a name of its own beside the one it will have, or standard output for undefined and `-`.
 *
 * @throws Error when the file cannot be made.
 */
export async function openOutput(
  standard: StandardOutput,
  path: string | undefined,
): Promise<Output> {
  if (path === undefined || path === "-") return standardOutput(standard);
  const unfinished = join(dirname(path), `.${basename(path)}.${Deno.pid}.unfinished`);
  const fail = (action: string, error: unknown): never => {
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot ${action} ${path}: ${text}`, { cause: error });
  };
  const file = await Deno.open(unfinished, { write: true, create: true, truncate: true })
    .catch((error) => fail("make", error));
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
        // Before the name: a name with nothing behind it is what a power cut could leave otherwise.
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
