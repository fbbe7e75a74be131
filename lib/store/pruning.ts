/** Deletes rows that nothing rests on any more, a bounded number in each statement. @module */
import type { Database } from "./connection/database.ts";

/** The tables of which rows are pruned. */
export const PRUNED_TABLES = ["rejected_candles", "gaps", "candle_revisions", "alerts"] as const;

type PrunedTable = (typeof PRUNED_TABLES)[number];

/**
 * Which rows of a table are due, `$1` being milliseconds since the epoch and `$2` how many at most. Each begins with
 * what an index finds: hardly anything is due as a rule, whatever a table holds.
 *
 * - `gaps`: those that are filled, and those of a time that RETENTION has dropped. Every other one still says why
 *   candles are missing.
 * - `candle_revisions`: those of candles that RETENTION has dropped, whatever their age.
 */
const DUE: Readonly<Record<PrunedTable, readonly string[]>> = {
  rejected_candles: [
    `select ctid from rejected_candles
     where last_seen < to_timestamp($1::float8 / 1000.0) order by last_seen limit $2::int`,
  ],
  gaps: [
    `select ctid from gaps
     where state = 'filled' and coalesce(last_try, first_seen) < to_timestamp($1::float8 / 1000.0)
     order by coalesce(last_try, first_seen) limit $2::int`,
    `select due.ctid
     from checkpoints as series cross join lateral (
       select ctid from gaps
       where (gaps.exchange, gaps.symbol, gaps.timeframe) = (series.exchange, series.symbol, series.timeframe)
         and gaps.since < series.expired_until and gaps.until <= series.expired_until
         and coalesce(last_try, first_seen) < to_timestamp($1::float8 / 1000.0)
       order by since limit $2::int
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
       order by time limit $2::int
     ) as due
     where series.expired_until is not null and $1::float8 is not null limit $2::int`,
  ],
  alerts: [
    `select ctid from alerts
     where ended < to_timestamp($1::float8 / 1000.0) order by ended limit $2::int`,
  ],
};

/** Makes room of what was pruned, where no background worker does: without it the table would grow for ever. */
export async function reuseRoom(database: Database, table: PrunedTable): Promise<void> {
  if (database.kind === "server") return;
  await database.runLong(`vacuum ${table}`, async (sql) => {
    await sql.unsafe(`vacuum ${table}`);
  });
}

/**
 * Deletes rows of a table that were last seen before `beforeMs`, `rowsMax` at most.
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
      // A row that is written to meanwhile has another ctid, and stays.
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
