/** A database of one's own for a test file: TEST_DATABASE_URL's server, or the embedded one. @module */
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { copyTemplate } from "./embedded_template.ts";
import { hostileRole } from "./hostile_role.ts";
import { isPackageWanted } from "./postgres_programs.ts";
import { startPostgres } from "./postgres_server.ts";

export interface TestDatabase {
  readonly database: Database;
  /** As in DATABASE_URL; undefined for the embedded database. */
  readonly url: string | undefined;
  /** Closes it and leaves nothing behind. */
  drop(): Promise<void>;
}

/** Where a test can find a database. */
export type DatabaseKind = "given" | "embedded" | "postgres" | "postgres as a hostile role";

/**
 * For tests whose subject is storage: the server of TEST_DATABASE_URL where there is one; else the embedded one and a
 * throwaway PostgreSQL. One of the package is tried beside another run, which has tried the embedded one.
 */
export const DATABASE_KINDS: readonly DatabaseKind[] = givenUrl() !== undefined
  ? ["given"]
  : isPackageWanted()
  ? ["postgres"]
  : ["embedded", "postgres"];

/** For tests of what is written and read back: settings of a role change nothing in it. */
export const DATABASE_KINDS_AND_ROLES: readonly DatabaseKind[] = givenUrl() === undefined
  ? [...DATABASE_KINDS, "postgres as a hostile role"]
  : DATABASE_KINDS;

/** For all other tests: one kind is enough, and a server answers sooner. */
export async function openAnyTest(): Promise<TestDatabase> {
  const kind = givenUrl() === undefined ? "postgres" : "given";
  return await openTestDatabase(kind) ?? await openEmbeddedTest();
}

/**
 * Opens a database without candles; undefined when that kind is not installed here. One whose subject is migrations asks
 * for `isUnmigrated`: others may be copies of one that is migrated already.
 */
export async function openTestDatabase(
  kind: DatabaseKind,
  { isUnmigrated = false }: { readonly isUnmigrated?: boolean } = {},
): Promise<TestDatabase | undefined> {
  if (kind === "embedded") return await openEmbeddedTest({ isUnmigrated });
  const given = givenUrl();
  if (kind === "given" && given !== undefined) return await openOnServer(given);
  const server = await openPostgres({ isUnmigrated });
  if (server === undefined) return undefined;
  const { url, stop } = server;
  const role = kind === "postgres as a hostile role" ? await createHostileRole(url) : undefined;
  const database = await openDatabase({
    url: role?.url ?? url,
    dataDir: "",
    poolMax: 5,
    clock: systemClock,
  });
  return {
    database,
    url: role?.url ?? url,
    async drop(): Promise<void> {
      await database.close();
      // What a role owns is in this database, and goes with it.
      await role?.disown();
      await stop();
    },
  };
}

/** A role of one's own on a server, with settings that change what statements mean. */
async function createHostileRole(
  databaseUrl: string,
): Promise<{ readonly url: string; disown(): Promise<void> }> {
  const name = `hostile_${crypto.randomUUID().replaceAll("-", "")}`;
  await execute(databaseUrl, hostileRole(name));
  const url = new URL(databaseUrl);
  url.username = name;
  return {
    url: url.href,
    disown: () =>
      execute(
        databaseUrl,
        `reassign owned by ${name} to current_user; drop owned by ${name}; drop role ${name}`,
      ),
  };
}

/** Names the server that a whole run of tests shares, and a database on it that new ones are copied from. */
export const SHARED_POSTGRES = "TITAN10_TEST_POSTGRES";
export const TEMPLATE_DATABASE = "titan10_template";

/** A database of one's own on a PostgreSQL that nobody kills. */
export interface BorrowedPostgres {
  readonly url: string;
  /** Gives it back, and leaves nothing behind. */
  stop(): Promise<void>;
}

/**
 * Makes it on the server of TEST_DATABASE_URL or of this run where there is one, else on one of its own; undefined where
 * there is none.
 */
export async function openPostgres(
  { isUnmigrated = false }: { readonly isUnmigrated?: boolean } = {},
): Promise<BorrowedPostgres | undefined> {
  const given = givenUrl();
  const shared = given ?? Deno.env.get(SHARED_POSTGRES);
  if (shared !== undefined) {
    // A server of the user's has no template.
    const isEmpty = isUnmigrated || given !== undefined;
    const { url, drop } = await createServerDatabase(
      shared,
      isEmpty ? undefined : TEMPLATE_DATABASE,
    );
    return { url, stop: drop };
  }
  const server = await startPostgres();
  if (server === undefined) return undefined;
  const { url } = await createServerDatabase(server.url);
  return { url, stop: () => server.stop() };
}

function givenUrl(): string | undefined {
  return Deno.env.get("TEST_DATABASE_URL") || undefined;
}

/** Whether a database tells at once how much was read of its tables. Servers before PostgreSQL 15 tell it later. */
export async function hasStatistics({ sql }: Database): Promise<boolean> {
  const [row] = await sql`select to_regproc('pg_stat_force_next_flush') is not null as has`;
  return row?.["has"];
}

/** An empty database on a server, opened like the program does. */
export async function openOnServer(serverUrl: string): Promise<TestDatabase> {
  const { url, drop } = await createServerDatabase(serverUrl);
  const database = await openDatabase({ url, dataDir: "", poolMax: 5, clock: systemClock });
  return {
    database,
    url,
    async drop(): Promise<void> {
      await database.close();
      await drop();
    },
  };
}

/** Makes a database on a server, empty unless it is another's copy, without opening it. */
export async function createServerDatabase(
  serverUrl: string,
  template = "template0",
): Promise<{ readonly url: string; drop(): Promise<void> }> {
  const name = `titan10_test_${crypto.randomUUID().replaceAll("-", "")}`;
  await execute(serverUrl, `create database ${name} template ${template}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => execute(serverUrl, `drop database if exists ${name} with (force)`),
  };
}

/** An embedded database without candles. */
export async function openEmbeddedTest(
  { isUnmigrated = false }: { readonly isUnmigrated?: boolean } = {},
): Promise<TestDatabase> {
  const dataDir = await Deno.makeTempDir({ prefix: "titan10-test-" });
  if (!isUnmigrated) await copyTemplate(dataDir);
  const database = await openDatabase({ url: undefined, dataDir, poolMax: 1, clock: systemClock });
  return {
    database,
    url: undefined,
    async drop(): Promise<void> {
      await database.close();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

async function execute(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
