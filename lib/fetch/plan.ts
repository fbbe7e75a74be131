/** Plans a backfill: what it would request, its least duration, and which candles no exchange has any more. @module */
import { manualFile } from "../exchange/archives/file_formats.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import { coverageCandles } from "../market/coverage.ts";
import { besidePolls, type Capacity } from "../market/capacity.ts";
import { addCandles, ceilTime, countCandles } from "../market/timeframe.ts";
import { readCheckpoints, readOwed } from "../store/ledger.ts";
import { type Series, seriesName } from "../market/series.ts";
import { sumOf } from "../market/sum.ts";
import type { Window } from "../market/window.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { lastClosedMs, type Markets, newsOf } from "../archive/markets_in_force.ts";
import { type AskedRange, type BoundedDesire, desireOf } from "../archive/desire.ts";
import { BYTES_A_CANDLE, type DiskGrowth, diskGrowth } from "./disk_growth.ts";
import { type FundingPlan, planFunding } from "./funding_plan.ts";
import { type HistoryPlan, planHistory } from "./history_plan.ts";
import { lostSymbols } from "./lost_symbols.ts";
import { readMarkets } from "./markets.ts";
import { within } from "./owed_candles.ts";
import { queuePages } from "./page_queue.ts";
import { busiest, pollCapacities, requestTimes } from "./poll_capacity.ts";
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

/** What the polls of one exchange take, and what that means for its backfill and for the disk. */
export interface PlanCapacity extends Capacity, DiskGrowth {
  /** Least duration of the backfill beside the polls, which go before it; null if they leave it no time. Seconds. */
  readonly backfillSeconds: number | null;
}

/** A file for `titan10 import`. */
interface FileByHand {
  readonly exchange: string;
  readonly file: string;
  /** Where it is told how to get it. */
  readonly page: string;
}

export interface Plan {
  readonly entries: readonly PlanEntry[];
  /** One per exchange whose published files bring candles: they are not among its pages. */
  readonly history: readonly HistoryPlan[];
  /** Files with candles that exchanges keep no more, which only people can fetch, for `titan10 import`. */
  readonly byHand: readonly FileByHand[];
  /** One per exchange of which funding rates are owed. */
  readonly funding: readonly FundingPlan[];
  /** One per exchange with a plan. */
  readonly capacity: readonly PlanCapacity[];
  /** Exchanges without a plan, and why. */
  readonly problems: readonly { readonly exchange: string; readonly problem: string }[];
  /** What the settings ask for and is not there, one message each: symbols that no exchange lists, and what is left out. */
  readonly lost: readonly string[];
  /** Least duration of everything: exchanges run concurrently, so the slowest one decides. Seconds. */
  readonly seconds: number;
  readonly bytes: number;
}

/** Makes the plan. Loads markets for the plan only and writes nothing. Requests candles only of markets with new ids. */
export async function makePlan(
  archive: Archive,
  { asked, signal }: {
    readonly asked?: AskedRange | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<Plan> {
  const entries: PlanEntry[] = [];
  const totals: number[] = [];
  const capacity: PlanCapacity[] = [];
  const funding: FundingPlan[] = [];
  const history: HistoryPlan[] = [];
  const problems: { exchange: string; problem: string }[] = [];
  const all = await Promise.all(archive.exchanges.map(async (exchange) => {
    try {
      const markets = await readMarkets(archive, exchange, { signal });
      for (const problem of newsOf(markets).unloaded) {
        problems.push({ exchange: exchange.id, problem });
      }
      const planned = await planExchange(archive, exchange, { ...markets, asked });
      const capacities = await pollCapacities(archive, exchange, markets);
      const polls = busiest([...capacities.values()]);
      // Kinds of markets that do not share a pace are backfilled at the same time.
      const backfillSeconds = largest(
        [...planned.secondsOf].map(([lane, seconds]) =>
          besidePolls(seconds, capacities.get(lane) ?? polls)
        ),
      );
      const ofFunding = await planFunding(archive, exchange, { markets, asked });
      if (ofFunding !== undefined) funding.push(ofFunding);
      if (planned.history !== undefined) history.push(planned.history);
      const candlesSeconds = [...planned.secondsOf.values(), planned.history?.seconds ?? 0];
      totals.push(largest(candlesSeconds) + (ofFunding?.seconds ?? 0));
      for (const entry of planned.entries) entries.push(entry);
      capacity.push({
        ...polls,
        ...diskGrowth(archive.config, markets.series, { nowMs: archive.clock.now() }),
        backfillSeconds: Number.isFinite(backfillSeconds) ? backfillSeconds : null,
      });
      return markets;
    } catch (error) {
      problems.push({
        exchange: exchange.id,
        problem: errorText(error),
      });
    }
  }));
  const order = new Map(archive.exchanges.map(({ id }, index) => [id, index]));
  const byOrder = (a: { readonly exchange: string }, b: { readonly exchange: string }): number =>
    (order.get(a.exchange) ?? 0) - (order.get(b.exchange) ?? 0);
  entries.sort(byOrder);
  capacity.sort(byOrder);
  funding.sort(byOrder);
  history.sort(byOrder);
  return {
    entries,
    history,
    byHand: filesByHand(entries),
    funding,
    capacity,
    problems,
    lost: [...lostSymbols(archive, all), ...all.flatMap((one) => newsOf(one).leftOut)],
    seconds: largest(totals),
    bytes: sumOf(entries, ({ bytes }) => bytes),
  };
}

function filesByHand(entries: readonly PlanEntry[]): readonly FileByHand[] {
  const lacking = entries.filter(({ impossible }) => impossible > 0);
  return [...new Set(lacking.map(({ exchange }) => exchange))].flatMap((exchange) => {
    const { name, page } = manualFile(exchange) ?? {};
    return name === undefined || page === undefined ? [] : [{ exchange, file: name, page }];
  });
}

interface PlannedExchange {
  readonly entries: readonly PlanEntry[];
  readonly history: HistoryPlan | undefined;
  /** How long its backfill takes at least, by the pace of its requests. Seconds. */
  readonly secondsOf: ReadonlyMap<string, number>;
}

async function planExchange(
  archive: Archive,
  exchange: ArchivedExchange,
  { asked, ...markets }: Markets & { readonly asked: AskedRange | undefined },
): Promise<PlannedExchange> {
  const { config, database, clock } = archive;
  const { series, replaced, list } = markets;
  const { id } = exchange;
  const nowMs = clock.now();
  const reaches = new Map(
    (await readCheckpoints(database)).map((row) => [seriesName(row.series), row.reachFromMs]),
  );
  const desires = series.map((series) => {
    const options = { nowMs, newestCandlesMax: newestCandlesMax(series), settleMs: 0, asked };
    // The ledger may not know yet that a future has expired.
    return endedAt(desireOf(series, config, options), lastClosedMs(markets, series, nowMs));
  });
  // Of a symbol that means another market, nothing is owed before the listing that the next run begins.
  const anew = new Set(replaced.map(({ symbol }) => symbol));
  const owed = within(await readOwed(database, desires), asked ?? {})
    .filter(({ series }) => !anew.has(series.symbol));
  const { history, left } = await planHistory(archive, exchange, { owed, markets });
  const pages = new Map<string, number>();
  const ofSeries = new Map<Series, { readonly pages: number; readonly longest: Window }>();
  for (const { series, window } of queuePages(left, (series) => exchange.pageRowsMax(series))) {
    const { text } = series.timeframe;
    pages.set(text, (pages.get(text) ?? 0) + 1);
    const known = ofSeries.get(series) ?? { pages: 0, longest: window };
    ofSeries.set(series, { pages: known.pages + 1, longest: longerOf(known.longest, window) });
  }
  const requests = [...ofSeries].map(([series, { longest }]) => ({ series, window: longest }));
  const requestMs = await requestTimes(exchange, requests, list);
  const secondsOf = new Map<string, number>();
  for (const [series, { pages }] of ofSeries) {
    const lane = await exchange.client.laneOf(series, list);
    secondsOf.set(lane, (secondsOf.get(lane) ?? 0) + pages * requestMs(series) / 1000);
  }
  const byTimeframe = Map.groupBy(desires, ({ series }) => series.timeframe.text);
  const entries = [...byTimeframe].map(([text, group]) => {
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
      seconds: sumOf(
        [...ofSeries].filter(([series]) => series.timeframe.text === text),
        ([series, { pages }]) => pages * requestMs(series) / 1000,
      ),
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
  return { entries, secondsOf, history };
}

/** Nothing is wanted after the last candle. */
function endedAt(
  { window, wantedSinceMs, ...desire }: BoundedDesire,
  endMs: number,
): BoundedDesire {
  const untilMs = Math.min(window.untilMs, endMs);
  const sinceMs = Math.min(window.sinceMs, untilMs);
  return {
    ...desire,
    window: { sinceMs, untilMs },
    wantedSinceMs: Math.min(wantedSinceMs, untilMs),
  };
}

function longerOf(one: Window, other: Window): Window {
  return one.untilMs - one.sinceMs >= other.untilMs - other.sinceMs ? one : other;
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}
