/** Opens the configured database for a command, or asks the daemon that holds it. @module */
import { type Ground, openConfigured } from "../daemon/open_archive.ts";
import { DataDirHeldError } from "../store/connection/data_dir.ts";
import type { Database } from "../store/connection/database.ts";
import { streamDaemon, type StreamOptions } from "./control.ts";

/**
 * Opens the database, calls `here` and closes the database. If a daemon holds the embedded database, calls `daemon`
 * instead.
 *
 * @throws DataDirHeldError when a daemon holds it and `daemon` is not given.
 */
export async function withArchive<T>(
  ground: Ground,
  { here, daemon }: {
    readonly here: (database: Database) => Promise<T>;
    readonly daemon?: (held: DataDirHeldError) => Promise<T>;
  },
): Promise<T> {
  const database = await openUnlessHeld(ground);
  if (database instanceof DataDirHeldError) {
    if (daemon === undefined) throw database;
    return await daemon(database);
  }
  try {
    return await here(database);
  } finally {
    await database.close();
  }
}

/** The same for results in pages. The daemon is asked for them by `path` and `asked`. */
export async function* pagesOfArchive<Page>(
  ground: Ground,
  { here, path, ...request }: StreamOptions & {
    readonly here: (database: Database) => AsyncIterable<Page>;
    readonly path: string;
  },
): AsyncGenerator<Page, void> {
  const database = await openUnlessHeld(ground);
  if (database instanceof DataDirHeldError) {
    const pages = streamDaemon(ground.config.dataDir, path, request);
    return yield* pages as AsyncGenerator<Page, void>;
  }
  try {
    yield* here(database);
  } finally {
    await database.close();
  }
}

async function openUnlessHeld(ground: Ground): Promise<Database | DataDirHeldError> {
  try {
    return await openConfigured(ground);
  } catch (error) {
    if (error instanceof DataDirHeldError) return error;
    throw error;
  }
}
