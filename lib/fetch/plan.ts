/** What a backfill would ask for, how long that takes at least, and what it can never bring. @module */
import { newestCandlesMax } from "../exchange/limits.ts";
import { coverageCandles } from "../market/coverage.ts";
import { addCandles, countCandles } from "../market/timeframe.ts";
import { readCheckpoints, readOwed } from "../store/ledger.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { desireOf } from "../archive/desire.ts";
import { readMarkets } from "./markets.ts";
import { queuePages } from "./page_queue.ts";

/** The plan for one timeframe of one exchange. */
export interface PlanEntry {
  readonly exchange: string;
  readonly timeframe: string;
  readonly series: number;
  /** Candles owed. */
  readonly candles: number;
  /** Requests to ask for them. */
  readonly pages: number;
  /** Least time at the exchange's pace. Seconds. */
  readonly seconds: number;
  /** Disk for the candles, uncompressed. Bytes. */
  readonly bytes: number;
  /** Candles that are wanted but that the exchange does not keep. */
  readonly impossible: number;
  /** The oldest candle that can be had, ISO 8601 UTC; null when nothing bounds it. */
  readonly reachFrom: string | null;
}

export interface Plan {
  readonly entries: readonly PlanEntry[];
  /** Exchanges that could not be planned for, and why. */
  readonly problems: readonly { readonly exchange: string; readonly problem: string }[];
  /** Least time for everything: exchanges work side by side, so it is the slowest one's. Seconds. */
  readonly seconds: number;
  readonly bytes: number;
}

/**
 * A candle and its index entry before compression: 172 bytes in a plain table of PostgreSQL 15 and 173 in a
 * hypertable, of 410,000 `1m` candles of ten symbols. Compressed chunks took 21 bytes a candle.
 */
export const BYTES_A_CANDLE = 173;

/** Works the plan out. Markets are loaded for it alone, no candle is asked for, and nothing is written. */
export async function makePlan(
  archive: Archive,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Plan> {
  const entries: PlanEntry[] = [];
  const problems: { exchange: string; problem: string }[] = [];
  await Promise.all(archive.exchanges.map(async (exchange) => {
    try {
      const { series } = await readMarkets(archive, exchange, { signal });
      for (const entry of await planExchange(archive, exchange, series)) entries.push(entry);
    } catch (error) {
      problems.push({
        exchange: exchange.id,
        problem: error instanceof Error ? error.message : String(error),
      });
    }
  }));
  const order = new Map(archive.exchanges.map(({ id }, index) => [id, index]));
  entries.sort((a, b) => (order.get(a.exchange) ?? 0) - (order.get(b.exchange) ?? 0));
  const secondsOf = Map.groupBy(entries, ({ exchange }) => exchange);
  const totals = [...secondsOf.values()].map((group) => sumOf(group, ({ seconds }) => seconds));
  return {
    entries,
    problems,
    seconds: totals.reduce((most, seconds) => Math.max(most, seconds), 0),
    bytes: sumOf(entries, ({ bytes }) => bytes),
  };
}

async function planExchange(
  { config, database, clock }: Archive,
  exchange: ArchivedExchange,
  series: readonly Series[],
): Promise<readonly PlanEntry[]> {
  const { id, client } = exchange;
  const nowMs = clock.now();
  const reaches = new Map(
    (await readCheckpoints(database)).map((row) => [seriesName(row.series), row.reachFromMs]),
  );
  const desires = series.map((series) =>
    desireOf(series, config, { nowMs, newestCandlesMax: newestCandlesMax(series) })
  );
  const owed = await readOwed(database, desires);
  const pages = new Map<string, number>();
  for (const page of queuePages(owed, (timeframe) => exchange.pageRowsMax(timeframe))) {
    const { text } = page.series.timeframe;
    pages.set(text, (pages.get(text) ?? 0) + 1);
  }
  return [...Map.groupBy(desires, ({ series }) => series.timeframe.text)].map(([text, group]) => {
    const candles = sumOf(
      owed.filter(({ series }) => series.timeframe.text === text),
      (entry) => coverageCandles(entry.series.timeframe, entry.owed),
    );
    const [bounded] = group;
    const keptMax = bounded === undefined ? undefined : newestCandlesMax(bounded.series);
    return {
      exchange: id,
      timeframe: text,
      series: group.length,
      candles,
      pages: pages.get(text) ?? 0,
      seconds: (pages.get(text) ?? 0) * client.requestIntervalMs / 1000,
      bytes: candles * BYTES_A_CANDLE,
      impossible: sumOf(group, ({ series, window, wantedSinceMs }) => {
        const reachMs = Math.max(window.sinceMs, reaches.get(seriesName(series)) ?? -Infinity);
        return countCandles(series.timeframe, wantedSinceMs, Math.min(reachMs, window.untilMs));
      }),
      reachFrom: bounded === undefined || keptMax === undefined ? null : new Date(
        addCandles(bounded.series.timeframe, bounded.window.untilMs, -keptMax),
      ).toISOString(),
    };
  });
}

function sumOf<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
