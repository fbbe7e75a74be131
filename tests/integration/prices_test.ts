/** Mark prices, index prices and premiums: fetched, polled, repaired, rolled up, exported and imported like trades. @module */
import assert from "node:assert/strict";
import { parquetReadObjects } from "hyparquet";
import postgres from "postgres";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { LOCAL_CONTRACTS } from "../../lib/local_exchange/contract.ts";
import type { LocalCandle } from "../../lib/local_exchange/price_walk.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { compareDecimals } from "../../lib/market/candle.ts";
import { priceOf } from "../../lib/market/price.ts";
import { closedUntil, floorTime, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { readCandlesDocument } from "../../lib/serve/chart_answer.ts";
import { rollUp } from "../../lib/upkeep/upkeep.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { type ArchivePlace, withArchivePlace } from "../support/archive_place.ts";
import { openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { TestClock } from "../support/test_clock.ts";
import { openPostgres } from "../support/test_database.ts";

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const MARK = "BTC/USDT:USDT@mark";
const PREMIUM = "BTC/USD:BTC@premium";
const SYMBOLS = ["BTC/USDT:USDT", "BTC/USD:BTC"].flatMap((market) => [
  market,
  ...["mark", "index", "premium"].map((price) => `${market}@${price}`),
]);
const PRICED = SYMBOLS.filter((symbol) => priceOf(symbol) !== "trade");

interface Scene extends ArchivePlace {
  readonly exchange: LocalExchange;
  readonly clock: TestClock;
  readonly run: (...args: string[]) => Promise<CommandResult>;
}

for (const kind of ["embedded", "postgres"] as const) {
  Deno.test(`prices that nobody trades are archived like trades, on ${kind}`, (t) =>
    withArchivePlace(t, kind, async (place) => {
      const clock = new TestClock();
      const exchange = await startLocalExchange({
        clock,
        symbols: [...LOCAL_SYMBOLS.slice(0, 1), ...LOCAL_CONTRACTS],
      });
      const run = (...args: string[]): Promise<CommandResult> => runInProcess(args, place.env);
      try {
        for (const [name, test] of Object.entries(TESTS)) {
          await t.step(name, () => test({ ...place, exchange, clock, run }));
        }
      } finally {
        await exchange.close();
      }
    }));
}

/** Each goes on with the archive of the one before. */
const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a backfill, polls and repairs bring exactly what the exchange has": async (scene) => {
    const { exchange, clock, withDatabase } = scene;
    const nowMs = clock.now();
    const hole = { sinceMs: minutesAgo(nowMs, 300), untilMs: minutesAgo(nowMs, 290) };
    const fault = exchange.faults.add({
      when: { symbol: MARK },
      fault: { kind: "holes", ...hole },
    });
    await withDatabase(async (database) => {
      const archive = await openTestArchive(database, variables(exchange), clock);
      const [report] = await backfill(archive, { patient: false });
      assert.deepEqual(report?.problems, []);
      await repairGaps(archive);
      assert.equal(await candlesOf(database, MARK), 720 - 10);
      fault.remove();
      clock.pass(HOUR_MS);
      await repairGaps(archive);
      await new Poll(archive).runOnce();
      await backfill(archive, { patient: false });
      clock.pass(10 * MINUTE_MS);
      await backfill(archive, { patient: false });
      await rollUp(archive);
      await assertSame(database, exchange, storedWindow(nowMs, clock.now()));
      const [open] = await database
        .sql`select count(*)::int as n from gaps where state <> 'filled'`;
      assert.equal(open?.["n"], 0);
    });
    const asked = new Set(
      exchange.requests.map(({ path }) => path.split("?")[0]?.split("/").at(-1)),
    );
    for (const path of ["markPriceKlines", "indexPriceKlines", "premiumIndexKlines", "klines"]) {
      assert(asked.has(path), `${path} of ${[...asked].join(" ")}`);
    }
  },

  "some premiums are negative, and so the truth is no harmless one": async ({ withDatabase }) => {
    const [row] = await withDatabase(({ sql }) =>
      sql`select bool_or(low < 0) as below, bool_or(high > 0) as above, count(volume)::int as volumes
          from ohlcv_1m where symbol = ${PREMIUM}`
    );
    assert.deepEqual({ ...row }, { below: true, above: true, volumes: 0 });
  },

  "a rollup has the first, highest, lowest and last price, and no volume": async (
    { exchange, clock, withDatabase },
  ) => {
    const { sinceMs, untilMs } = storedWindow(new TestClock().now(), clock.now());
    for (const symbol of PRICED) {
      const hourMs = Math.ceil(sinceMs / HOUR_MS) * HOUR_MS;
      const expected = [];
      for (let ms = hourMs; ms + HOUR_MS <= untilMs; ms += HOUR_MS) {
        const candles = exchange.truth(symbol, MINUTE, { sinceMs: ms, untilMs: ms + HOUR_MS });
        expected.push([
          ...[ms, candles[0]?.open, most(candles, "high", 1), most(candles, "low", -1)],
          ...[candles.at(-1)?.close, null, 60],
        ].map((value) => typeof value === "string" ? Number(value) : value));
      }
      const rows = await withDatabase(({ sql }) =>
        sql`select (extract(epoch from time) * 1000)::float8, open::float8, high::float8, low::float8, close::float8,
                   volume, candles::int
            from ohlcv_rollup_1h
            where symbol = ${symbol} and complete and time >= ${new Date(hourMs)} order by time`
          .values()
      );
      assert.deepEqual([...rows].map((row) => [...row]), expected, symbol);
    }
  },

  "HTTP tells of them in each timeframe, and of no volume": async ({ clock, withDatabase }) => {
    for (const timeframe of ["1m", "1h"]) {
      const query = new URLSearchParams({
        ...{ exchange: "binance", symbol: PREMIUM, timeframe, limit: "20" },
      });
      const { candles } = await withDatabase((database) =>
        readCandlesDocument(database, query, { nowMs: clock.now() })
      );
      assert(candles.length >= 10, `${candles.length} candles of ${timeframe}`);
      for (const { volume, volumeBase, volumeUnit, high, low } of candles) {
        assert.deepEqual([volume, volumeBase, volumeUnit], [null, null, null]);
        assert(Number(low) <= Number(high));
      }
    }
  },

  "CSV has an empty field for the volume, Parquet null, and both what is stored": async (
    { folder, run },
  ) => {
    const csv = await run("export", "--exchange", "binance", "--symbol", SYMBOLS.join(","));
    assert.equal(csv.code, 0, csv.stderr);
    const rows = rowsOf(csv);
    assert.equal(new Set(rows.map(([, symbol]) => symbol)).size, SYMBOLS.length);
    for (const row of rows) {
      assert.equal(row[8] === "", priceOf(row[1]!) !== "trade", row.join());
    }
    for (const numbers of ["double", "exact"]) {
      const path = `${folder}/prices.parquet`;
      const symbols = [MARK, PREMIUM, "BTC/USDT:USDT"];
      const args = ["--symbol", symbols.join(","), "-o", path, "--numbers", numbers];
      assert.equal((await run("export", ...args)).code, 0);
      const written = await parquetReadObjects({
        file: (await Deno.readFile(path)).buffer,
      }) as { symbol: string; volume: unknown; close: unknown }[];
      for (const { symbol, volume } of written) {
        assert.equal(volume === null || volume === undefined, priceOf(symbol) !== "trade");
      }
      for (const one of symbols) {
        const closes = written.filter(({ symbol }) => symbol === one).map(({ close }) => close);
        const expected = rows.filter(([, symbol]) => symbol === one).map((row) => Number(row[7]));
        assert.equal(closes.length, expected.length);
        // A decimal is made a double by whoever reads it.
        const isSame = closes.every((close, at) => Math.abs(Number(close) - expected[at]!) < 1e-9);
        assert(isSame, `${one} ${numbers}`);
      }
    }
  },

  "what was exported is imported again as it was": async ({ folder, run, withDatabase }) => {
    const args = ["--exchange", "binance", "--symbol", PRICED.join(","), "--timeframe", "1m"];
    const before = await run("export", ...args);
    await Deno.writeTextFile(`${folder}/prices.csv`, `${before.stdout}\n`);
    await withDatabase(({ sql }) => sql`delete from ohlcv_1m where symbol like '%@%'`);
    const imported = await run("import", `${folder}/prices.csv`);
    assert.equal(imported.code, 0, imported.stderr);
    assert.deepEqual(rowsOf(await run("export", ...args)), rowsOf(before));
  },

  "a file of trades without volume is not imported, nor one of a mark price with it": async (
    { folder, run },
  ) => {
    const head = "exchange,symbol,timeframe,time,open,high,low,close,volume\n";
    const path = `${folder}/bad.csv`;
    const line = (symbol: string, volume: string): string =>
      `binance,${symbol},1m,2024-01-01T00:00:00Z,2,3,1,2,${volume}\n`;
    await Deno.writeTextFile(path, head + line("BTC/USDT:USDT", ""));
    const trades = await run("import", path);
    assert.match(trades.stderr, /fail the checks, .*not_a_finite_number/);
    await Deno.writeTextFile(path, head + line(MARK, "7"));
    const mark = await run("import", path);
    assert.match(mark.stderr, /line 2 has a volume of 7: nobody trades a mark price/);
    await Deno.writeTextFile(path, head + line("BTC/USDT@mark", ""));
    const spot = await run("import", path);
    assert.match(spot.stderr, /names a price that it cannot have: .*@mark, @index, @premium/);
    assert.deepEqual([trades.code, mark.code, spot.code].map((code) => code !== 0), [
      ...[true, true, true],
    ]);
  },

  "a copy of the archive has them, too": async ({ env, run, withDatabase }) => {
    if (env["DATABASE_URL"] !== undefined) return;
    const server = await openPostgres({ isUnmigrated: true });
    if (server === undefined) return;
    try {
      const { code, stderr } = await run("copy", "--to", server.url);
      assert.equal(code, 0, stderr);
      const copy = postgres(server.url, { max: 1, onnotice: () => {} });
      const told = `select symbol, count(*)::int, count(volume)::int as volumes, sum(close)::text
        from ohlcv_1m group by symbol order by symbol`;
      const there = await copy.unsafe(told).values();
      await copy.end();
      const here = await withDatabase(({ sql }) => sql.unsafe(told).values());
      assert.deepEqual([...there], [...here]);
      assert.equal(there.length, SYMBOLS.length);
    } finally {
      await server.stop();
    }
  },

  "a report over premiums of zero and below is made": async ({ run, withDatabase }) => {
    await withDatabase(({ sql }) =>
      sql`update ohlcv_1m set open = 0, high = greatest(high, 0), low = least(low, 0) where symbol = ${PREMIUM}`
    );
    await withDatabase(({ sql }) =>
      sql`update ohlcv_1m set open = 0.001, high = greatest(high, 0.001) where symbol = ${PREMIUM}`
    );
    const { code, stdout, stderr } = await run("report", "--json");
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout);
    assert(JSON.stringify(report).includes(PREMIUM));
  },
};

function variables({ proxyUrl }: LocalExchange): Readonly<Record<string, string>> {
  return {
    EXCHANGES: "binance",
    SYMBOLS: SYMBOLS.join(","),
    TIMEFRAMES: "1m",
    BACKFILL: "1m:12h",
    ROLLUPS: "1h",
    PAGE_LIMIT: "200",
    EXCHANGE_PROXY_URL: proxyUrl,
    EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
  };
}

function minutesAgo(nowMs: number, minutes: number): number {
  return floorTime(MINUTE, nowMs) - minutes * MINUTE_MS;
}

/** What a backfill of 12 hours that began at `beganMs` has stored by now. */
function storedWindow(beganMs: number, nowMs: number): Window {
  return { sinceMs: minutesAgo(beganMs, 720), untilMs: closedUntil(MINUTE, nowMs) };
}

async function candlesOf({ sql }: Database, symbol: string): Promise<number> {
  const [row] = await sql`select count(*)::int as n from ohlcv_1m where symbol = ${symbol}`;
  return row?.["n"];
}

async function assertSame(
  { sql }: Database,
  exchange: LocalExchange,
  window: Window,
): Promise<void> {
  for (const symbol of SYMBOLS) {
    const rows = await sql<Record<string, string | null>[]>`
      select (extract(epoch from time) * 1000)::bigint::text as time, open::float8, high::float8, low::float8,
             close::float8, volume::float8
      from ohlcv_1m where exchange = 'binance' and symbol = ${symbol} and time >= ${new Date(
      window.sinceMs,
    )} order by time`;
    const truth = exchange.truth(symbol, MINUTE, window).map((candle) => ({
      time: String(candle.openTimeMs),
      ...{ open: Number(candle.open), high: Number(candle.high), low: Number(candle.low) },
      close: Number(candle.close),
      volume: priceOf(symbol) === "trade" ? Number(candle.volume) : null,
    }));
    assert.equal(rows.length, truth.length, symbol);
    assert.deepEqual(rows.map((row) => ({ ...row })), truth, symbol);
  }
}

function most(
  candles: readonly LocalCandle[],
  field: "high" | "low",
  sign: 1 | -1,
): string | undefined {
  return candles.map((candle) => candle[field])
    .reduce((a, b) => sign * compareDecimals(a, b) >= 0 ? a : b);
}

function rowsOf({ stdout }: CommandResult): readonly (readonly string[])[] {
  return stdout.trimEnd().split("\n").slice(1).map((line) => line.split(","));
}
