/** Perpetuals that CCXT's classes take for dated futures. @module */
import { factOf } from "./ancestry.ts";
import type { CcxtMarket } from "./ccxt.ts";

/**
 * What the exchange calls a perpetual, in `info.type`, where CCXT 4.5.84 looks at something else.
 *
 * - kucoin: CCXT takes a contract without a next time of funding for a dated future. A perpetual that will be delisted has
 *   none either: it would get the symbol of a future of that day (ccxt#26849). KuCoin's documents of "Get All Symbols" have
 *   `FFWCSX` for perpetuals and `FFICSX` for futures.
 */
const PERPETUAL_TYPES: Readonly<Record<string, string>> = { kucoin: "FFWCSX" };

/** The market, as the perpetual that it is until its last day. */
export function truePerpetual(exchange: string, market: CcxtMarket): CcxtMarket {
  const type = factOf(PERPETUAL_TYPES, exchange);
  const { base, quote, settle, future, info } = market;
  if (type === undefined || future !== true || info?.type !== type || settle === undefined) {
    return market;
  }
  return {
    ...market,
    ...{ symbol: `${base}/${quote}:${settle}`, type: "swap", swap: true, future: false },
    ...{ expiry: undefined, expiryDatetime: undefined },
  };
}
