/** Rollups: created and dropped as configured, and refreshed window by window. @module */
import { candlesMax, type Rollup } from "../market/rollup.ts";
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { candleTable, stepText } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { readDependents } from "./connection/store_error.ts";
import { readTimescale } from "./connection/timescale.ts";
import { epochMs } from "./parameters.ts";

/** An existing rollup, and the time that it can be computed for. */
export interface StoredRollup extends Rollup {
  /**
   * Where the base timeframe's candles begin, including dropped ones. Milliseconds; undefined before the first answer.
   */
  readonly beginMs: number | undefined;
  /**
   * `RETENTION` has dropped the base timeframe's candles before this. Milliseconds; undefined when it has dropped none.
   */
  readonly expiredUntilMs: number | undefined;
  /** Whether it is a continuous aggregate, which holds what it was refreshed with. A view holds nothing. */
  readonly isMaterialized: boolean;
  /** Whether a rollup of this base timeframe would be one, if it were created now. */
  readonly mayMaterialize: boolean;
  /** What its view reads. */
  readonly heldName: string;
}

interface RollupChange {
  readonly added: readonly string[];
  readonly dropped: readonly string[];
  /** No longer wanted as they are but kept, because something of the user's reads them. */
  readonly used: readonly UsedRollup[];
  /** No longer wanted but kept, because they hold data of dropped candles. */
  readonly held: readonly string[];
}

interface UsedRollup {
  readonly rollup: string;
  /** In PostgreSQL's words: `view daily_report depends on view ohlcv_rollup_1d`. */
  readonly readBy: readonly string[];
}

/** TimescaleDB refreshes a rollup from this long ago. */
const REFRESH_SINCE = "1 day";
/** For coarse rollups it begins this many candles ago, if that is earlier. */
const REFRESH_CANDLES = 3;
/**
 * TimescaleDB refreshes a rollup up to this long ago, because candles arrive late. Newer ones are computed by each
 * query.
 */
export const REFRESH_LAG_MS = 3_600_000;
const REFRESH_EVERY = "15 minutes";

/** The view of a rollup, `ohlcv_rollup_5m`. */
export function rollupView(timeframe: Timeframe): string {
  return candleTable(timeframe).replace("ohlcv_", "ohlcv_rollup_");
}

/** The existing rollups, finest first. */
export async function readRollups(database: Database): Promise<readonly StoredRollup[]> {
  return await database.run("read the rollups", async (sql) => {
    const rows = await sql<RollupRow[]>`
      select rollups.timeframe, source, base_timeframe, expired_until, held_name,
             titan10_is_aggregate(held_name) as is_materialized,
             titan10_may_compress() and titan10_is_hypertable(table_name) as may_materialize,
             coalesce(expired_from, (select min(least(first, lower(covered))) from checkpoints
                                     where timeframe = base_timeframe)) as begins
      from rollups join timeframes on timeframes.timeframe = base_timeframe
      order by titan10_step(rollups.timeframe)`;
    return rows.map((row) => ({
      timeframe: parseTimeframe(row.timeframe),
      base: parseTimeframe(row.base_timeframe),
      from: row.source === null ? undefined : parseTimeframe(row.source),
      beginMs: epochMs(row.begins),
      expiredUntilMs: epochMs(row.expired_until),
      isMaterialized: row.is_materialized,
      mayMaterialize: row.may_materialize,
      heldName: row.held_name,
    }));
  });
}

/**
 * Creates the wanted rollups that do not exist, empty. Drops those that are not wanted or are built from another
 * timeframe than wanted, views where TimescaleDB may hold data by now, and all rollups that are built from these. A rollup
 * that holds data of candles that `RETENTION` has dropped is kept, and one that a view of the user's reads, with those that
 * it is built from.
 */
export async function arrangeRollups(
  database: Database,
  wanted: readonly Rollup[],
): Promise<RollupChange> {
  const stored = await readRollups(database);
  const stale = staleRollups(stored, wanted);
  const isHeld = ({ isMaterialized, expiredUntilMs }: StoredRollup): boolean =>
    isMaterialized && expiredUntilMs !== undefined;
  const { dropped, used } = await dropRollups(database, stale.filter((one) => !isHeld(one)));
  const there = stored.filter((rollup) => !dropped.includes(rollup));
  const added = wanted.filter(({ timeframe }) => !has(there, timeframe));
  for (const rollup of added) {
    // A kept rollup may be built from other candles than this one must be built from.
    const isOtherBase = there.some(({ timeframe, base }) =>
      timeframe.text === rollup.from?.text && base.text !== rollup.base.text
    );
    await addRollup(database, isOtherBase ? { ...rollup, from: undefined } : rollup);
  }
  return {
    added: viewsOf(added),
    dropped: viewsOf(dropped),
    used,
    held: viewsOf(stale.filter(isHeld)),
  };
}

/** Drops those that nothing else reads. */
async function dropRollups(
  database: Database,
  rollups: readonly StoredRollup[],
): Promise<{ readonly dropped: readonly StoredRollup[]; readonly used: readonly UsedRollup[] }> {
  const dropped: StoredRollup[] = [];
  const kept: StoredRollup[] = [];
  const used: UsedRollup[] = [];
  // Each before the one that it is built from.
  for (const rollup of rollups.toReversed()) {
    const { timeframe } = rollup;
    if (kept.some(({ from }) => from?.text === timeframe.text)) {
      kept.push(rollup);
      continue;
    }
    try {
      await database.runLong(`drop ${rollupView(timeframe)}`, async (sql) => {
        await sql`select titan10_drop_rollup(${timeframe.text})`;
      });
      dropped.push(rollup);
    } catch (error) {
      const readBy = readDependents(error);
      if (readBy === undefined) throw error;
      kept.push(rollup);
      used.push({ rollup: rollupView(timeframe), readBy });
    }
  }
  return { dropped: dropped.toReversed(), used };
}

/**
 * Materializes the changes in a window. The window must begin and end where candles of the rollup do. Needs
 * TimescaleDB.
 */
export async function refreshRollup(
  database: Database,
  { timeframe, heldName }: StoredRollup,
  { sinceMs, untilMs }: Window,
): Promise<void> {
  const timescale = await readTimescale(database);
  if (timescale === undefined) return;
  await database.runLong(`refresh ${rollupView(timeframe)}`, async (sql) => {
    const [since, until] = [new Date(sinceMs).toISOString(), new Date(untilMs).toISOString()];
    // No parameters and no transaction, because TimescaleDB commits while this runs.
    await sql.unsafe(
      `call ${timescale.schema}.refresh_continuous_aggregate('${heldName}', '${since}', '${until}')`,
    );
  });
}

/**
 * Makes TimescaleDB keep the newest part of a rollup up to date. Call it only after the rollup's history is
 * materialized: queries compute only what is newer than the newest materialized candle. Needs TimescaleDB.
 */
export async function keepRollupFresh(
  database: Database,
  { timeframe, heldName }: StoredRollup,
): Promise<void> {
  await database.run(`set the refresh policy of ${rollupView(timeframe)}`, async (sql) => {
    await sql`select titan10_refresh_rollup_every(${heldName},
      greatest(${REFRESH_SINCE}::interval, ${REFRESH_CANDLES}::int * ${
      stepText(timeframe)
    }::interval),
      make_interval(secs => ${REFRESH_LAG_MS / 1000}::float8), ${REFRESH_EVERY}::interval)`;
  });
}

interface RollupRow {
  readonly timeframe: string;
  readonly source: string | null;
  readonly base_timeframe: string;
  readonly begins: Date | null;
  readonly expired_until: Date | null;
  readonly is_materialized: boolean;
  readonly may_materialize: boolean;
  readonly held_name: string;
}

/**
 * The rollups that are not wanted, those wanted from another base timeframe, views that can hold data by now, and those
 * built from one of these.
 */
function staleRollups(
  stored: readonly StoredRollup[],
  wanted: readonly Rollup[],
): readonly StoredRollup[] {
  const stale: StoredRollup[] = [];
  for (const rollup of stored) {
    const { timeframe, base, from, isMaterialized, mayMaterialize } = rollup;
    const isWanted = wanted.some((one) =>
      one.timeframe.text === timeframe.text && one.base.text === base.text
    );
    const isOutdated = mayMaterialize && !isMaterialized;
    if (!isWanted || isOutdated || (from !== undefined && has(stale, from))) stale.push(rollup);
  }
  return stale;
}

async function addRollup(database: Database, rollup: Rollup): Promise<void> {
  const { timeframe, base, from } = rollup;
  const view = rollupView(timeframe);
  await database.runLong(`make ${view}`, async (sql) => {
    await sql`select titan10_add_rollup(${timeframe.text}, ${view}, ${from?.text ?? null},
      ${base.text}, ${stepText(timeframe)}::interval, ${candlesMax(rollup)}::int)`;
  });
}

function has(rollups: readonly Rollup[], { text }: Timeframe): boolean {
  return rollups.some(({ timeframe }) => timeframe.text === text);
}

function viewsOf(rollups: readonly Rollup[]): readonly string[] {
  return rollups.map(({ timeframe }) => rollupView(timeframe));
}
