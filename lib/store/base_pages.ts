/** Reads stored candles with their volume in the base currency, in bounded pages. @module */
import type { Series } from "../market/series.ts";
import { type Window, windowCandles } from "../market/window.ts";
import { PAGE_ROWS_MAX } from "./candle_pages.ts";
import type { Database } from "./connection/database.ts";

/** Open time in milliseconds, open, high, low, close, and the volume in the base currency, null where it is not known. */
type BaseRow = readonly [number, string, string, string, string, string | null];

/**
 * All candles of a series in a window of at most {@linkcode PAGE_ROWS_MAX} candles. Timeframe and times are literals in the
 * statement, so that PostgreSQL reads one table of the view, and plans for the one or two chunks that hold them.
 */
export async function readBasePage(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  { isFinalOnly, ...window }: Window & { readonly isFinalOnly: boolean },
): Promise<readonly BaseRow[]> {
  if (windowCandles(timeframe, window) > PAGE_ROWS_MAX) {
    throw new RangeError(`Cannot read more than ${PAGE_ROWS_MAX} candles at once`);
  }
  const [since, until] = [window.sinceMs, window.untilMs].map((timeMs) =>
    `'${new Date(timeMs).toISOString()}'::timestamptz`
  );
  return await database.run(
    `read candles of ${exchange} ${symbol} ${timeframe.text}`,
    async (sql) => {
      return await sql.unsafe(
        `select (extract(epoch from time) * 1000)::float8, open, high, low, close, volume_base
         from ohlcv
         where timeframe = '${timeframe.text}' and exchange = $1 and symbol = $2
           and time >= ${since} and time < ${until}
           ${isFinalOnly ? `and not ${UNSETTLED}` : ""}
         order by time`,
        [exchange, symbol],
      ).values() as unknown as readonly BaseRow[];
    },
  );
}

/** Whether no answer has covered the candle yet: it closed only just, or came over a stream. */
const UNSETTLED = `coalesce((
  select unsettled from checkpoints as series
  where series.exchange = ohlcv.exchange and series.symbol = ohlcv.symbol and series.timeframe = ohlcv.timeframe
) @> time, false)`;
