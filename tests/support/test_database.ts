/** A database of one's own for a test file: TEST_DATABASE_URL's server, or the embedded one. @module */
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { startPostgres } from "./postgres_server.ts";

export interface TestDatabase {
  readonly database: Database;
  /** As in DATABASE_URL; undefined for the embedded database. */
  readonly url: string | undefined;
  /** Closes it and leaves nothing behind. */
  drop(): Promise<void>;
}

/** Where a test can find a database. */
export type DatabaseKind = "given" | "embedded" | "postgres";

/** The server of TEST_DATABASE_URL where there is one; else the embedded one and a throwaway PostgreSQL. */
export const DATABASE_KINDS: readonly DatabaseKind[] = givenUrl() === undefined
  ? ["embedded", "postgres"]
  : ["given"];

/** Opens an empty database; undefined when that kind is not installed here. */
export async function openTestDatabase(kind: DatabaseKind): Promise<TestDatabase | undefined> {
  if (kind === "embedded") return await openEmbeddedTest();
  const given = givenUrl();
  if (kind === "given" && given !== undefined) return await openOnServer(given);
  const server = await startPostgres();
  if (server === undefined) return undefined;
  const opened = await openOnServer(server.url);
  return {
    ...opened,
    async drop(): Promise<void> {
      await opened.drop();
      await server.stop();
    },
  };
}

function givenUrl(): string | undefined {
  return Deno.env.get("TEST_DATABASE_URL") || undefined;
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

/** Makes an empty database on a server, without opening it. */
export async function createServerDatabase(
  serverUrl: string,
): Promise<{ readonly url: string; drop(): Promise<void> }> {
  const name = `titan10_test_${crypto.randomUUID().replaceAll("-", "")}`;
  await execute(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => execute(serverUrl, `drop database if exists ${name} with (force)`),
  };
}

/** An empty embedded database. */
export async function openEmbeddedTest(): Promise<TestDatabase> {
  const dataDir = await Deno.makeTempDir({ prefix: "titan10-test-" });
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
