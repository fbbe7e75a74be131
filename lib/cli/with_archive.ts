/** Opens the configured database for a command, or asks the daemon that holds it. @module */
import { type Ground, openConfigured } from "../daemon/open_archive.ts";
import { DataDirHeldError, holdsDatabase } from "../store/connection/data_dir.ts";
import type { Database } from "../store/connection/database.ts";
import { streamDaemon, type StreamOptions } from "./control.ts";

/**
 * Opens the database, calls `here` and closes the database. If a daemon holds the embedded database, calls `daemon`
 * instead.
 *
 * @throws DataDirHeldError when a daemon holds it and `daemon` is not given.
 * @throws Error with `mustExist` when there is no embedded archive yet; none is made then.
 */
export async function withArchive<T>(
  ground: Ground,
  { here, daemon, mustExist = false }: {
    readonly here: (database: Database) => Promise<T>;
    readonly daemon?: (held: DataDirHeldError) => Promise<T>;
    readonly mustExist?: boolean;
  },
): Promise<T> {
  if (mustExist) await requireEmbedded(ground);
  const database = await openUnlessHeld(ground);
  if (database instanceof DataDirHeldError) {
    if (daemon === undefined) throw database;
    return await daemon(database);
  }
  try {
    return await here(database);
  } finally {
    await ground.events?.flush(database);
    await database.close();
  }
}

/** The same for results in pages of an archive that must exist. The daemon is asked for them by `path` and `asked`. */
export async function* pagesOfArchive<Page>(
  ground: Ground,
  { here, path, ...request }: StreamOptions & {
    readonly here: (database: Database) => AsyncIterable<Page>;
    readonly path: string;
  },
): AsyncGenerator<Page, void> {
  await requireEmbedded(ground);
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

async function requireEmbedded({ config: { databaseUrl, dataDir } }: Ground): Promise<void> {
  if (databaseUrl !== undefined || await holdsDatabase(dataDir)) return;
  throw new Error(
    `There is no archive here: ${dataDir} has none. Set DATA_DIR or DATABASE_URL to an existing archive, ` +
      "or create one with titan10 backfill or titan10 run",
  );
}

async function openUnlessHeld(ground: Ground): Promise<Database | DataDirHeldError> {
  try {
    return await openConfigured(ground);
  } catch (error) {
    if (error instanceof DataDirHeldError) return error;
    throw error;
  }
}
