/** Makes markets of futures that have expired: lists lack them, and an exchange may still give their candles. @module */
import { marketSymbol } from "../market/price.ts";
import type { NamedMarket } from "../market/terms.ts";
import { type CcxtExchange, type CcxtMarket, kindOfMarket } from "./ccxt.ts";

/** A market as it was listed. */
export interface ExpiredMarket extends NamedMarket {
  readonly symbol: string;
}

/** Base, quote and settle of a dated future. */
const DATED = /^(.+)\/([^/:]+):(.+)-\d{6}$/;

/**
 * CCXT's market of a future that has expired: as another contract of the same class that is settled alike, whose own names
 * for the coins are needed to ask, with the id that was archived. None if that is not known, or no contract is like it.
 */
export function expiredMarket(
  { markets = {} }: Pick<CcxtExchange, "markets">,
  { symbol, marketId: id, kind, contractSize }: ExpiredMarket,
): readonly CcxtMarket[] {
  const name = marketSymbol(symbol);
  const [, base, quote, settle] = DATED.exec(name) ?? [];
  if (id === undefined || base === undefined || quote === undefined) return [];
  const alike = Object.values(markets).filter((one) =>
    one.settle === settle && one.quote === quote && one.option !== true &&
    kindOfMarket(one) === (kind ?? "linear")
  );
  const [like] = alike.sort((a, b) =>
    Number(b.base === base) - Number(a.base === base) ||
    Number(b.future === true) - Number(a.future === true)
  );
  if (like === undefined) return [];
  return [{
    ...like,
    ...{ id, symbol: name, base, quote, settle, active: false },
    ...{ type: "future", future: true, swap: false },
    ...(contractSize === undefined ? {} : { contractSize }),
    ...{ expiry: undefined, expiryDatetime: undefined, info: {} },
  }];
}
