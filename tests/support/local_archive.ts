/** An archive at work against local exchanges, for the length of one test. @module */
import assert from "node:assert/strict";
import type { Clock } from "../../lib/clock.ts";
import { type Config, readConfig } from "../../lib/config/config.ts";
import type { Archive } from "../../lib/archive/archive.ts";
import type { LocalExchange } from "./local_exchange/faulty_exchange.ts";
import { configureLogging, logger } from "../../lib/telemetry/log.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { createMetrics, type Metrics } from "../../lib/telemetry/metrics.ts";
import { openArchive, prepareDatabase } from "../../lib/daemon/open_archive.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { candleTable } from "../../lib/store/candle_table.ts";
import { testClock } from "./test_clock.ts";

/** Settings that make an exchange's misfortunes pass quickly. */
export const QUICK = {
  RETRY_ATTEMPTS: "3",
  RETRY_MIN: "1ms",
  RETRY_MAX: "5ms",
  BREAKER_COOLDOWN: "50ms",
  FETCH_TIMEOUT: "10s",
} as const;

/** `EXCHANGE_BINANCE` for a local exchange that need not be spared. */
export function binanceAt({ url }: Pick<LocalExchange, "url">): string {
  return JSON.stringify({ urls: { api: { public: `${url}/api/v3` } }, rateLimit: 1 });
}

/** A configuration from variables, as the program would read it. */
export function configOf(variables: Readonly<Record<string, string>>): Config {
  return readConfig({ env: { ...QUICK, ...variables } }, {
    knownExchanges: (variables["EXCHANGES"] ?? "binance").split(","),
    isCron: () => true,
  });
}

/** Waits a hundredth of the time. A deadline passes as quickly, so it must be set long. */
export const HASTY_CLOCK: Clock = {
  now: () => testClock.now(),
  sleep: (ms, options) => testClock.sleep(ms / 100, options),
};

/** Opens an archive on a database that the caller closes. */
export async function openTestArchive(
  database: Database,
  variables: Readonly<Record<string, string>>,
  clock: Clock = testClock,
): Promise<Archive & { readonly lines: readonly string[] }> {
  const lines: string[] = [];
  configureLogging({ level: "debug", format: "json", write: (line) => lines.push(line) });
  const metrics: Metrics = createMetrics();
  const ground = {
    config: configOf(variables),
    clock,
    random: Math.random,
    metrics,
    log: logger("test"),
  };
  await prepareDatabase(database, ground);
  return Object.assign(await openArchive(database, ground), { lines });
}

/** Empties every table, so that tests can share a database that is slow to open. */
export async function emptyDatabase({ sql }: Database): Promise<void> {
  const [there] = await sql`select to_regclass('timeframes') is not null as yes`;
  if (there?.["yes"] !== true) return;
  await sql`select titan10_drop_rollup(timeframe)
    from (select timeframe from rollups order by titan10_step(timeframe) desc) as coarsest_first`;
  await sql`update timeframes set expired_from = null, expired_until = null`;
  await sql`truncate checkpoints, rejected_candles, candle_revisions, exchanges,
    exchange_egress, jobs, gaps, listings,
    alerts, capabilities, changed_months, events, recent_pages,
    funding_rates, funding_checkpoints, funding_revisions, funding_holes`;
  for (
    const { table_name } of await sql<{ table_name: string }[]>`select table_name from timeframes`
  ) {
    await sql.unsafe(`delete from ${table_name}`);
  }
}

/** What the exchange has of a series in a window, and what the database has, must be the same values. */
export async function assertSameCandles(
  { sql }: Database,
  exchange: LocalExchange,
  expected: {
    readonly exchange?: string;
    readonly symbol: string;
    readonly timeframe: string;
    readonly window: Window;
  },
): Promise<void> {
  const timeframe = parseTimeframe(expected.timeframe);
  const { symbol, window } = expected;
  const rows = await sql.unsafe<Record<string, string>[]>(
    `select (extract(epoch from time) * 1000)::bigint::text as time, trim_scale(open)::text as open,
            trim_scale(high)::text as high, trim_scale(low)::text as low,
            trim_scale(close)::text as close, trim_scale(volume)::text as volume
     from ${candleTable(timeframe)} where exchange = $1 and symbol = $2 order by time`,
    [expected.exchange ?? "binance", symbol],
  );
  const truth = exchange.truth(symbol, timeframe, window).map((candle) => ({
    time: String(candle.openTimeMs),
    open: trimZeros(candle.open),
    high: trimZeros(candle.high),
    low: trimZeros(candle.low),
    close: trimZeros(candle.close),
    volume: trimZeros(candle.volume),
  }));
  assert.equal(rows.length, truth.length, `${symbol} ${expected.timeframe}: number of candles`);
  assert.deepEqual(rows.map((row) => ({ ...row })), truth);
}

function trimZeros(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}
