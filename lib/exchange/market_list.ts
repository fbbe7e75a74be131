/** The markets that an exchange lists, from one answer. @module */
import { marketSymbol, type Price, pricedSymbol, priceOf, PRICES_NAMED } from "../market/price.ts";
import type { MarketTerms } from "../market/terms.ts";
import { holdsSecret } from "../text/redact.ts";
import { isDated, isSymbol } from "../market/symbol.ts";
import { ANSWER_BOUNDS } from "./answer_budget.ts";
import type { Call } from "./call.ts";
import { type CcxtExchange, type CcxtMarket, kindOfMarket } from "./ccxt.ts";
import { FetchError } from "./fetch_error.ts";
import { volumeUnit } from "./volume_units.ts";

/**
 * The markets by symbol. A list never changes: loading again creates a new one. Requests for candles name the list they
 * use, so that loading by one caller does not affect the others.
 */
export type MarketList = ReadonlyMap<string, MarketFacts>;

/** The facts about a market that the archive uses. */
export interface MarketFacts extends MarketTerms {
  /** The exchange's own id of the market, which stays the same when CCXT's symbol changes. */
  readonly id: string | undefined;
  /** Whether the market is traded now. */
  readonly isActive: boolean;
  /** When the dated future expires; undefined of other markets, whatever their class says. Milliseconds. */
  readonly expiryMs?: number;
  /** What the exchange's stream calls the market, if not by its id. */
  readonly streamName?: string;
  /** Other markets to which CCXT gives the same symbol; undefined if there are none. */
  readonly namesakes?: readonly MarketFacts[];
}

/**
 * Makes a list from the markets that CCXT has loaded. Where several have one symbol, CCXT keeps the last; here a market
 * that is traded comes first, and the others are its namesakes. A market is listed once more for each of its other prices: a
 * series of them is of the same market.
 *
 * @param prices those of a market besides that of its trades. @default none
 */
export function marketList(
  exchange: string,
  { markets, markets_by_id: byId }: Pick<CcxtExchange, "markets" | "markets_by_id">,
  prices: (market: CcxtMarket) => readonly Price[] = () => [],
): MarketList {
  const list = new Map(
    Object.entries(markets ?? {}).map(([symbol, market]) => [symbol, factsOf(exchange, market)]),
  );
  for (const market of Object.values(byId ?? {}).flat()) {
    const kept = list.get(market.symbol);
    if (kept === undefined || candidates(kept).some(({ id }) => id === market.id)) continue;
    const all = [...candidates(kept), factsOf(exchange, market)];
    const [first = kept, ...namesakes] = all.sort((a, b) =>
      Number(b.isActive) - Number(a.isActive)
    );
    list.set(market.symbol, { ...first, namesakes });
  }
  for (const market of Object.values(markets ?? {})) {
    const facts = list.get(market.symbol);
    if (facts === undefined) continue;
    for (const price of prices(market)) {
      // Nothing is traded at it.
      list.set(pricedSymbol(market.symbol, price), { ...facts, volumeUnit: undefined });
    }
  }
  return list;
}

/**
 * The markets of an answer that have a symbol, a base and a quote, and no secret for a name. CCXT turns a truncated body into an empty list, and an
 * entry of another shape into a market without names. {@linkcode Call.oddEntries} says how many were left out.
 *
 * @throws FetchError `transient`
 */
export function usableMarkets(
  action: string,
  markets: readonly CcxtMarket[],
  call: Call,
): readonly CcxtMarket[] {
  if (call.unreadable > 0) {
    throw new FetchError(
      "transient",
      `Cannot ${action}: an answer (HTTP ${call.status ?? "none"}) is not complete JSON`,
    );
  }
  const usable = withoutSecrets(markets.filter(isUsable));
  if (usable.length === 0) {
    throw new FetchError("transient", `Cannot ${action}: the answer has no markets`);
  }
  const { entriesMax } = ANSWER_BOUNDS.lists;
  if (usable.length > entriesMax) {
    throw new FetchError(
      "transient",
      `Cannot ${action}: the answer has more than ${entriesMax} markets`,
    );
  }
  call.oddEntries += markets.length - usable.length;
  return usable;
}

/**
 * Names stand in tables, metrics and on pages. An exchange that repeats what it was sent for the name of a market must not
 * have it told there.
 */
function withoutSecrets(markets: readonly CcxtMarket[]): readonly CcxtMarket[] {
  const namesOf = ({ symbol, id, settle }: CcxtMarket): string => `${symbol} ${id} ${settle}`;
  // Looked at as one text first: there may be thousands.
  if (!holdsSecret(markets.map(namesOf).join("\n"))) return markets;
  return markets.filter((market) => !holdsSecret(namesOf(market)));
}

function isUsable(market: Partial<CcxtMarket> | null | undefined): boolean {
  return typeof market?.symbol === "string" && isSymbol(market.symbol) &&
    priceOf(market.symbol) === "trade" && isName(market.base) &&
    isName(market.quote) && (market.id === undefined || isName(market.id));
}

/** Whether CCXT can use a text as the name of a member of an object. */
function isName(text: unknown): boolean {
  return typeof text === "string" && text !== "" && !(text in Object.prototype);
}

/** The markets of one symbol, each without its namesakes. */
export function candidates(facts: MarketFacts): readonly MarketFacts[] {
  const { namesakes = [], ...first } = facts;
  return [first, ...namesakes];
}

/** CCXT's market with a symbol and an id; whatever its id is if that is undefined. */
export function marketOf(
  ccxt: Pick<CcxtExchange, "markets" | "markets_by_id">,
  symbol: string,
  id: string | undefined,
): CcxtMarket | undefined {
  const market = ccxt.markets?.[symbol];
  if (id === undefined || market?.id === id) return market;
  return ccxt.markets_by_id?.[id]?.find((other) => other.symbol === symbol);
}

/** That a symbol is not listed, or that its market does not have the price, and which ones it has. */
export function lackText(exchange: string, symbol: string, list: MarketList): string {
  const market = marketSymbol(symbol);
  if (market === symbol || !list.has(market)) return `${exchange} does not list ${symbol}`;
  const prices = PRICES_NAMED.filter((price) => list.has(pricedSymbol(market, price)));
  const others = prices.length === 0 ? "only of trades" : `also ${prices.join(" and ")}`;
  return `${exchange} has no ${priceOf(symbol)} candles of ${market}, ${others}`;
}

function factsOf(
  exchange: string,
  { id, active, info, ...market }: CcxtMarket,
): MarketFacts {
  const streamName = krakenName(info?.wsname);
  const expiryMs = expiryOf(market);
  return {
    ...{ id, isActive: active !== false, ...termsOf(exchange, market) },
    ...(expiryMs === undefined ? {} : { expiryMs }),
    ...(streamName === undefined ? {} : { streamName }),
  };
}

/**
 * Classes also give an expiry to perpetuals: in a hundred years, or when these will be delisted. Only a dated future ends
 * by what its name says.
 */
function expiryOf(
  { symbol, future, expiry }: Pick<CcxtMarket, "symbol" | "future" | "expiry">,
): number | undefined {
  if (future !== true || !isDated(symbol)) return undefined;
  const expiryMs = Number(expiry);
  return Number.isSafeInteger(expiryMs) && expiryMs > 0 ? expiryMs : undefined;
}

/** Kraken's own codes that version 2 of its stream has replaced by the usual ones. */
const USUAL_CODES: Readonly<Record<string, string>> = { XBT: "BTC", XDG: "DOGE" };

/** `XBT/USD`, as only Kraken's list of markets says → `BTC/USD`. */
function krakenName(wsname: unknown): string | undefined {
  if (typeof wsname !== "string" || !/^[^/]+\/[^/]+$/.test(wsname)) return undefined;
  return wsname.split("/").map((code) => USUAL_CODES[code] ?? code).join("/");
}

function termsOf(
  exchange: string,
  market: Omit<CcxtMarket, "id" | "active" | "info">,
): MarketTerms {
  const kind = kindOfMarket(market);
  const isSpot = kind === "spot";
  const size = Number(market.contractSize);
  return {
    kind,
    settle: isSpot ? undefined : market.settle,
    contractSize: !isSpot && size > 0 ? size : undefined,
    volumeUnit: volumeUnit(exchange, kind),
  };
}
