/** What a candle belongs to: one exchange, one symbol, one timeframe. @module */
import type { Timeframe } from "./timeframe.ts";

/** The unit of coverage, of isolation and of the ledger. */
export interface Series {
  /** CCXT id, `binance`. */
  readonly exchange: string;
  /** CCXT unified symbol, `BTC/USDT`. */
  readonly symbol: string;
  readonly timeframe: Timeframe;
}

/** A series as people and logs read it: `binance BTC/USDT 1m`. Unique, so it also serves as a key. */
export function seriesName({ exchange, symbol, timeframe }: Series): string {
  return `${exchange} ${symbol} ${timeframe.text}`;
}
