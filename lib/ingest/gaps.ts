/** What is missing from the archive, series by series: what is owed, and holes inside coverage. @module */
import type { Config } from "../config.ts";
import { coverageCandles, intersect } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Database } from "../store/database.ts";
import { readExplained } from "../store/gaps.ts";
import { type Checkpoint, readCheckpoints, readOwed } from "../store/ledger.ts";
import type { Archive } from "./archive.ts";
import { archivedTimeframes, desireOf } from "./desire.ts";

/** One series' account. Counts are candles. */
export interface SeriesAccount {
  readonly series: Series;
  readonly candles: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** Desired and not yet asked for. */
  readonly owed: number;
  /** Holes inside coverage that have no reason yet. */
  readonly missing: number;
  /** Holes that have a reason, those before the first candle that the exchange has among them. */
  readonly explained: number;
  readonly lastError: string | undefined;
}

export interface AccountOptions {
  readonly config: Config;
  readonly nowMs: number;
  /** How many of its newest candles an exchange has at all. */
  readonly newestCandlesMax: (exchange: string) => number | undefined;
}

/** The account of every series in the ledger; of those that are not configured any more nothing is owed. */
export async function readAccounts(
  database: Database,
  { config, nowMs, newestCandlesMax }: AccountOptions,
): Promise<readonly SeriesAccount[]> {
  const checkpoints = await readCheckpoints(database);
  const desires = checkpoints.filter((checkpoint) => isConfigured(checkpoint, config)).map(
    ({ series }) =>
      desireOf(series, config, { nowMs, newestCandlesMax: newestCandlesMax(series.exchange) }),
  );
  const owed = new Map(
    (await readOwed(database, desires)).map((entry) => [seriesName(entry.series), entry.owed]),
  );
  const explained = await readExplained(database);
  return checkpoints.map((checkpoint) => {
    const { series, covered, candles, firstMs, lastMs, lastError } = checkpoint;
    const { timeframe } = series;
    const listedMs = firstMs ?? Infinity;
    const since = intersect(covered, [{ sinceMs: listedMs, untilMs: Infinity }]);
    const expected = coverageCandles(timeframe, since);
    const holes = Math.max(0, expected - candles);
    const reasoned = Math.min(holes, explained.get(seriesName(series)) ?? 0);
    return {
      series,
      candles,
      firstMs,
      lastMs,
      owed: coverageCandles(timeframe, owed.get(seriesName(series)) ?? []),
      missing: holes - reasoned,
      explained: coverageCandles(timeframe, covered) - expected + reasoned,
      lastError,
    };
  });
}

/** Whether the configuration asks for this series. One chosen by volume is never dropped by itself. */
export function isConfigured({ series, chosen }: Checkpoint, config: Config): boolean {
  if (!config.exchanges.includes(series.exchange)) return false;
  if (!archivedTimeframes(config).includes(series.timeframe.text)) return false;
  return config.symbols.kind === "list"
    ? config.symbols.symbols.includes(series.symbol)
    : chosen === "top";
}

/** Sums, and what they are sums of, for a log line. */
export interface GapReport {
  readonly series: number;
  readonly owed: number;
  readonly missing: number;
  readonly explained: number;
}

/** Takes stock: brings the gauges up to date and says what is owed. Nothing is asked of any exchange. */
export async function reportGaps(archive: Archive): Promise<GapReport> {
  const { config, database, clock, metrics, exchanges } = archive;
  const bounds = new Map(exchanges.map(({ id, client }) => [id, client.newestCandlesMax]));
  const accounts = await readAccounts(database, {
    config,
    nowMs: clock.now(),
    newestCandlesMax: (exchange) => bounds.get(exchange),
  });
  const report = { series: accounts.length, owed: 0, missing: 0, explained: 0 };
  for (const { series, lastMs, owed, missing, explained } of accounts) {
    const labels = {
      exchange: series.exchange,
      symbol: series.symbol,
      timeframe: series.timeframe.text,
    };
    metrics.candlesOwed.set(labels, owed);
    metrics.candlesMissing.set(labels, missing);
    if (lastMs !== undefined) metrics.lastClosedCandleSeconds.set(labels, lastMs / 1000);
    report.owed += owed;
    report.missing += missing;
    report.explained += explained;
  }
  return report;
}
