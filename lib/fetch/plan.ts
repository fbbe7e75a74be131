/** Plans a backfill: what it would request, its least duration, and which candles no exchange has any more. @module */
import { newestCandlesMax } from "../exchange/limits.ts";
import { coverageCandles } from "../market/coverage.ts";
import { addCandles, ceilTime, countCandles } from "../market/timeframe.ts";
import { readCheckpoints, readOwed } from "../store/ledger.ts";
import { seriesName } from "../market/series.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { type Markets, newsOf } from "../archive/markets_in_force.ts";
import { type AskedRange, desireOf } from "../archive/desire.ts";
import { lostSymbols } from "./lost_symbols.ts";
import { readMarkets } from "./markets.ts";
import { within } from "./owed_candles.ts";
import { queuePages } from "./page_queue.ts";
import { errorText } from "../text/redact.ts";

/** The plan for one timeframe of one exchange. */
export interface PlanEntry {
  readonly exchange: string;
  readonly timeframe: string;
  readonly series: number;
  /** Candles owed. */
  readonly candles: number;
  /** Requests for these candles. */
  readonly pages: number;
  /** Least duration at the exchange's rate limit. Seconds. */
  readonly seconds: number;
  /** Disk space for the candles, uncompressed. Bytes. */
  readonly bytes: number;
  /** Wanted candles that the exchange does not have. */
  readonly impossible: number;
  /** The oldest candle that the exchange keeps, ISO 8601 UTC; null when there is no known limit. */
  readonly reachFrom: string | null;
}

export interface Plan {
  readonly entries: readonly PlanEntry[];
  /** Exchanges without a plan, and why. */
  readonly problems: readonly { readonly exchange: string; readonly problem: string }[];
  /** What the settings ask for and is not there, one message each: symbols that no exchange lists, and what is left out. */
  readonly lost: readonly string[];
  /** Least duration of everything: exchanges run concurrently, so the slowest one decides. Seconds. */
  readonly seconds: number;
  readonly bytes: number;
}

/**
 * Disk space of a candle with its index entry before compression. Measured with 410,000 `1m` candles of ten symbols:
 * 172 bytes in a plain table of PostgreSQL 15 and 173 in a hypertable. Compressed chunks took 21 bytes per candle.
 */
export const BYTES_A_CANDLE = 173;

/** Makes the plan. Loads markets for the plan only and writes nothing. Requests candles only of markets with new ids. */
export async function makePlan(
  archive: Archive,
  { asked, signal }: {
    readonly asked?: AskedRange | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<Plan> {
  const entries: PlanEntry[] = [];
  const problems: { exchange: string; problem: string }[] = [];
  const all = await Promise.all(archive.exchanges.map(async (exchange) => {
    try {
      const markets = await readMarkets(archive, exchange, { signal });
      for (const problem of newsOf(markets).unloaded) {
        problems.push({ exchange: exchange.id, problem });
      }
      for (const entry of await planExchange(archive, exchange, { ...markets, asked })) {
        entries.push(entry);
      }
      return markets;
    } catch (error) {
      problems.push({
        exchange: exchange.id,
        problem: errorText(error),
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
    lost: [...lostSymbols(archive, all), ...all.flatMap((one) => newsOf(one).leftOut)],
    seconds: totals.reduce((most, seconds) => Math.max(most, seconds), 0),
    bytes: sumOf(entries, ({ bytes }) => bytes),
  };
}

async function planExchange(
  { config, database, clock }: Archive,
  exchange: ArchivedExchange,
  { series, replaced, asked }: Markets & { readonly asked: AskedRange | undefined },
): Promise<readonly PlanEntry[]> {
  const { id, client } = exchange;
  const nowMs = clock.now();
  const reaches = new Map(
    (await readCheckpoints(database)).map((row) => [seriesName(row.series), row.reachFromMs]),
  );
  const desires = series.map((series) =>
    desireOf(series, config, {
      nowMs,
      newestCandlesMax: newestCandlesMax(series),
      settleMs: 0,
      asked,
    })
  );
  // Of a symbol that means another market, nothing is owed before the listing that the next run begins.
  const anew = new Set(replaced.map(({ symbol }) => symbol));
  const owed = within(await readOwed(database, desires), asked ?? {})
    .filter(({ series }) => !anew.has(series.symbol));
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
      impossible: sumOf(group, ({ series, window, endsMs, wantedSinceMs }) => {
        const reachMs = Math.max(window.sinceMs, reaches.get(seriesName(series)) ?? -Infinity);
        const endMs = Math.min(endsMs ?? Infinity, asked?.untilMs ?? Infinity);
        const untilMs = Math.min(reachMs, window.untilMs, endMs);
        return countCandles(series.timeframe, wantedSinceMs, ceilTime(series.timeframe, untilMs));
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
