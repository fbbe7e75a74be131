/** The end of candles' time: dropped with all that the ledger says of them, once rollups hold what they said. @module */
import type { Timeframe } from "../market/timeframe.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { epochMs } from "./parameters.ts";

interface Expired {
  /** Candles dropped. */
  readonly candles: number;
  /** The rollup that lacks something of them, for which nothing was dropped; undefined when it was. */
  readonly lacking: string | undefined;
}

/** Where the candles or the coverage of a timeframe begin, in milliseconds; undefined where there are none. */
export async function readBeginMs(
  database: Database,
  timeframe: Timeframe,
): Promise<number | undefined> {
  return await database.run(`read where ${candleTable(timeframe)} begins`, async (sql) => {
    const [row] = await sql<{ begins: Date | null }[]>`
      select min(least(first, lower(covered))) as begins
      from checkpoints join timeframes using (timeframe) where timeframe = ${timeframe.text}`;
    return epochMs(row?.begins ?? null);
  });
}

/**
 * Drops all candles of a timeframe before a time that is the end of a chunk, and moves coverage, counts and gaps of
 * its series along, in one transaction. Nothing is dropped that a rollup does not hold.
 */
export async function expireCandles(
  database: Database,
  timeframe: Timeframe,
  untilMs: number,
): Promise<Expired> {
  return await database.runLong(`drop candles of ${candleTable(timeframe)}`, async (sql) => {
    const [row] = await sql<{ dropped: string; lacking: string | null }[]>`
      select dropped, lacking
      from titan10_expire(${timeframe.text}, to_timestamp(${untilMs}::float8 / 1000.0))`;
    return { candles: Number(row?.dropped ?? 0), lacking: row?.lacking ?? undefined };
  });
}
