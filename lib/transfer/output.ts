/** Output of a command: standard output, a pipe or device, or a file that gets its name only when it is complete. @module */
import { basename, dirname, join, resolve } from "node:path";
import type { Clock } from "../clock.ts";
import { lockNow } from "../store/connection/file_lock.ts";
import { errorText } from "../text/redact.ts";
import { fileReason } from "../text/system_words.ts";

interface StandardOutput {
  readonly write: (bytes: Uint8Array) => void;
  readonly clock: Clock;
}

export interface Output {
  write(bytes: Uint8Array): Promise<void>;
  /** Call when all data are written. Renames the file to its final name and replaces an existing one. */
  finish(): Promise<void>;
  /** Removes the unfinished file if {@linkcode finish} was not called. */
  close(): Promise<void>;
}

/** The names of standard output. A shell's redirection is appended to, not replaced. */
const STANDARD = /^(?:-|\/dev\/stdout|\/dev\/fd\/1|\/proc\/self\/fd\/1)$/;

/**
 * Opens a file under a temporary name in the same directory; standard output for undefined and `-`; what is a pipe or a
 * device as it is, to which bytes go as they come. A link is followed: what it points to is replaced, not the link.
 *
 * @throws Error when it cannot be written.
 */
export async function openOutput(
  standard: StandardOutput,
  path: string | undefined,
): Promise<Output> {
  if (path === undefined || STANDARD.test(path)) return standardOutput(standard);
  try {
    const target = await followed(path);
    const there = await statIfThere(target);
    if (there?.isDirectory === true || /[/\\]$/.test(path)) {
      throw new Error("it is a folder. Name a file in it");
    }
    if (there === undefined || there.isFile) {
      return await unfinishedFile(target, { path, there, clock: standard.clock });
    }
    if (there.isBlockDevice === true) throw new Error("it is a disk. Name a file");
    return await stream(target, path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      const remedy =
        `Use another path, or write to standard output and let the shell redirect that with > ${path}`;
      throw new Error(
        `Cannot create ${path}: titan10 opens nothing in /dev, /proc and /sys. ${remedy}`,
        {
          cause: error,
        },
      );
    }
    throw failure("create", path, error);
  }
}

const LINKS_MAX = 40;

/** Where a link leads to in the end, also where nothing is there yet. */
async function followed(path: string): Promise<string> {
  let target = path;
  for (let links = 0; links < LINKS_MAX; links++) {
    const found = await ifThere(Deno.lstat(target));
    if (found?.isSymlink !== true) return target;
    target = resolve(dirname(target), await Deno.readLink(target));
  }
  throw new Error("its links lead in a circle");
}

async function statIfThere(path: string): Promise<Deno.FileInfo | undefined> {
  return await ifThere(Deno.stat(path));
}

async function ifThere<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function failure(action: string, path: string, error: unknown): Error {
  return new Error(`Cannot ${action} ${path}: ${fileReason(errorText(error))}`, { cause: error });
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
}

/** A file that exists before, if any: its rights stay as they are. */
interface Former {
  /** As people named it. */
  readonly path: string;
  readonly there: Deno.FileInfo | undefined;
  readonly clock: Clock;
}

async function unfinishedFile(target: string, { path, there, clock }: Former): Promise<Output> {
  await removeLeftovers(target, clock);
  const { file, unfinished } = await createUnfinished(target, clock);
  let isOpen = true;
  let isNamed = false;
  const close = async (): Promise<void> => {
    // Before it is closed: with the lock on it nobody else takes it for a leftover.
    if (!isNamed) await ifThere(Deno.remove(unfinished));
    if (isOpen) file.close();
    isOpen = false;
  };
  try {
    if (there !== undefined) await keepRights(unfinished, there);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async write(bytes): Promise<void> {
      try {
        await writeAll(file, bytes);
      } catch (error) {
        throw failure("write", path, error);
      }
    },
    async finish(): Promise<void> {
      try {
        // Before the rename: otherwise a power cut could leave an empty file under the final name.
        await file.sync();
        await Deno.rename(unfinished, target);
        isNamed = true;
      } catch (error) {
        throw failure("finish", path, error);
      }
      await close();
    },
    close,
  };
}

/** Several programs may write the same file at once: each has a name of its own until it is finished. */
const NAMES_MAX = 100;

/** Creates a file under a name that no other program has, locked as long as it is open. */
async function createUnfinished(
  target: string,
  clock: Clock,
): Promise<{ readonly file: Deno.FsFile; readonly unfinished: string }> {
  for (let name = 0; name < NAMES_MAX; name++) {
    const own = name === 0 ? `${Deno.pid}` : `${Deno.pid}-${name}`;
    const unfinished = join(dirname(target), `.${basename(target)}.${own}.unfinished`);
    const file = await Deno.open(unfinished, { write: true, createNew: true }).catch((error) => {
      if (error instanceof Deno.errors.AlreadyExists) return undefined;
      throw error;
    });
    if (file === undefined) continue;
    // Another program may have taken it for a leftover before it was locked.
    const isOurs = await isFree(file, { clock, otherwise: true }) &&
      await statIfThere(unfinished) !== undefined;
    if (isOurs) return { file, unfinished };
    file.close();
  }
  throw new Error(`${NAMES_MAX} programs write it already`);
}

/** Removes what programs have left that were killed while they wrote this file: nobody holds a lock on it. */
async function removeLeftovers(target: string, clock: Clock): Promise<void> {
  const folder = dirname(target);
  const begin = `.${basename(target)}.`;
  const left: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      const middle = name.startsWith(begin) ? name.slice(begin.length) : "";
      if (isFile && /^\d{1,10}(?:-\d{1,3})?\.unfinished$/.test(middle)) left.push(name);
    }
  } catch {
    // A folder that may be written but not read.
  }
  // Somebody else's file stays.
  for (const name of left) await removeIfFree(join(folder, name), clock).catch(() => {});
}

async function removeIfFree(path: string, clock: Clock): Promise<void> {
  const file = await Deno.open(path, { write: true });
  try {
    if (await isFree(file, { clock, otherwise: false })) await ifThere(Deno.remove(path));
  } finally {
    file.close();
  }
}

/** Whether no other program has locked it, which it now is. `otherwise` where the system knows no locks. */
async function isFree(
  file: Deno.FsFile,
  { clock, otherwise }: { readonly clock: Clock; readonly otherwise: boolean },
): Promise<boolean> {
  try {
    return await lockNow(file, clock);
  } catch {
    return otherwise;
  }
}

async function keepRights(path: string, { mode, uid, gid }: Deno.FileInfo): Promise<void> {
  // Only root may give a file away; without that right it belongs to whoever writes it, as a new one does.
  await Deno.chown(path, uid, gid).catch(() => {});
  if (mode !== null) await Deno.chmod(path, mode & 0o777);
}

/** A pipe or a device. */
async function stream(target: string, path: string): Promise<Output> {
  const file = await Deno.open(target, { write: true, append: true });
  let isOpen = true;
  const close = (): Promise<void> => {
    if (isOpen) file.close();
    isOpen = false;
    return Promise.resolve();
  };
  return {
    async write(bytes): Promise<void> {
      try {
        await writeAll(file, bytes);
      } catch (error) {
        // The reader has read enough.
        if (error instanceof Deno.errors.BrokenPipe) throw error;
        throw failure("write", path, error);
      }
    },
    finish: close,
    close,
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
