/** A database of one's own for a test file: TEST_DATABASE_URL's server, or the embedded one. @module */
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/database.ts";

export interface TestDatabase {
  readonly database: Database;
  /** As in DATABASE_URL; undefined for the embedded database. */
  readonly url: string | undefined;
  /** Closes it and leaves nothing behind. */
  drop(): Promise<void>;
}

/** Opens an empty database. */
export async function openTestDatabase(
  serverUrl = Deno.env.get("TEST_DATABASE_URL"),
): Promise<TestDatabase> {
  if (serverUrl === undefined || serverUrl === "") return await openEmbeddedTest();
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

async function openEmbeddedTest(): Promise<TestDatabase> {
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
