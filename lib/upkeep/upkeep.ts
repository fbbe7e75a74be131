/** The job `upkeep`: refreshes rollups, then drops candles that are older than `RETENTION`. @module */
import {
  allTimeframes,
  reachOf,
  type SettingsByExchange,
  settingsOf,
} from "../config/exchange_settings.ts";
import { reachStartMs } from "../config/reach.ts";
import { planRollups } from "../market/rollup.ts";
import { ceilTime, floorTime, parseTimeframe } from "../market/timeframe.ts";
import { type Window, windowName } from "../market/window.ts";
import { chunkMs } from "../store/candle_table.ts";
import { setCompressionPolicy } from "../store/compression.ts";
import { expireCandles, readBeginsMs } from "../store/expiry.ts";
import { hasLeader } from "../store/node_exchanges.ts";
import { reuseRoom } from "../store/pruning.ts";
import { readTimescale } from "../store/connection/timescale.ts";
import {
  arrangeRollups,
  keepRollupFresh,
  readRollups,
  REFRESH_LAG_MS,
  refreshRollup,
  rollupView,
  type StoredRollup,
} from "../store/rollups.ts";
import { isLeading } from "../store/unsent_news.ts";
import type { Archive } from "../archive/archive.ts";
import type { Job } from "../archive/job.ts";

/** How often candles that have become too old are dropped. Jobs that write candles also wake this job. */
const UPKEEP_CRON = "41 */6 * * *";

/** Of what reads a rollup, so many are named. */
const NAMED_MAX = 3;

interface UpkeepOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Refreshes rollups before it drops candles, so that no candle is dropped before the rollups contain it. */
export function upkeepJob(archive: Archive): Job {
  return {
    name: "upkeep",
    cron: UPKEEP_CRON,
    mayOverlap: false,
    isQuiet: true,
    isLeaders: true,
    runOnce: async (signal) => {
      await keepPolicies(archive);
      const refreshed = await rollUp(archive, { signal });
      const dropped = await expire(archive, { signal });
      // Each page that is written takes the row of an older one away.
      await reuseRoom(archive.database, "recent_pages");
      await reuseRoom(archive.database, "events");
      return { refreshed, dropped };
    },
  };
}

/** Of several nodes the leader says when candles are compressed. A single process has said so at its start. */
async function keepPolicies({ config, database, leases }: Archive): Promise<void> {
  if (leases.node === undefined || (await readTimescale(database))?.isLicensed !== true) return;
  for (const text of allTimeframes(config)) {
    await setCompressionPolicy(database, parseTimeframe(text), config.compressAfterMs);
  }
}

/**
 * Creates and drops rollups as configured, and refreshes them wherever their candles have changed. TimescaleDB records
 * the times at which rows were written. So refreshing an unchanged window costs almost nothing, and no change is lost
 * in a crash.
 *
 * @returns how many windows were refreshed.
 */
export async function rollUp(archive: Archive, { signal }: UpkeepOptions = {}): Promise<number> {
  const { database, clock, log } = archive;
  if (await mayArrange(archive)) await arrange(archive);
  if ((await readTimescale(database))?.isLicensed !== true) return 0;
  let windows = 0;
  const nowMs = clock.now();
  for (const rollup of await readRollups(database)) {
    if (!rollup.isMaterialized) continue;
    // Oldest first: a query computes the time after the newest materialized candle itself, so a rollup is complete
    // at any moment while it is being built.
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

/** Of several nodes the leader has the rollups that its settings name. A command speaks for itself where no node leads. */
async function mayArrange({ database, leases: { isLeader, node } }: Archive): Promise<boolean> {
  if (node === undefined) return true;
  return isLeader ? await isLeading(database, node) : !await hasLeader(database);
}

async function arrange({ config, database, log, failures }: Archive): Promise<void> {
  const archived = allTimeframes(config).map(parseTimeframe);
  const { rollups } = planRollups(config.rollups.map(parseTimeframe), archived);
  const { added, dropped, used, held } = await arrangeRollups(database, rollups);
  if (added.length + dropped.length > 0) log.info("rollups changed", { added, dropped });
  for (const { rollup, readBy } of used) {
    if (!failures.isNews(`used ${rollup}`, readBy.join())) continue;
    log.warn("a rollup is kept because another view or table reads it: drop that first", {
      rollup,
      readBy: readBy.slice(0, NAMED_MAX),
      readers: readBy.length,
    });
  }
  if (held.length > 0 && failures.isNews("held rollups", held.join())) {
    log.warn("rollups that ROLLUPS does not name are kept: RETENTION has dropped their candles", {
      rollups: held,
    });
  }
}

/**
 * The windows in which a rollup is refreshed, ascending. Each is one chunk of the table that the rollup is built from,
 * so that memory does not grow with history. Times whose candles were dropped are left out: a refresh there would drop
 * the rollup's candles too.
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
 * Drops the chunks whose candles are all older than `RETENTION`, oldest first, together with their entries in the
 * ledger. Stops before the first chunk whose candles a rollup does not contain.
 *
 * @returns how many candles were dropped.
 */
export async function expire(
  { config, database, clock, leases: { node }, log }: Archive,
  { signal }: UpkeepOptions = {},
): Promise<number> {
  let total = 0;
  for (const text of retainedTimeframes(config)) {
    const timeframe = parseTimeframe(text);
    const stepMs = chunkMs(timeframe);
    const begins = await readBeginsMs(database, timeframe);
    const beginMs = [...begins.values()].reduce((least, ms) => Math.min(least, ms), Infinity);
    // All exchanges share a chunk, so the one that keeps its candles longest decides.
    const retainedMs = [...begins.keys()].reduce((least, exchange) => {
      const reach = reachOf(settingsOf(config, exchange).retention, text);
      return Math.min(least, reach === undefined ? -Infinity : reachStartMs(reach, clock.now()));
    }, Infinity);
    const keptMs = Math.floor(retainedMs / stepMs) * stepMs;
    let candles = 0;
    let untilMs = Math.floor(beginMs / stepMs) * stepMs;
    while (untilMs < keptMs && !signal?.aborted) {
      const nextMs = untilMs + stepMs;
      const expiredMs = ceilTime(timeframe, nextMs);
      const expired = await expireCandles(database, timeframe, { untilMs: expiredMs, node });
      if (expired.lacking !== undefined) {
        log.warn(
          "candles older than RETENTION were not dropped: a rollup does not contain all of them",
          {
            timeframe: text,
            rollup: expired.lacking,
          },
        );
        break;
      }
      candles += expired.candles;
      untilMs = nextMs;
    }
    if (candles > 0) {
      log.info("candles older than RETENTION were dropped", {
        timeframe: text,
        candles,
        until: new Date(untilMs).toISOString(),
      });
    }
    total += candles;
  }
  return total;
}

/** The timeframes that some exchange does not keep for ever. */
function retainedTimeframes({ everywhere, own }: SettingsByExchange): ReadonlySet<string> {
  const all = [everywhere, ...own.values()].flatMap(({ retention }) => retention);
  return new Set(all.map(({ timeframe }) => timeframe));
}
