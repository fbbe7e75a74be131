/** Whether a true value has given way to an older one, even if it came back later. @module */
import { addCandles, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import type { LocalExchange } from "../support/local_exchange/faulty_exchange.ts";

interface Replaced {
  readonly symbol: string;
  readonly timeframe: string;
  readonly time_ms: number;
  readonly close: string;
  readonly volume: string;
}

/**
 * Sentences about what revisions have replaced although the exchange says it to the end: each candle differs only the
 * first time that it is given.
 */
export async function judgePutBack(
  { sql }: Database,
  exchange: LocalExchange,
): Promise<readonly string[]> {
  const rows = await sql<Replaced[]>`
    select symbol, timeframe, (extract(epoch from time) * 1000)::float8 as time_ms, close::text, volume::text
    from candle_revisions where exchange = 'binance' order by time, symbol`;
  return rows.flatMap(({ symbol, timeframe: text, time_ms: sinceMs, close, volume }) => {
    const timeframe = parseTimeframe(text);
    const window = { sinceMs, untilMs: addCandles(timeframe, sinceMs, 1) };
    const [truth] = exchange.truth(symbol, timeframe, window);
    if (truth === undefined) return [`${symbol} ${text}: a candle that does not exist was revised`];
    const isTrue = Number(truth.close) === Number(close) && Number(truth.volume) === Number(volume);
    return isTrue
      ? [`${symbol} ${text} ${new Date(sinceMs).toISOString()}: an older value was put back`]
      : [];
  });
}
