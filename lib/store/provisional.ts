/** Reads of which series the newest candle is provisional: a stream told of it, and no answer of the exchange yet. @module */
import { seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import type { Database } from "./connection/database.ts";

/** The names of the series. */
export async function readProvisional(database: Database): Promise<ReadonlySet<string>> {
  return await database.run("read which newest candles are provisional", async (sql) => {
    const rows = await sql<{ exchange: string; symbol: string; timeframe: string }[]>`
      select exchange, symbol, timeframe from checkpoints where (streamed * unsettled) @> last`;
    return new Set(
      rows.map(({ timeframe, ...series }) =>
        seriesName({ ...series, timeframe: parseTimeframe(timeframe) })
      ),
    );
  });
}
