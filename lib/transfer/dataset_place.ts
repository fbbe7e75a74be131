/** Where a dataset's files lie: a folder, or a store of objects. @module */
import { dirname, join } from "node:path";
import type { Clock } from "../clock.ts";
import { lockNow } from "../store/connection/file_lock.ts";
import { errorText } from "../text/redact.ts";
import { fileReason } from "../text/system_words.ts";
import { openOutput, type Output } from "./output.ts";

/** Files by paths with `/`, relative to the dataset. A file is whole under its name, or is not there. */
export interface DatasetPlace {
  /** For people, without secrets. */
  readonly name: string;
  /** A small file, and what tells it from a later one of the same name; undefined where there is none. */
  read(path: string): Promise<SmallFile | undefined>;
  /** Bytes of a file that is there, from `start` until before `end`. */
  slice(path: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** A file that has its name only when it is finished. */
  write(path: string): Promise<Output>;
  /**
   * Replaces a small file if it still is what `version` says; undefined: if there is none.
   *
   * @throws Error that says that another writer was here.
   */
  replace(path: string, bytes: Uint8Array, version: string | undefined): Promise<void>;
  /** Removes a file, if it is there. */
  remove(path: string): Promise<void>;
  /** All files, finished or not. */
  list(): AsyncGenerator<PlacedFile, void>;
}

export interface PlacedFile {
  readonly path: string;
  readonly bytes: number;
}

export interface SmallFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly version: string;
}

export interface PlaceOptions {
  /** Whether nothing is to be written: then no folder is made, and other programs may write there. */
  readonly isDryRun?: boolean;
}

/** What a writer reads who finds that another one writes the same dataset. */
export function otherWriter(place: string, path: string): Error {
  return new Error(
    `Cannot write the dataset ${place}: another program has changed ${path} in the meantime. ` +
      "Only one may write a dataset at a time: end the others and run the command again, it goes on where this one stopped",
  );
}

const LOCK = ".titan10.lock";

/**
 * A folder of this machine, made if it is not there. Its lock is held by the system for as long as this process lives, so a
 * killed one leaves none behind. Close it.
 *
 * @throws Error when the folder cannot be written, or when another process writes it.
 */
export async function openFolder(
  path: string,
  clock: Clock,
  { isDryRun = false }: PlaceOptions = {},
): Promise<DatasetPlace & AsyncDisposable> {
  const found = await unlessAbsent(Deno.stat(path)).catch(refused("read", path));
  if (found?.isDirectory === false) {
    throw new Error(`Cannot write the dataset ${path}: it is a file. Name a folder`);
  }
  if (isDryRun) {
    const list = found === undefined
      ? async function* (): AsyncGenerator<never, void> {}
      : undefined;
    return {
      ...folderPlace(path, clock),
      ...(list !== undefined && { list }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  await Deno.mkdir(path, { recursive: true }).catch(refused("create", path));
  const lock = await Deno.open(join(path, LOCK), { create: true, write: true })
    .catch(refused("write to", path));
  if (!await lockNow(lock, clock)) {
    lock.close();
    throw new Error(
      `Cannot write the dataset ${path}: another process is writing it. Wait until it has ended, or end it`,
    );
  }
  return {
    ...folderPlace(path, clock),
    [Symbol.asyncDispose]: () => {
      lock.close();
      return Promise.resolve();
    },
  };
}

/** Says of what the system has refused an action, and why. */
function refused(action: string, path: string): (error: unknown) => never {
  return (error) => {
    throw new Error(`Cannot ${action} ${path}: ${fileReason(errorText(error))}`, { cause: error });
  };
}

function folderPlace(folder: string, clock: Clock): DatasetPlace {
  const at = (path: string): string => join(folder, path);
  const read = async (path: string): Promise<SmallFile | undefined> => {
    const bytes = await unlessAbsent(Deno.readFile(at(path))).catch(refused("read", at(path)));
    return bytes === undefined ? undefined : { bytes, version: await sha256(bytes) };
  };
  const write = async (path: string): Promise<Output> => {
    const under = dirname(at(path));
    await Deno.mkdir(under, { recursive: true }).catch(refused("create", under));
    return await openOutput({ write: () => {}, clock }, at(path));
  };
  return {
    name: folder,
    read,
    slice: (path, start, end) => sliceOf(at(path), start, end),
    write,
    replace: async (path, bytes, version) => {
      if ((await read(path))?.version !== version) throw otherWriter(folder, path);
      const output = await write(path);
      try {
        await output.write(bytes);
        await output.finish();
      } finally {
        await output.close();
      }
    },
    remove: async (path) => {
      await unlessAbsent(Deno.remove(at(path))).catch(refused("remove", at(path)));
    },
    list: () => filesIn(folder, ""),
  };
}

async function sliceOf(path: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  using file = await Deno.open(path);
  await file.seek(start, Deno.SeekMode.Start);
  const bytes = new Uint8Array(end - start);
  for (let read = 0; read < bytes.length;) {
    const more = await file.read(bytes.subarray(read));
    if (more === null) throw new Error(`Cannot read ${path}: it ends too early`);
    read += more;
  }
  return bytes;
}

/** A file system's own, which only root may read, where a folder is the whole of a disk. */
const OF_DISK = "lost+found";

/** Folders in one another that a dataset has. A link in more of them may lead in a circle. */
const FOLDERS_MAX = 3;

async function* filesIn(folder: string, under: string): AsyncGenerator<PlacedFile, void> {
  const here = join(folder, under);
  const entries = await Array.fromAsync(Deno.readDir(here)).catch(refused("read", here));
  for (const { name, isDirectory, isSymlink } of entries) {
    const path = under === "" ? name : `${under}/${name}`;
    if (path === LOCK || name === OF_DISK) continue;
    // A link that leads nowhere is something else than a dataset's file, too.
    const found = isDirectory ? undefined : await unlessAbsent(Deno.stat(join(folder, path)))
      .catch(refused("read", join(folder, path)));
    // Old months may lie on another disk, with a link in their place.
    const isLinked = isSymlink && found?.isDirectory === true &&
      path.split("/").length <= FOLDERS_MAX;
    if (isDirectory || isLinked) yield* filesIn(folder, path);
    else yield { path, bytes: found?.size ?? 0 };
  }
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function unlessAbsent<Value>(found: Promise<Value>): Promise<Value | undefined> {
  return await found.catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
}
