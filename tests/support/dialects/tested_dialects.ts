/** The dialects of all tested exchanges. @module */
import { binance } from "../local_exchange/binance.ts";
import type { Dialect } from "../local_exchange/dialect.ts";
import { bingx } from "./bingx.ts";
import { bitfinex } from "./bitfinex.ts";
import { bitget } from "./bitget.ts";
import { bitstamp } from "./bitstamp.ts";
import { bitvavo } from "./bitvavo.ts";
import { bybit } from "./bybit.ts";
import { coinbase } from "./coinbase.ts";
import { cryptocom } from "./cryptocom.ts";
import { gate } from "./gate.ts";
import { gemini } from "./gemini.ts";
import { hitbtc } from "./hitbtc.ts";
import { htx } from "./htx.ts";
import { kraken } from "./kraken.ts";
import { kucoin } from "./kucoin.ts";
import { mexc } from "./mexc.ts";
import { okx } from "./okx.ts";
import { poloniex } from "./poloniex.ts";
import { upbit } from "./upbit.ts";
import { whitebit } from "./whitebit.ts";

/** One of each exchange that `tested_exchanges.ts` names, in its order. */
export const TESTED_DIALECTS: readonly Dialect[] = [
  binance,
  coinbase,
  kraken,
  okx,
  bybit,
  kucoin,
  gate,
  bitget,
  mexc,
  htx,
  cryptocom,
  bitfinex,
  bitstamp,
  gemini,
  whitebit,
  bingx,
  upbit,
  poloniex,
  hitbtc,
  bitvavo,
];
