/** Where the commands of a test find their archive: a database of a server, or a directory. @module */
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { copyTemplate } from "./embedded_template.ts";
import { openPostgres } from "./test_database.ts";

export interface ArchivePlace {
  /** For files of the test. */
  readonly folder: string;
  /** DATABASE_URL or DATA_DIR. */
  readonly env: Readonly<Record<string, string>>;
  /** Opens the archive for the time between two commands. */
  withDatabase<T>(use: (database: Database) => Promise<T>): Promise<T>;
}

/** Gives a test an empty archive, and removes all of it afterwards. Without PostgreSQL that kind is a step that is ignored. */
export async function withArchivePlace(
  t: Deno.TestContext,
  kind: "embedded" | "postgres",
  use: (place: ArchivePlace) => Promise<void>,
): Promise<void> {
  const server = kind === "postgres" ? await openPostgres() : undefined;
  if (kind === "postgres" && server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  await withPlace(server, use);
}

/** The same for tests whose subject is not storage: a server answers sooner, but where there is none, a directory does. */
export async function withAnyArchivePlace(
  use: (place: ArchivePlace) => Promise<void>,
): Promise<void> {
  await withPlace(await openPostgres(), use);
}

async function withPlace(
  server: { readonly url: string; stop(): Promise<void> } | undefined,
  use: (place: ArchivePlace) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "titan10-place-" });
  const dataDir = `${folder}/titan10-data`;
  const withDatabase: ArchivePlace["withDatabase"] = async (use) => {
    const database = await openDatabase({
      url: server?.url,
      dataDir,
      poolMax: 2,
      clock: systemClock,
    });
    try {
      return await use(database);
    } finally {
      await database.close();
    }
  };
  try {
    if (server === undefined) await copyTemplate(dataDir);
    else await withDatabase(async (database) => migrate(database, await readMigrations()));
    const env: Record<string, string> = server === undefined
      ? { DATA_DIR: dataDir }
      : { DATABASE_URL: server.url, DATA_DIR: dataDir };
    await use({ folder, env, withDatabase });
  } finally {
    await server?.stop();
    await Deno.remove(folder, { recursive: true });
  }
}
