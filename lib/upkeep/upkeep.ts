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
import { archivedTimeframes } from "../archive/desire.ts";

/** A backfill may wait for an exchange for days, so that its end is not the only time for this. */
const UPKEEP_MS_MAX = 6 * 60 * 60_000;

interface UpkeepOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Rolls up and drops, one run at a time; what fails is logged, and done by the next run. */
export class Upkeep {
  readonly #archive: Archive;
  #underWay: Promise<void> | undefined = undefined;
  #startedAtMs = -Infinity;

  constructor(archive: Archive) {
    this.#archive = archive;
  }

  /** Whether the last run is so long ago that somebody should ask for one. */
  get isDue(): boolean {
    return this.#archive.clock.now() - this.#startedAtMs >= UPKEEP_MS_MAX;
  }

  /** Runs once; whoever comes while a run is under way waits for its end. */
  async run(options: UpkeepOptions = {}): Promise<void> {
    this.#underWay ??= this.#run(options).finally(() => this.#underWay = undefined);
    await this.#underWay;
  }

  async #run(options: UpkeepOptions): Promise<void> {
    const { clock, log } = this.#archive;
    this.#startedAtMs = clock.now();
    try {
      await rollUp(this.#archive, options);
      await expire(this.#archive, options);
    } catch (error) {
      log.warn("upkeep failed; it is tried again later", { error });
    }
  }
}

/**
 * Makes the rollups be those that are configured, and materializes all that has changed below them. TimescaleDB
 * remembers, by time only, what was written, so a window in which nothing was costs next to nothing and a crash forgets
 * nothing.
 */
export async function rollUp(
  { config, database, clock, log }: Archive,
  { signal }: UpkeepOptions = {},
): Promise<void> {
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
  if (await timescaleVersion(database) === null) return;
  const nowMs = clock.now();
  for (const rollup of await readRollups(database)) {
    // Oldest first: what lies after the newest materialized candle is worked out when asked, so that a rollup is
    // complete at any moment while it is being built.
    for (const window of refreshWindows(rollup, nowMs)) {
      if (signal?.aborted) return;
      await refreshRollup(database, rollup, window);
      log.debug("rollup refreshed", {
        rollup: rollupView(rollup.timeframe),
        window: windowName(window),
      });
    }
    await keepRollupFresh(database, rollup);
  }
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
