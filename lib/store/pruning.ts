/** Deletes rows that are no longer needed, a bounded number in each statement. @module */
import type { Database } from "./connection/database.ts";

/** The tables whose rows are pruned. */
export const PRUNED_TABLES = ["rejected_candles", "gaps", "candle_revisions", "alerts"] as const;

type PrunedTable = (typeof PRUNED_TABLES)[number];

/**
 * Selects the rows of a table that are due. `$1` is milliseconds since the epoch, `$2` the most rows. Each query begins
 * with an index, so it is fast when few rows are due, whatever the size of the table. A row that another statement holds
 * is left to the next run: this one waits for none while it holds others.
 *
 * - `gaps`: filled ones, and those in time that RETENTION has dropped. All others still say why candles are missing.
 * - `candle_revisions`: those of candles that RETENTION has dropped, whatever their age.
 */
const DUE: Readonly<Record<PrunedTable, readonly string[]>> = {
  rejected_candles: [
    `select ctid from rejected_candles
     where last_seen < to_timestamp($1::float8 / 1000.0) order by last_seen limit $2::int
     for update skip locked`,
  ],
  gaps: [
    `select ctid from gaps
     where state = 'filled' and coalesce(last_try, first_seen) < to_timestamp($1::float8 / 1000.0)
     order by coalesce(last_try, first_seen) limit $2::int
     for update skip locked`,
    `select due.ctid
     from checkpoints as series cross join lateral (
       select ctid from gaps
       where (gaps.exchange, gaps.symbol, gaps.timeframe) = (series.exchange, series.symbol, series.timeframe)
         and gaps.since < series.expired_until and gaps.until <= series.expired_until
         and coalesce(last_try, first_seen) < to_timestamp($1::float8 / 1000.0)
       order by since limit $2::int for update skip locked
     ) as due
     where series.expired_until is not null limit $2::int`,
  ],
  candle_revisions: [
    `select due.ctid
     from checkpoints as series cross join lateral (
       select ctid from candle_revisions as revision
       where (revision.exchange, revision.symbol, revision.timeframe)
             = (series.exchange, series.symbol, series.timeframe)
         and revision.time < series.expired_until
       order by time limit $2::int for update skip locked
     ) as due
     where series.expired_until is not null and $1::float8 is not null limit $2::int`,
  ],
  alerts: [
    `select ctid from alerts
     where ended < to_timestamp($1::float8 / 1000.0) order by ended limit $2::int
     for update skip locked`,
  ],
};

/**
 * Vacuums a table on a server without background workers, so that the space of deleted rows is used again. Without it
 * the table would grow forever.
 */
export async function reuseRoom(
  database: Database,
  table: PrunedTable | "recent_pages" | "events",
): Promise<void> {
  if (database.kind === "server") return;
  await database.runLong(`vacuum ${table}`, async (sql) => {
    await sql.unsafe(`vacuum ${table}`);
  });
}

/**
 * Deletes rows of a table that were last seen before `beforeMs`; at most `rowsMax`.
 *
 * @returns how many; fewer than `rowsMax` when none is left.
 */
export async function pruneRows(
  database: Database,
  table: PrunedTable,
  { beforeMs, rowsMax }: { readonly beforeMs: number; readonly rowsMax: number },
): Promise<number> {
  return await database.run(`prune ${table}`, async (sql) => {
    let rows = 0;
    for (const due of DUE[table]) {
      const { count } = await sql.unsafe(
        `delete from ${table} where ctid = any (array(${due}))`,
        [beforeMs, rowsMax - rows],
        { prepare: true },
      );
      rows += count;
    }
    return rows;
  });
}
