/** The archive is read by qualified names, from sessions whose search_path is not its own. @module */
import assert from "node:assert/strict";
import { join } from "node:path";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { planRollups } from "../../lib/market/rollup.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { guardQueries } from "../../lib/store/read_query.ts";
import { writeStreamed } from "../../lib/store/streamed_write.ts";
import { arrangeRollups } from "../../lib/store/rollups.ts";
import { isThere } from "../support/files.ts";
import { findPrograms } from "../support/postgres_server.ts";
import { seed } from "../support/seeded.ts";
import { createServerDatabase, openPostgres } from "../support/test_database.ts";

const SERIES = {
  exchange: "binance",
  symbol: "BTC/USDT",
  timeframe: "1h",
  since: "2024-01-01T00:00:00Z",
  candles: 3,
};

Deno.test("every view, and ohlcv_explained, is read from a session that has another search_path", async (t) => {
  const server = await openPostgres({ isUnmigrated: true });
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    await within(server.url, "My Candles", async (database) => {
      await database.sql`create schema "My Candles"`;
      await migrate(database, await readMigrations());
      await seed(database, [SERIES]);
      await database
        .sql`update checkpoints set wanted_since = '2023-12-01', listed_from = '2024-01-01'`;
      // The newest came over a stream.
      await database.sql`
        update checkpoints set unsettled = '{[2024-01-01 02:00Z,2024-01-01 03:00Z)}',
          streamed = '{[2024-01-01 02:00Z,2024-01-01 03:00Z)}', covered = '{[2024-01-01 00:00Z,2024-01-01 02:00Z)}'`;
      const { rollups } = planRollups([parseTimeframe("4h")], [parseTimeframe("1h")]);
      await arrangeRollups(database, rollups);
    });
    await t.step("where it was made", () => readAll(server.url, "My Candles"));
    await t.step("where a dump of it was restored", async (t) => {
      const programs = await findPrograms() ?? "";
      if (!await isThere(join(programs, "pg_dump"))) {
        await t.step({ name: "needs pg_dump", ignore: true, fn: () => {} });
        return;
      }
      const dump = await Deno.makeTempFile({ prefix: "titan10-dump-" });
      const { url, drop } = await createServerDatabase(server.url);
      try {
        await run(join(programs, "pg_dump"), "--file", dump, server.url);
        await run(join(programs, "psql"), "--quiet", "--set=ON_ERROR_STOP=1", "--file", dump, url);
        await readAll(url, "My Candles");
        await within(url, "My Candles", streamsOn);
      } finally {
        await Deno.remove(dump);
        await drop();
      }
    });
    await t.step("where the schema was renamed, once the program was started again", async () => {
      await within(
        server.url,
        "public",
        ({ sql }) => sql`alter schema "My Candles" rename to other`,
      );
      await within(server.url, "other", guardQueries);
      await readAll(server.url, "other");
    });
  } finally {
    await server.stop();
  }
});

/** Reads all that the archive has in a schema, from a session that looks in no schema. */
async function readAll(url: string, schema: string): Promise<void> {
  const sql = postgres(url, { max: 1, connection: { search_path: "" }, onnotice: () => {} });
  try {
    const counts: Record<string, number> = {};
    const views = await sql<{ name: string }[]>`
      select relname as name from pg_class
      where relnamespace = to_regnamespace(${`"${schema}"`}) and relkind in ('r', 'p', 'v', 'm')`;
    for (const { name } of views) {
      const rows = await sql`select * from ${sql(schema)}.${sql(name)}`;
      counts[name] = rows.length;
    }
    assert.deepEqual(
      [
        ...[counts["ohlcv"], counts["ohlcv_rollup_4h"], counts["all_gaps"]],
        counts["streamed_candles"],
      ],
      [3, 1, 1, 1],
    );
    const [rollup] = await sql`select provisional from ${sql(schema)}.ohlcv_rollup_4h`;
    assert.equal(rollup?.["provisional"], true);
    const spans = await sql`
      select state, candles::int from ${
      sql(schema)
    }.ohlcv_explained('1h', 'binance', 'BTC/USDT', '2023-12-31', '2024-01-02')`;
    assert.deepEqual(spans.map(({ state, candles }) => [state, candles]), [
      ["before_listing", 24],
      ["stored", 2],
      ["provisional", 1],
      ["owed", 21],
    ]);
  } finally {
    await sql.end();
  }
}

/** The archive goes on where it was restored: a stream brings the next candle. */
async function streamsOn(database: Database): Promise<void> {
  const prices = { open: "1", high: "1", low: "1", close: "1", volume: "1" };
  const streamed = {
    series: { ...SERIES, timeframe: parseTimeframe(SERIES.timeframe) },
    candle: { openTimeMs: Date.parse("2024-01-01T03:00:00Z"), ...prices },
    marketId: undefined,
  };
  assert.deepEqual(await writeStreamed(database, [streamed]), ["stored"]);
  const rows = await database.sql`
    select provisional from ohlcv_merged('1h', 'BTC/USDT', '2024-01-01', '2024-01-02', null, 'volume', false)`;
  assert.deepEqual(rows.map(({ provisional }) => provisional), [false, false, true, true]);
}

async function within(
  serverUrl: string,
  schema: string,
  use: (database: Database) => Promise<unknown>,
): Promise<void> {
  const url = new URL(serverUrl);
  url.search = `search_path=${encodeURIComponent(`"${schema}", public`)}`;
  const options = { url: url.href, dataDir: "", poolMax: 1, clock: systemClock };
  const database = await openDatabase(options);
  try {
    await use(database);
  } finally {
    await database.close();
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(program, { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}
