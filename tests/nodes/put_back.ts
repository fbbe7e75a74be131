/** Whether what is true has given way to what is older: a value, even if it came back later, or the absence of a row. @module */
import { addCandles, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { isGivenYoungOnly, type NodesScene } from "./scene.ts";

interface Replaced {
  readonly symbol: string;
  readonly timeframe: string;
  readonly time_ms: number;
  readonly close: string;
  readonly volume: string;
}

/** Sentences about what is older than what nodes were told in the end, whether it was put back for a while or is there. */
export async function judgePutBack(
  database: Database,
  scene: NodesScene,
): Promise<readonly string[]> {
  return [...await replacedTruth(database, scene), ...await rowsTakenBack(database, scene)];
}

/** What revisions have replaced although the exchange says it to the end: candles differ only while they are young. */
async function replacedTruth(
  { sql }: Database,
  { exchange, symbols, startMs }: NodesScene,
): Promise<readonly string[]> {
  const rows = await sql<Replaced[]>`
    select symbol, timeframe, (extract(epoch from time) * 1000)::float8 as time_ms, close::text, volume::text
    from candle_revisions where exchange = 'binance' order by time, symbol`;
  return rows.flatMap(({ symbol, timeframe: text, time_ms: sinceMs, close, volume }) => {
    // That is how it is taken back.
    if (isGivenYoungOnly({ symbols, startMs }, { symbol, timeframe: text, openTimeMs: sinceMs })) {
      return [];
    }
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

/**
 * Rows that are there although an answer that was final told of no such row. Where none has, the time is not covered, and the
 * row goes with the next answer.
 */
async function rowsTakenBack({ sql }: Database, scene: NodesScene): Promise<readonly string[]> {
  const rows = await sql<{ symbol: string; time_ms: number }[]>`
    select candle.symbol, (extract(epoch from candle.time) * 1000)::float8 as time_ms
    from ohlcv_1s as candle
    join checkpoints as known on known.exchange = candle.exchange and known.symbol = candle.symbol
      and known.timeframe = '1s' and known.covered @> candle.time
    where candle.exchange = 'binance' and candle.time >= ${new Date(scene.startMs)}
    order by candle.time, candle.symbol`;
  return rows.filter(({ symbol, time_ms: openTimeMs }) =>
    isGivenYoungOnly(scene, { symbol, timeframe: "1s", openTimeMs })
  ).map(({ symbol, time_ms: openTimeMs }) =>
    `${symbol} 1s ${new Date(openTimeMs).toISOString()}: a row was put back that was taken back`
  );
}
