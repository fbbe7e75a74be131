/** Whether CCXT's class of an exchange sends `since` at all: the requests that it would send are compared. @module */
import type { Price } from "../market/price.ts";
import { type CcxtExchange, type CcxtMarket, kindOfMarket } from "./ccxt.ts";
import { priceParams } from "./prices.ts";
import { areTold, askUnsent, type CandleAsk } from "./unsent.ts";

/** So far apart that no class rounds them to the same. */
const SINCES_MS = [Date.UTC(2024, 0, 1), Date.UTC(2024, 1, 1)] as const;

const ROWS = 20;

/** What one class sends, by kind of market and price: some send `since` for spot markets and not for contracts, or otherwise. */
export class SinceSent {
  readonly #open: () => Promise<CcxtExchange>;
  readonly #kinds = new Map<string, Promise<boolean>>();

  constructor(open: () => Promise<CcxtExchange>) {
    this.#open = open;
  }

  /** Whether requests for candles of markets like this one carry `since`. */
  async of(
    market: CcxtMarket | undefined,
    timeframe: string,
    price: Price = "trade",
  ): Promise<boolean> {
    if (market === undefined) return true;
    const kind = `${kindOfMarket(market)} ${price}`;
    const params = priceParams(price);
    const known = this.#kinds.get(kind) ??
      this.#open().then((ccxt) => isSinceSent(ccxt, market, { timeframe, params }));
    this.#kinds.set(kind, known);
    return await known;
  }
}

async function isSinceSent(
  ccxt: CcxtExchange,
  market: CcxtMarket,
  ask: Pick<CandleAsk, "timeframe" | "params">,
): Promise<boolean> {
  const [january, february] = SINCES_MS;
  const one = await askUnsent(ccxt, market, { ...ask, sinceMs: january, rows: ROWS });
  const other = await askUnsent(ccxt, market, { ...ask, sinceMs: february, rows: ROWS });
  return areTold(one, other);
}
