/** Drops candles older than `RETENTION` and their ledger entries, once the rollups hold their data. @module */
import type { Timeframe } from "../market/timeframe.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { heldRows, isHeld } from "./lock_order.ts";

interface Expired {
  /** How many candles were dropped. */
  readonly candles: number;
  /**
   * The rollup that does not hold all of the candles, so nothing was dropped; undefined when the candles were dropped.
   */
  readonly lacking: string | undefined;
}

/** Where the candles or the coverage of a timeframe begin, in milliseconds, by exchange. */
export async function readBeginsMs(
  database: Database,
  timeframe: Timeframe,
): Promise<ReadonlyMap<string, number>> {
  return await database.run(`read where ${candleTable(timeframe)} begins`, async (sql) => {
    const rows = await sql<{ exchange: string; begins: Date }[]>`
      select exchange, min(least(first, lower(covered))) as begins
      from checkpoints join timeframes using (timeframe) where timeframe = ${timeframe.text}
      group by exchange having min(least(first, lower(covered))) is not null`;
    return new Map(rows.map(({ exchange, begins }) => [exchange, begins.getTime()]));
  });
}

/**
 * Drops all candles of a timeframe before a time, which must be the end of a chunk. Adjusts the coverage, the counts
 * and the gaps of its series in the same transaction. Drops nothing that a rollup does not hold yet, and nothing for a node
 * that does not lead any more: what it was told to keep may be less than what is to be kept now.
 */
export async function expireCandles(
  database: Database,
  timeframe: Timeframe,
  { untilMs, node }: { readonly untilMs: number; readonly node?: string | undefined },
): Promise<Expired> {
  return await database.runLong(`drop candles of ${candleTable(timeframe)}`, async (sql) => {
    // Unlike `titan10_leads` this does not hold the lease: while it waits for whoever reads the candles, which may take hours,
    // another node must be able to lead.
    const [row] = await sql<{ expired: ExpiredRow | null }[]>`
      with lead as materialized (
        select ${node ?? null}::uuid is null or exists (
          select from leases where exchange = '' and symbol = '' and holder = ${node ?? null}::uuid
        ) as leads
      )
      select case when leads then (
        select row_to_json(one)
        from titan10_expire(${timeframe.text}, to_timestamp(${untilMs}::float8 / 1000.0)) as one
      ) end as expired from lead`;
    // What is dropped neither waits to be final nor shows where the candles begin.
    await sql.unsafe(
      `with held as materialized (${
        heldRows("checkpoints", {
          from: `where timeframe = $1
                   and (unsettled && tstzrange(null, expired_until) or rows_from < expired_until)`,
        })
      })
       update checkpoints as known
       set unsettled = known.unsettled * tstzmultirange(tstzrange(known.expired_until, null)),
           rows_from = case when known.rows_from >= known.expired_until then known.rows_from end
       from held where ${isHeld("checkpoints")}`,
      [timeframe.text],
    );
    const { dropped = 0, lacking = null } = row?.expired ?? {};
    return { candles: Number(dropped), lacking: lacking ?? undefined };
  });
}

interface ExpiredRow {
  readonly dropped: number;
  readonly lacking: string | null;
}
