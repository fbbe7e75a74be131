/** What is done to candles that are stored: they are rolled up, then what RETENTION does not keep is dropped. @module */
import { reachStartMs } from "../config/reach.ts";
import { planRollups } from "../market/rollup.ts";
import { ceilTime, floorTime, parseTimeframe } from "../market/timeframe.ts";
import { type Window, windowName } from "../market/window.ts";
import { chunkMs } from "../store/candle_table.ts";
import { expireCandles, readBeginMs } from "../store/expiry.ts";
import { timescaleVersion } from "../store/connection/migrations.ts";
import {
  arrangeRollups,
  keepRollupFresh,
  readRollups,
  REFRESH_LAG_MS,
  refreshRollup,
  rollupView,
  type StoredRollup,
} from "../store/rollups.ts";
import type { Archive } from "../archive/archive.ts";
import type { Job } from "../archive/job.ts";
import { archivedTimeframes } from "../archive/desire.ts";

/** For what has become too old. Jobs that have written candles wake it besides. */
const UPKEEP_CRON = "41 */6 * * *";

interface UpkeepOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Rolls up, then drops; nothing is dropped that a rollup does not hold. */
export function upkeepJob(archive: Archive): Job {
  return {
    name: "upkeep",
    cron: UPKEEP_CRON,
    mayOverlap: false,
    isQuiet: true,
    runOnce: async (signal) => {
      const refreshed = await rollUp(archive, { signal });
      const dropped = await expire(archive, { signal });
      return { refreshed, dropped };
    },
  };
}

/**
 * Makes the rollups be those that are configured, and materializes all that has changed below them. TimescaleDB
 * remembers, by time only, what was written, so a window in which nothing was costs next to nothing and a crash forgets
 * nothing.
 *
 * @returns how many windows were refreshed.
 */
export async function rollUp(
  { config, database, clock, log }: Archive,
  { signal }: UpkeepOptions = {},
): Promise<number> {
  const archived = archivedTimeframes(config).map(parseTimeframe);
  const { rollups } = planRollups(config.rollups.map(parseTimeframe), archived);
  const { added, dropped, held } = await arrangeRollups(database, rollups);
  if (added.length + dropped.length > 0) log.info("rollups changed", { added, dropped });
  if (held.length > 0) {
    log.warn("rollups that ROLLUPS does not name are kept: RETENTION has dropped their candles", {
      rollups: held,
    });
  }
  // Plain views have nothing to refresh.
  if (await timescaleVersion(database) === null) return 0;
  let windows = 0;
  const nowMs = clock.now();
  for (const rollup of await readRollups(database)) {
    // Oldest first: what lies after the newest materialized candle is worked out when asked, so that a rollup is
    // complete at any moment while it is being built.
    for (const window of refreshWindows(rollup, nowMs)) {
      if (signal?.aborted) return windows;
      await refreshRollup(database, rollup, window);
      windows++;
      log.debug("rollup refreshed", {
        rollup: rollupView(rollup.timeframe),
        window: windowName(window),
      });
    }
    await keepRollupFresh(database, rollup);
  }
  return windows;
}

/**
 * The windows in which a rollup is refreshed, ascending: one chunk of what it is built from each, so that memory does
 * not grow with history. A refresh where the candles below have been dropped would drop the rollup too.
 */
function refreshWindows(rollup: StoredRollup, nowMs: number): readonly Window[] {
  const { timeframe, base, from, beginMs, expiredUntilMs = -Infinity } = rollup;
  if (beginMs === undefined) return [];
  const stepMs = chunkMs(from ?? base);
  const endMs = floorTime(timeframe, nowMs - REFRESH_LAG_MS);
  const windows: Window[] = [];
  let sinceMs = floorTime(timeframe, beginMs);
  if (from === undefined) sinceMs = Math.max(sinceMs, expiredUntilMs);
  while (sinceMs < endMs) {
    const untilMs = Math.min((Math.floor(sinceMs / stepMs) + 1) * stepMs, endMs);
    windows.push({ sinceMs, untilMs });
    sinceMs = untilMs;
  }
  return windows;
}

/**
 * Drops the chunks whose candles are all older than `RETENTION` keeps, the oldest first, each with what the ledger
 * says of it. Stops before what a rollup does not hold.
 *
 * @returns how many candles were dropped.
 */
export async function expire(
  { config, database, clock, log }: Archive,
  { signal }: UpkeepOptions = {},
): Promise<number> {
  let total = 0;
  for (const { timeframe: text, reach } of config.retention) {
    const timeframe = parseTimeframe(text);
    const stepMs = chunkMs(timeframe);
    const beginMs = await readBeginMs(database, timeframe) ?? Infinity;
    const keptMs = Math.floor(reachStartMs(reach, clock.now()) / stepMs) * stepMs;
    let candles = 0;
    let untilMs = Math.floor(beginMs / stepMs) * stepMs;
    while (untilMs < keptMs && !signal?.aborted) {
      const nextMs = untilMs + stepMs;
      const expired = await expireCandles(database, timeframe, ceilTime(timeframe, nextMs));
      if (expired.lacking !== undefined) {
        log.warn("candles are kept beyond RETENTION: a rollup does not hold them", {
          timeframe: text,
          rollup: expired.lacking,
        });
        break;
      }
      candles += expired.candles;
      untilMs = nextMs;
    }
    if (candles > 0) {
      log.info("candles dropped, as RETENTION says", {
        timeframe: text,
        candles,
        until: new Date(untilMs).toISOString(),
      });
    }
    total += candles;
  }
  return total;
}
