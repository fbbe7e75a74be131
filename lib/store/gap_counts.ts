/** How many candles are missing in the gaps of each series. @module */
import type { GapReasons } from "../market/gap_reasons.ts";
import { seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import type { Database } from "./connection/database.ts";

/** How many candles are missing inside coverage, from where a series begins, for a known reason, by series and reason. */
export async function readExplained(
  database: Database,
): Promise<ReadonlyMap<string, GapReasons>> {
  return await database.run("read what is explained", async (sql) => {
    const rows = await sql<
      { exchange: string; symbol: string; timeframe: string; reasons: GapReasons }[]
    >`
      select exchange, symbol, timeframe, json_object_agg(state, missing) as reasons
      from (select exchange, symbol, timeframe, state, sum(missing)::int as missing
            from gaps join checkpoints using (exchange, symbol, timeframe)
            where state not in ('suspected', 'refetching', 'filled') and since >= least(first, rows_from, expired_until)
            group by exchange, symbol, timeframe, state) as explained
      group by exchange, symbol, timeframe`;
    return new Map(rows.map(({ exchange, symbol, timeframe, reasons }) => [
      seriesName({ exchange, symbol, timeframe: parseTimeframe(timeframe) }),
      reasons,
    ]));
  });
}
