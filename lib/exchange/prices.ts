/** Which prices of its contracts CCXT's class of an exchange really asks for: its unsent requests are compared. @module */
import { type Price, PRICES_NAMED } from "../market/price.ts";
import { factOf } from "./ancestry.ts";
import { type CcxtExchange, type CcxtMarket, kindOfMarket } from "./ccxt.ts";
import { askUnsent } from "./unsent.ts";

type NamedPrice = (typeof PRICES_NAMED)[number];

/** What CCXT calls a price in `params.price`, and the method by which a class says that it has it. */
const CCXT_NAMES: Readonly<Record<NamedPrice, readonly [name: string, method: string]>> = {
  mark: ["mark", "fetchMarkOHLCV"],
  index: ["index", "fetchIndexOHLCV"],
  premium: ["premiumIndex", "fetchPremiumIndexOHLCV"],
};

/**
 * Prices that a class of CCXT 4.5.84 asks for although it does not say so.
 *
 * - aster: `js/src/aster.js` `fetchOHLCV` asks `markPriceKlines` and `indexPriceKlines` by `params.price`; `has` does not name them.
 */
const UNNAMED: Readonly<Record<string, readonly NamedPrice[]>> = {
  aster: ["mark", "index"],
};

const SINCE_MS = Date.UTC(2024, 0, 1);

const ROWS = 20;

/** The parameters by which CCXT is asked for candles of a price. */
export function priceParams(price: Price): Readonly<Record<string, string>> {
  return price === "trade" ? {} : { price: CCXT_NAMES[price][0] };
}

/** The prices of one exchange, by kind of market. */
export class AskedPrices {
  readonly #open: () => Promise<CcxtExchange>;
  readonly #kinds = new Map<string, readonly Price[]>();

  constructor(open: () => Promise<CcxtExchange>) {
    this.#open = open;
  }

  /** Looks at one market of each kind that is not known yet. Sends nothing. */
  async learn({ timeframes }: CcxtExchange, markets: readonly CcxtMarket[]): Promise<void> {
    const [timeframe = "1m"] = Object.keys(timeframes ?? {});
    // One that is traded says most of its kind.
    const tradedFirst = markets.toSorted((a, b) =>
      Number(b.active !== false) - Number(a.active !== false)
    );
    for (const market of tradedFirst) {
      const kind = kindName(market);
      if (kind === undefined || this.#kinds.has(kind)) continue;
      this.#kinds.set(kind, await pricesAsked(await this.#open(), market, timeframe));
    }
  }

  /** The prices of a market besides that of its trades; none of a kind that is not known. */
  of(market: CcxtMarket): readonly Price[] {
    return this.#kinds.get(kindName(market) ?? "") ?? [];
  }
}

/** Undefined of spot markets and options, which have no prices of this sort. */
function kindName(market: CcxtMarket): string | undefined {
  const kind = kindOfMarket(market);
  if (kind === undefined || kind === "spot" || market.option === true) return undefined;
  return `${market.type} ${kind}`;
}

/**
 * The prices for which the class asks something else than for trades, and than for each other. What it passes on to the exchange
 * without knowing it does not count: the exchange would answer with trades.
 */
async function pricesAsked(
  ccxt: CcxtExchange,
  market: CcxtMarket,
  timeframe: string,
): Promise<readonly Price[]> {
  const asked = async (price: Price): Promise<string> => {
    const params = priceParams(price);
    const { requests } = await askUnsent(ccxt, market, {
      timeframe,
      sinceMs: SINCE_MS,
      rows: ROWS,
      params,
    });
    return requests.map((request) => withoutParam(request, params["price"])).join("\n");
  };
  const trade = await asked("trade");
  const all = new Map<Price, string>();
  for (const price of PRICES_NAMED) if (offers(ccxt, price)) all.set(price, await asked(price));
  return [...all].flatMap(([price, request]) => {
    const isOwn = [...all].every(([other, also]) => other === price || also !== request);
    return request !== "" && request !== trade && isOwn ? [price] : [];
  });
}

function offers({ id, has }: CcxtExchange, price: NamedPrice): boolean {
  return has[CCXT_NAMES[price][1]] === true || factOf(UNNAMED, id)?.includes(price) === true;
}

/** The parts of a request in order, without the parameter `price` if it has our own name of it. */
function withoutParam(request: string, name: string | undefined): string {
  return request.split(/[?&{},\s]+/)
    .filter((part) => part !== `price=${name}` && part !== `"price":"${name}"`).join(" ");
}
