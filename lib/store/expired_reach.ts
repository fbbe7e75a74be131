/** What the ledger knows of a series whose dated future has expired, and that its exchange has nothing more of it. @module */
import { type Series, seriesName } from "../market/series.ts";
import type { Database } from "./connection/database.ts";

/** Open time of the newest stored candle of a series. Milliseconds; undefined when none is stored. */
export async function readLastMs(
  database: Database,
  series: Series,
): Promise<number | undefined> {
  return await database.run(`read the last candle of ${seriesName(series)}`, async (sql) => {
    const [row] = await sql<{ last: Date | null }[]>`
      select last from checkpoints
      where exchange = ${series.exchange} and symbol = ${series.symbol} and timeframe = ${series.timeframe.text}`;
    return row?.last?.getTime();
  });
}

/**
 * Records that an exchange gives nothing more of a series that has expired: what is not covered before its end is behind the
 * reach of the exchange. Resolves to whether the ledger has its end.
 */
export async function endReach(database: Database, series: Series): Promise<boolean> {
  return await database.run(`note that ${seriesName(series)} is gone`, async (sql) => {
    const { count } = await sql`
      update checkpoints
      set reach_from = ended_at, reach_asked_at = null, reach_asks = 0, last_error = null
      where exchange = ${series.exchange} and symbol = ${series.symbol} and timeframe = ${series.timeframe.text}
        and ended_why = 'expired'`;
    return count > 0;
  });
}
