/** Whose rights a query has after a dump was restored, and for a login that is not the archive's owner. @module */
import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { isThere } from "../support/files.ts";
import { findPrograms } from "../support/postgres_server.ts";
import { seed } from "../support/seeded.ts";
import { runInProcess } from "../support/shell.ts";
import { createServerDatabase, openPostgres } from "../support/test_database.ts";

const ONE_HOUR = {
  exchange: "binance",
  symbol: "BTC/USDT",
  timeframe: "1h",
  since: "2024-01-01T00:00:00Z",
  candles: 3,
};

Deno.test("a query's rights survive a dump, and come back where a dump was restored without owners", async (t) => {
  const server = await openPostgres();
  const programs = await findPrograms() ?? "";
  if (server === undefined || !await isThere(join(programs, "pg_dump"))) {
    await t.step({ name: "needs PostgreSQL with pg_dump", ignore: true, fn: () => {} });
    await server?.stop();
    return;
  }
  const run = async (name: string, ...args: string[]): Promise<void> => {
    const { code, stderr } = await new Deno.Command(join(programs, name), { args }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  };
  const folder = await Deno.makeTempDir({ prefix: "titan10-dump-" });
  try {
    await withSql(server.url, (database) => seed(database, [ONE_HOUR]));
    for (const flags of [[], ["--no-owner"], ["--no-owner", "--no-acl"]]) {
      const isWhole = flags.length === 0;
      await t.step(`pg_dump ${flags.join(" ")}`, async () => {
        const dump = join(folder, "dump.sql");
        await run("pg_dump", "--file", dump, ...flags, server.url);
        const { url, drop } = await createServerDatabase(server.url);
        try {
          await run("psql", "--quiet", "--set=ON_ERROR_STOP=1", "--file", dump, url);
          const ask = async (): Promise<string> => {
            const sql = "select current_user, count(*) from ohlcv where timeframe = '1h'";
            const { stdout, stderr } = await runInProcess(["query", "--csv", sql], {
              DATABASE_URL: url,
            });
            return stdout + stderr;
          };
          if (!isWhole) {
            assert.equal(
              await ask(),
              "Cannot run the query: its functions have the rights of postgres, who may write. Run titan10 migrate",
            );
            const { code, stderr } = await runInProcess(["migrate"], { DATABASE_URL: url });
            assert.equal(code, 0, stderr);
          }
          assert.equal(await ask(), "current_user,count\npg_database_owner,3");
        } finally {
          await drop();
        }
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
    await server.stop();
  }
});

Deno.test("a login that only reads may query when it was let, and is told the statement before", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const reader = `reader_${crypto.randomUUID().slice(0, 8)}`;
  const url = new URL(server.url);
  url.username = reader;
  const ask = async (): Promise<string> => {
    const asked = ["query", "--csv", "select count(*) from gaps"];
    const { stdout, stderr } = await runInProcess(asked, { DATABASE_URL: url.href });
    return stdout + stderr;
  };
  try {
    await withSql(server.url, async ({ sql }) => {
      await sql.unsafe(`create role ${reader} login`);
      const [, statement] = /^Cannot run the query: reader_\w+ may not .*: (grant .*)$/.exec(
        await ask(),
      )!;
      await sql.unsafe(statement!);
      assert.equal(await ask(), "count\n0");
      await sql.unsafe(`drop owned by ${reader}; drop role ${reader}`);
    });
  } finally {
    await server.stop();
  }
});

async function withSql<T>(
  url: string,
  use: (database: Awaited<ReturnType<typeof openDatabase>>) => Promise<T>,
): Promise<T> {
  const database = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
  try {
    return await use(database);
  } finally {
    await database.close();
  }
}
