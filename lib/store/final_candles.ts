/** The newest stored candles of a series that its exchange has confirmed. @module */
import type { Candle } from "../market/candle.ts";
import type { Series } from "../market/series.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";

/**
 * At most `candlesMax` candles with trades, or with a change of a price that nobody trades, the oldest first, of the newest
 * listing and close together: none is older than `candlesMax` candles before the newest. A market that was silent most of
 * that time gives fewer.
 */
export async function readFinalCandles(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  candlesMax: number,
): Promise<readonly Candle[]> {
  return await database.run(`read final candles of ${exchange} ${symbol}`, async (sql) => {
    return await sql.unsafe<Candle[]>(
      `with known as (
         select upper(covered) as until, covered, listed_from from checkpoints
         where exchange = $1::text and symbol = $2::text and timeframe = $3::text
       )
       select (extract(epoch from time) * 1000)::float8 as "openTimeMs", open::text, high::text, low::text, close::text,
              volume::text
       from ${
        candleTable(timeframe)
      } join known on covered @> time and time >= coalesce(listed_from, '-infinity')
       where exchange = $1::text and symbol = $2::text and coalesce(volume > 0, high > low)
         and time < until and time >= until - $4::int * titan10_step($3::text)
       order by time`,
      [exchange, symbol, timeframe.text, candlesMax],
    );
  });
}
