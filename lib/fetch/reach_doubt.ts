/**
 * Asks again, at growing intervals, for what an exchange was proved not to have: all answers of a proof come within
 * seconds, and an exchange may have been in trouble.
 * @module
 */
import { addCandles } from "../market/timeframe.ts";
import { seriesName } from "../market/series.ts";
import {
  noteReachAsked,
  readReaches,
  type SeriesReach,
  withdrawReach,
} from "../store/series_reach.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Job } from "../archive/job.ts";
import { isCancelled } from "../archive/failure.ts";
import { ofMarket } from "./market_time.ts";
import { askOlder } from "./reach_proof.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * After a minute and a quarter of an hour, when most troubles are over; after a day, a week, and then every thirty days.
 * Of days an hour less, because the daily backfill does not begin at the same second each day.
 */
const DOUBT_AFTER_MS = [
  MINUTE_MS,
  15 * MINUTE_MS,
  ...[1, 7, 30].map((days) => (24 * days - 1) * HOUR_MS),
];

/** Every minute; a run that finds nothing due is one small query an exchange. */
const DOUBT_CRON = "* * * * *";

/** Series of one exchange that are doubted in one run. The others wait for the next run. */
const DOUBTS_MAX = 100;

/**
 * Asks for the candles right before what the exchange is known to have. If older ones come, all that was written off is
 * owed again. Resolves to whether that was so for any series.
 *
 * @throws StoreError
 */
export async function doubtReaches(
  archive: Archive,
  exchange: ArchivedExchange,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  const { database, clock, log } = archive;
  const gone = exchange.markets.value?.gone ?? new Set();
  const asked = exchange.series.filter(({ symbol }) => !gone.has(symbol));
  const archived = new Set(asked.map(seriesName));
  const reaches = (await readReaches(database, exchange.id))
    .filter(({ series }) => archived.has(seriesName(series)));
  let doubted = 0;
  let isOwed = false;
  for (const reach of reaches) {
    const { series, asks, askedMs = Infinity } = reach;
    const nowMs = clock.now();
    // It is not known when it was asked for, or the clock was set back: the time to wait begins now.
    if (askedMs > nowMs) await noteReachAsked(database, series, { nowMs, asks });
    if (!exchange.share.holds(series.symbol)) continue;
    if (!isDue(reach, nowMs) || ++doubted > DOUBTS_MAX) continue;
    try {
      if (await hasOlder(exchange, reach, signal)) {
        await withdraw(archive, exchange, reach);
        isOwed = true;
      } else await noteReachAsked(database, series, { nowMs, asks: asks + 1 });
    } catch (error) {
      if (isCancelled(error, signal)) {
        if (exchange.share.holds(series.symbol)) return isOwed;
        continue;
      }
      log.debug("older candles were not asked for", { series: seriesName(series), error });
    }
  }
  return isOwed;
}

/** The job `doubt`: asks again between two backfills, which may be a day apart, and lets one begin if it was wrong. */
export function doubtJob(
  archive: Archive,
  { onOwed }: { readonly onOwed: (exchange: string) => void },
): Job {
  return {
    name: "doubt",
    cron: DOUBT_CRON,
    // What is asked for now would be asked for twice.
    mayOverlap: false,
    isQuiet: true,
    runOnce: async (signal) => {
      const owing = await Promise.all(archive.exchanges.map(async (exchange) => {
        const isOwed = await doubtReaches(archive, exchange, { signal });
        if (isOwed) onOwed(exchange.id);
        return isOwed;
      }));
      return { owing: owing.filter(Boolean).length };
    },
  };
}

function isDue({ asks, askedMs = Infinity }: SeriesReach, nowMs: number): boolean {
  const waitMs = DOUBT_AFTER_MS[Math.min(asks, DOUBT_AFTER_MS.length - 1)] ?? Infinity;
  return nowMs - askedMs >= waitMs;
}

/**
 * Whether older candles come, also if the end of their window has to be named. Not before the symbol meant this market: what
 * the exchange has of that time is of another one.
 */
async function hasOlder(
  exchange: ArchivedExchange,
  { series, reachFromMs }: SeriesReach,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { timeframe } = series;
  const sinceMs = addCandles(timeframe, reachFromMs, -exchange.pageRowsMax(series));
  const ask = ofMarket(exchange.markets.value, series, {
    window: { sinceMs, untilMs: reachFromMs },
  });
  if (ask === undefined) return false;
  for (const isUntilSent of [false, true]) {
    const options = { ...ask, reachFromMs, isUntilSent, priority: "backfill", signal } as const;
    if (await askOlder(exchange, series, options) === "older") return true;
  }
  return false;
}

async function withdraw(
  { database, clock, log }: Archive,
  { capabilities }: ArchivedExchange,
  { series, reachFromMs }: SeriesReach,
): Promise<void> {
  log.warn(
    "the exchange has older candles after all: those marked as retention are requested again",
    {
      series: seriesName(series),
      reachFrom: new Date(reachFromMs).toISOString(),
    },
  );
  await withdrawReach(database, series, clock.now());
  capabilities.forgetReach(series);
  await capabilities.keep();
}
