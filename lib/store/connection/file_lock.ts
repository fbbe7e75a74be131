/** Locks of files, by which one process at a time has a directory. They end with the process. @module */
import type { Clock } from "../../clock.ts";

/** Long enough to get a free lock, short enough for a user to wait. */
const LOCK_WAIT_MS = 500;

/** Locks the file if no other process has locked it. Deno 2.6 has no `tryLock`, so there it waits briefly. */
export async function lockNow(file: Deno.FsFile, clock: Clock): Promise<boolean> {
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
