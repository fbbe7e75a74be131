/** A series: one exchange, one symbol, one timeframe. @module */
import type { Timeframe } from "./timeframe.ts";

/** The ledger has one row per series. A failure of one series does not affect others. */
export interface Series {
  /** CCXT id, `binance`. */
  readonly exchange: string;
  /** CCXT unified symbol, `BTC/USDT`. */
  readonly symbol: string;
  readonly timeframe: Timeframe;
}

/** The name of a series: `binance BTC/USDT 1m`. Unique, so it is also used as a key. */
export function seriesName({ exchange, symbol, timeframe }: Series): string {
  return `${exchange} ${symbol} ${timeframe.text}`;
}
