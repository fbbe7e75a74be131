/** Stored candles that nobody can confirm any more: their market was replaced before they were final. @module */
import { parseTimeframe } from "../market/timeframe.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";

/**
 * Takes back the candles that were not final when another market took over the symbol. They may be half-formed for good,
 * and the exchange cannot be asked for them again. Their time lies before the new listing, which says why they are missing.
 *
 * @returns how many were taken back.
 */
export async function takeBackUnconfirmed(database: Database): Promise<number> {
  return await database.run("take back candles that cannot become final", async (sql) => {
    const all = await sql<{ exchange: string; symbol: string; timeframe: string }[]>`
      select exchange, symbol, timeframe from checkpoints
      where listed_from is not null and unsettled && tstzrange(null, listed_from)`;
    let candles = 0;
    for (const { exchange, symbol, timeframe } of all) {
      const [row] = await sql.unsafe<{ candles: string }[]>(
        statement(candleTable(parseTimeframe(timeframe))),
        [exchange, symbol, timeframe],
      );
      candles += Number(row?.candles ?? 0);
    }
    return candles;
  });
}

function statement(table: string): string {
  const isOurs = "exchange = $1::text and symbol = $2::text";
  const newest = (order: string): string =>
    `(select time from ${table} where ${isOurs} and not (known.unsettled @> time and time < known.listed_from)
      order by time ${order} limit 1)`;
  return `
with gone as (
  delete from ${table} as candle using checkpoints as known
  where candle.exchange = $1::text and candle.symbol = $2::text
    and known.exchange = $1::text and known.symbol = $2::text and known.timeframe = $3::text
    and known.unsettled @> candle.time and candle.time < known.listed_from
    and candle.time >= lower(known.unsettled)
  returning candle.time
)
update checkpoints as known
set candles = candles - (select count(*) from gone),
    unsettled = unsettled - tstzmultirange(tstzrange(null, listed_from)),
    first = ${newest("asc")},
    last = ${newest("desc")}
where ${isOurs} and timeframe = $3::text and listed_from is not null
returning (select count(*) from gone) as candles`;
}
