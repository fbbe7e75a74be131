/** The data directory of the embedded server: held by one process at a time, by a lock that dies with it. @module */
import { join } from "node:path";
import type { Clock } from "../clock.ts";

/** Somebody else holds the directory. */
export class DataDirHeldError extends Error {
  override readonly name = "DataDirHeldError";
}

/** A held directory. */
export interface HeldDataDir {
  readonly path: string;
  /** Where the embedded server keeps its files. */
  readonly databasePath: string;
  release(): void;
}

const LOCK_FILE = "titan10.lock";

/** The unix socket on which the process that holds the directory answers. */
export function controlSocketPath(dataDir: string): string {
  return join(dataDir, "titan10.sock");
}

/**
 * Takes the directory, making it when it is not there. The lock is the kernel's (`flock`), so it is gone when
 * the process is, however it ended.
 *
 * @throws DataDirHeldError when another process holds it: two embedded servers on one directory lose rows
 * without a word.
 */
export async function holdDataDir(path: string, clock: Clock): Promise<HeldDataDir> {
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  const file = await Deno.open(join(path, LOCK_FILE), { create: true, read: true, write: true });
  let held = false;
  try {
    held = await lockNow(file, clock);
    if (!held) {
      const holder = (await Deno.readTextFile(join(path, LOCK_FILE))).trim();
      throw new DataDirHeldError(
        `Cannot open the embedded database in ${path}: process ${
          holder || "?"
        } holds it. Stop that process, ` +
          `or give this one another DATA_DIR or a DATABASE_URL`,
      );
    }
    await file.truncate(0);
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  } finally {
    if (!held) file.close();
  }
  return { path, databasePath: join(path, "pgdata"), release: () => file.close() };
}

/** Long enough for a free lock to be had, short enough for a person to wait. */
const LOCK_WAIT_MS = 500;

/** Locks the file if nobody else has. Deno before 2.5 cannot ask without waiting, so there it waits briefly. */
async function lockNow(file: Deno.FsFile, clock: Clock): Promise<boolean> {
  const { tryLock } = file as { readonly tryLock?: (exclusive: boolean) => Promise<boolean> };
  if (tryLock !== undefined) return await tryLock.call(file, true);
  const enough = new AbortController();
  try {
    return await Promise.race([
      file.lock(true).then(() => true),
      clock.sleep(LOCK_WAIT_MS, enough).then(() => false),
    ]);
  } finally {
    enough.abort();
  }
}
