/** The base volume of candles, whatever their volumes count: in the view, rollups, merged candles, exports and the page. @module */
import assert from "node:assert/strict";
import { parquetReadObjects } from "hyparquet";
import { planRollups } from "../../lib/market/rollup.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { readCandlesDocument } from "../../lib/serve/chart_answer.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { noteVolumeUnits } from "../../lib/store/listing_facts.ts";
import { arrangeRollups } from "../../lib/store/rollups.ts";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { runInProcess } from "../support/shell.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

const LINEAR = "BTC/USDT:USDT";
const INVERSE = "BTC/USD:BTC";
const HOUR = parseTimeframe("1h");

/** In every hour of each exchange 7 BTC were traded at 40,000. What its volumes say of that depends on their unit. */
const SEVEN = [
  { exchange: "binance", symbol: LINEAR, kind: "linear", unit: "base", size: 1, volume: 7 },
  {
    exchange: "gate",
    symbol: LINEAR,
    kind: "linear",
    unit: "contracts",
    size: 0.0001,
    volume: 7e4,
  },
  { exchange: "mexc", symbol: LINEAR, kind: "linear", unit: "contracts", size: 0.01, volume: 700 },
  { exchange: "hibachi", symbol: LINEAR, kind: "linear", unit: "quote", size: 1, volume: 280_000 },
  {
    exchange: "btse",
    symbol: "BTC/USDT",
    kind: "spot",
    unit: "quote",
    size: null,
    volume: 280_000,
  },
  { exchange: "okx", symbol: "BTC/USDT", kind: "spot", unit: "base", size: null, volume: 7 },
  { exchange: "coinex", symbol: "BTC/USDT", kind: "spot", unit: null, size: null, volume: 7 },
  { exchange: "bybit", symbol: INVERSE, kind: "inverse", unit: "base", size: 1, volume: 7 },
  {
    exchange: "gate",
    symbol: INVERSE,
    kind: "inverse",
    unit: "contracts",
    size: 1,
    volume: 280_000,
  },
] as const;

const BASES = {
  "binance BTC/USDT:USDT": "7",
  "btse BTC/USDT": null,
  "bybit BTC/USD:BTC": "7",
  "coinex BTC/USDT": null,
  "gate BTC/USD:BTC": null,
  "gate BTC/USDT:USDT": "7",
  "hibachi BTC/USDT:USDT": null,
  "mexc BTC/USDT:USDT": "7",
  // Never listed, only imported: a spot series is taken with its base volume, a contract is not.
  "kraken BTC/USDT": "7",
  "kraken BTC/USDT:USDT": null,
  "okx BTC/USDT": "7",
};

for (const kind of DATABASE_KINDS) {
  Deno.test(`the base volume follows from the unit of a listing on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind, { isUnmigrated: true });
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    try {
      await steps(t, opened.database);
    } finally {
      await opened.drop();
    }
  });
}

async function steps(t: Deno.TestContext, database: Database): Promise<void> {
  const { sql } = database;
  await t.step(
    "candles of an archive of an older version have it once units are known",
    async () => {
      const migrations = await readMigrations();
      await migrate(database, migrations.filter(({ name }) => name < "0041"));
      await ensureCandleTables(database, [HOUR, parseTimeframe("1d")]);
      const { rollups } = planRollups([parseTimeframe("4h")], [HOUR]);
      await arrangeRollups(database, rollups);
      await fill(database);
      await sql.unsafe("create view of_users as select * from ohlcv where timeframe = '1h'");
      await compress(database);
      await migrate(database, migrations);
      // What is listed now says so itself; the rest is told of each kind.
      assert.deepEqual((await bases(database))["okx BTC/USDT"], null);
      for (const { exchange, kind, unit } of SEVEN) {
        if (unit !== null) await noteVolumeUnits(database, exchange, [{ kind, volumeUnit: unit }]);
      }
      assert.deepEqual(await bases(database), BASES);
      const [used] = await sql`select count(*)::int as candles from of_users`;
      assert.equal(used?.["candles"], 8 * (SEVEN.length + 2));
    },
  );
  await t.step("a view of a timeframe that is added has it, too", async () => {
    await ensureCandleTables(database, [parseTimeframe("5m")]);
    assert.deepEqual(await bases(database), BASES);
  });
  await t.step("rollups have that of their candles", async () => {
    assert.deepEqual(await bases(database, "ohlcv_rollup_4h"), timesFour(BASES));
  });
  await t.step("each candle counts by the listing of its time", async () => {
    // Until four in the morning a contract was worth ten times as much, and nothing is known from six on.
    await sql`
      insert into listings (exchange, symbol, since, kind, contract_size, volume_unit) values
        ('gate', ${LINEAR}, '2024-01-01 04:00Z', 'linear', 0.00001, 'contracts'),
        ('gate', ${LINEAR}, '2024-01-01 06:00Z', 'linear', null, 'contracts')`;
    const rows = await sql`
      select trim_scale(volume_base)::text as base from ohlcv
      where timeframe = '1h' and exchange = 'gate' and symbol = ${LINEAR} order by time`;
    assert.deepEqual(rows.map((row) => row["base"]), [
      "7",
      "7",
      "7",
      "7",
      "0.7",
      "0.7",
      null,
      null,
    ]);
    const rolled = await sql`
      select trim_scale(volume_base)::text as base from ohlcv_rollup_4h
      where exchange = 'gate' and symbol = ${LINEAR} order by time`;
    assert.deepEqual(rolled.map((row) => row["base"]), ["28", null]);
  });
  await t.step(
    "merged candles weigh by it, and never add what counts different things",
    async () => {
      const merged = async (symbol: string, exchanges: string): Promise<readonly unknown[]> => {
        const [row] = await sql.unsafe(`
        select trim_scale(close)::float8 as close, trim_scale(volume)::text as volume, to_json(sources) as sources,
               trim_scale(volume_base)::text as base
        from ohlcv_merged('1h', '${symbol}', '2024-01-01', '2024-01-01 01:00', array[${exchanges}], 'volume')`);
        return [row?.["close"], row?.["volume"], row?.["base"], row?.["sources"]];
      };
      // Closes are 1 for binance, 2 for gate, and so on.
      const both = ["binance", "gate"];
      assert.deepEqual(await merged(LINEAR, "'binance', 'gate'"), [1.5, null, "14", both]);
      await sql`update ohlcv_1h set volume = 21 where exchange = 'binance'`;
      assert.deepEqual(await merged(LINEAR, "'binance', 'gate'"), [1.25, null, "28", both]);
      // Contracts of two sizes, and one whose base volume is not known, which is left out.
      assert.deepEqual(await merged(LINEAR, "'mexc', 'gate'"), [2.5, null, "14", ["mexc", "gate"]]);
      assert.deepEqual(await merged(LINEAR, "'hibachi', 'binance'"), [1, "21", "21", ["binance"]]);
      // Alike, though not known in the base currency.
      assert.deepEqual(await merged(LINEAR, "'hibachi'"), [4, "280000", null, ["hibachi"]]);
      assert.deepEqual(await merged("BTC/USDT", "'okx', 'kraken'"), [7.5, "14", "14", [
        "okx",
        "kraken",
      ]]);
      assert.deepEqual(await merged("BTC/USDT", "'btse', 'coinex'"), [6, null, null, [
        "btse",
        "coinex",
      ]]);
      const primary = await sql`
      select sources[1] as source, trim_scale(volume_base)::text as base
      from ohlcv_merged('1h', ${LINEAR}, '2024-01-01', '2024-01-01 01:00')`;
      assert.deepEqual(
        { ...primary[0] },
        { source: "binance", base: "21" },
        "not the most contracts",
      );
    },
  );
  await t.step("the page's answers name the unit of each candle", async () => {
    const answer = async (symbol: string, timeframe: string): Promise<readonly unknown[]> => {
      const query = new URLSearchParams({ exchange: "mexc", symbol, timeframe, limit: "1" });
      const { candles } = await readCandlesDocument(database, query, { nowMs: Date.UTC(2025, 0) });
      const { volume, volumeBase, volumeUnit } = candles[0]!;
      return [Number(volume), Number(volumeBase), volumeUnit];
    };
    await sql`insert into checkpoints (exchange, symbol, timeframe) values ('mexc', ${LINEAR}, '1h')`;
    assert.deepEqual(await answer(LINEAR, "1h"), [700, 7, "contracts"]);
    assert.deepEqual(await answer(LINEAR, "4h"), [2800, 28, "contracts"]);
  });
}

Deno.test("an export has the base volume, and is imported with the volume that was stored", (t) =>
  withAnyArchivePlace(async ({ folder, env, withDatabase }) => {
    await withDatabase(async (database) => {
      await ensureCandleTables(database, [HOUR]);
      await fill(database);
      const { sql } = database;
      await sql`
        insert into checkpoints (exchange, symbol, timeframe, candles, first, last)
        select exchange, symbol, '1h', count(*), min(time), max(time) from ohlcv_1h group by exchange, symbol`;
      for (const { exchange, kind, unit } of SEVEN) {
        if (unit !== null) await noteVolumeUnits(database, exchange, [{ kind, volumeUnit: unit }]);
      }
    });
    const path = `${folder}/all.csv`;
    await t.step("as CSV and Parquet, with nothing where it is not known", async () => {
      assert.equal((await runInProcess(["export", "-o", path], env)).code, 0);
      const lines = (await Deno.readTextFile(path)).trim().split("\n").slice(1);
      const known = new Map(lines.map((line) => {
        const [exchange, symbol, , , , , , , , base = ""] = line.split(",");
        return [`${exchange} ${symbol}`, base === "" ? null : String(Number(base))];
      }));
      assert.deepEqual(Object.fromEntries(known), BASES);
      for (const numbers of ["double", "exact"]) {
        const parquet = `${folder}/all.parquet`;
        await runInProcess(["export", "-o", parquet, "--numbers", numbers], env);
        const rows = await parquetReadObjects({
          file: (await Deno.readFile(parquet)).buffer,
        }) as Record<string, unknown>[];
        const read = new Map(
          rows.map(({ exchange, symbol, volume_base: base }) => [
            `${exchange} ${symbol}`,
            // This reader computes decimals as doubles.
            typeof base === "number" ? Number(base.toFixed(9)) : base,
          ]),
        );
        const wanted = Object.entries(BASES).map(([name, base]) => [name, base && Number(base)]);
        assert.deepEqual(Object.fromEntries(read), Object.fromEntries(wanted), numbers);
      }
    });
    await t.step("and is known again", async () => {
      const { code, stdout, stderr } = await runInProcess(["import", path], env);
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stdout + stderr, /differ/);
      await withDatabase(async (database) => {
        const [row] = await database.sql`
          select trim_scale(volume)::text as volume from ohlcv_1h where exchange = 'gate' and symbol = ${LINEAR} limit 1`;
        assert.equal(row?.["volume"], "70000");
      });
      const merged = await runInProcess([
        ...["export", "--source", "merged", "--merge", "volume", "--symbol", LINEAR],
        ...["--exchange", "gate,mexc", "--until", "2024-01-01T01:00Z"],
      ], env);
      assert.equal(
        merged.stdout.split("\n")[1]?.replace(/14\.0+/, "14").replace(/2\.50+/g, "2.5"),
        `${LINEAR},1h,2024-01-01T00:00:00Z,2.5,2.5,2.5,2.5,,14,gate mexc`,
      );
    });
  }));

/** Eight hours of every series, each closing at the number of its exchange. */
async function fill({ sql }: Database): Promise<void> {
  const names = [...new Set(SEVEN.map(({ exchange }) => exchange)), "kraken"];
  const filed = ["BTC/USDT", LINEAR].map((symbol) => ({ exchange: "kraken", symbol, volume: 7 }));
  for (const { exchange, symbol, volume } of [...SEVEN, ...filed]) {
    const close = names.indexOf(exchange) + 1;
    await sql`
      insert into ohlcv_1h
      select time, ${exchange}::text, ${symbol}::text, ${close}::numeric, ${close}::numeric, ${close}::numeric,
             ${close}::numeric, ${volume}::numeric
      from generate_series(timestamptz '2024-01-01Z', timestamptz '2024-01-01 07:00Z', interval '1 hour') as time`;
  }
  for (const { exchange, symbol, kind, size } of SEVEN) {
    // When it was listed is known only since the archive has it.
    await sql`
      insert into listings (exchange, symbol, since, kind, contract_size)
      values (${exchange}, ${symbol}, '2023-12-31Z', ${kind}, ${size}::numeric)`;
  }
}

/** Chunks of candles, where there are such. */
async function compress({ sql }: Database): Promise<void> {
  const [timescale] = await sql`
    select from pg_extension where extname = 'timescaledb' and titan10_may_compress()`;
  if (timescale !== undefined) {
    await sql`select compress_chunk(chunk) from show_chunks('ohlcv_1h') as chunk`;
  }
}

async function bases({ sql }: Database, view = "ohlcv"): Promise<Record<string, string | null>> {
  const rows = await sql.unsafe<{ name: string; base: string | null }[]>(`
    select distinct exchange || ' ' || symbol as name, trim_scale(volume_base)::text as base from ${view} order by name`);
  const found = Object.fromEntries(rows.map(({ name, base }) => [name, base]));
  assert.equal(Object.keys(found).length, rows.length, "one base volume a series");
  return found;
}

function timesFour(bases: Record<string, string | null>): Record<string, string | null> {
  return Object.fromEntries(
    Object.entries(bases).map(([name, base]) => [name, base && String(4 * Number(base))]),
  );
}
