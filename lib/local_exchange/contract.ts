/** The contracts of the local exchange: perpetuals and dated futures, their other prices, and their funding. @module */
import { marketSymbol, pricedSymbol, priceOf } from "../market/price.ts";
import type { Window } from "../market/window.ts";
import { isListed, isTrading, type LocalSymbol, type OtherPrice } from "./local_symbol.ts";
import { mix, textSeed, unit } from "./noise.ts";

/** What a contract is made of, beside what its symbol says. */
interface ContractFacts
  extends Omit<LocalSymbol, "symbol" | "base" | "quote" | "contract" | "priced"> {
  /** Linear: base per contract. Inverse: quote per contract. */
  readonly size: number;
  /** @default 8 hours */
  readonly fundingMs?: number | undefined;
  /** @default 08:00 UTC of the day that the symbol names */
  readonly expiryMs?: number | undefined;
}

/** One payment of a perpetual, at the time at which it was settled. */
export interface LocalFunding {
  readonly timeMs: number;
  /** Eight decimals; negative when the sellers pay. */
  readonly rate: string;
}

const HOUR_MS = 3_600_000;
const FUNDING_MS = 8 * HOUR_MS;

/** The hour of a day at which futures expire on Binance, Bybit, OKX and Gate. */
const EXPIRY_HOUR_MS = 8 * HOUR_MS;

/** As CCXT writes it: base, quote, what settles it and, for a dated future, the day. */
const CONTRACT_SYMBOL = /^([^/]+)\/([^:]+):([^-]+?)(?:-(\d\d)(\d\d)(\d\d))?$/;

/** Binance's usual rate; other exchanges have the same. Half of the payments are it. */
const RATE_USUAL = 0.000_1;
const RATE_MAX = 0.000_75;

/**
 * Makes a contract of a unified symbol: `BTC/USDT:USDT`, `BTC/USD:BTC-241227`. It is inverse when its base settles it.
 * A dated future ends at its expiry.
 */
export function contract(
  symbol: string,
  { size, fundingMs, expiryMs: givenMs, ...facts }: ContractFacts,
): LocalSymbol {
  const [, base, quote, settle, year, month, day] = CONTRACT_SYMBOL.exec(symbol) ?? [];
  if (base === undefined || quote === undefined || settle === undefined) {
    throw new RangeError(
      `Cannot list ${JSON.stringify(symbol)}: expected a contract such as BTC/USDT:USDT`,
    );
  }
  const expiryMs = day === undefined ? undefined : givenMs ??
    Date.UTC(2_000 + Number(year), Number(month) - 1, Number(day)) + EXPIRY_HOUR_MS;
  const kind = settle === base ? "inverse" : "linear";
  const endMs = Math.min(expiryMs ?? Infinity, facts.delistedAtMs ?? Infinity);
  return {
    follows: `${base}/${quote}`,
    ...facts,
    ...{ symbol, base, quote, contract: { kind, settle, size, expiryMs, fundingMs } },
    ...(Number.isFinite(endMs) ? { delistedAtMs: endMs } : {}),
  };
}

/**
 * Another price of a contract, as a market of its own whose symbol ends with `@mark`, `@index` or `@premium`. The index
 * is that of base and quote, so all their contracts of one price have the same. Nothing is traded at these prices.
 */
export function pricedMarket(market: LocalSymbol, price: OtherPrice): LocalSymbol {
  const { symbol, base, quote, overrides: _ofTrades, ...facts } = market;
  const follows = price === "index" ? undefined : market.follows ?? `${base}/${quote}`;
  return {
    ...facts,
    ...{ symbol: pricedSymbol(symbol, price), base, quote, priced: price },
    ...{ follows, tickDecimals: 8 },
    ...(price === "index" ? { seed: `${base}/${quote}` } : {}),
    // The premium is how far the contract's own price is from the index.
    ...(price === "premium" ? { seed: market.seed ?? symbol } : {}),
  };
}

/** The market of that symbol. Another price of a listed contract is found even if it is not listed itself. */
export function findMarket(
  symbols: Iterable<LocalSymbol>,
  symbol: string,
): LocalSymbol | undefined {
  const price = priceOf(symbol);
  const of = marketSymbol(symbol);
  let contract: LocalSymbol | undefined;
  for (const one of symbols) {
    if (one.symbol === symbol) return one;
    if (one.symbol === of && one.contract !== undefined) contract ??= one;
  }
  return contract === undefined || price === "trade" ? undefined : pricedMarket(contract, price);
}

/** The payments of a perpetual in the window that were settled at `nowMs`, ascending. A dated future has none. */
export function fundingRates(
  symbol: LocalSymbol,
  window: Window,
  nowMs: number,
): LocalFunding[] {
  const { contract, listedAtMs = 0, delistedAtMs = Infinity } = symbol;
  if (contract === undefined || contract.expiryMs !== undefined) return [];
  if (!isListed(symbol, nowMs)) return [];
  const { fundingMs = FUNDING_MS, fundingBefore } = contract;
  const changedMs = fundingBefore?.untilMs ?? -Infinity;
  // Nobody had paid for anything at the moment of the listing.
  const sinceMs = Math.max(window.sinceMs, listedAtMs + 1);
  const untilMs = Math.min(window.untilMs, nowMs + 1, delistedAtMs);
  const seed = textSeed(`${symbol.symbol} funding`);
  return [
    ...payments(fundingBefore?.everyMs ?? fundingMs, {
      sinceMs,
      untilMs: Math.min(untilMs, changedMs),
    }),
    ...payments(fundingMs, { sinceMs: Math.max(sinceMs, changedMs), untilMs }),
  ].map(({ timeMs, index }) => ({
    timeMs,
    rate: rateText(mix(seed ^ Math.imul(index, 0x9e3779b1))),
  }));
}

function payments(
  everyMs: number,
  { sinceMs, untilMs }: Window,
): { readonly timeMs: number; readonly index: number }[] {
  const first = Math.ceil(sinceMs / everyMs);
  const count = Math.max(0, Math.ceil(untilMs / everyMs) - first);
  return Array.from({ length: count }, (_, at) => ({
    timeMs: (first + at) * everyMs,
    index: first + at,
  }));
}

/** When a perpetual is settled next. */
export function nextFundingMs({ contract }: LocalSymbol, nowMs: number): number {
  const everyMs = contract?.fundingMs ?? FUNDING_MS;
  return (Math.floor(nowMs / everyMs) + 1) * everyMs;
}

/**
 * The volume in contracts, always a whole number of them. A volume that is left out stays so, and one that a test has
 * spoiled is counted as it is.
 */
export function contractsText<Text extends string | null | undefined>(
  { contract }: LocalSymbol,
  { volume, quoteVolume }: { readonly volume: Text; readonly quoteVolume: string },
): Text {
  if (contract === undefined || typeof volume !== "string") return volume;
  const traded = contract.kind === "linear" ? volume : quoteVolume;
  return String(Math.round(Number(traded) / contract.size)) as Text;
}

/** Whether it is one of the contracts that trade at `nowMs`, and not one of their other prices. */
export function isTradingContract(symbol: LocalSymbol, nowMs: number): boolean {
  return symbol.contract !== undefined && symbol.priced === undefined && isTrading(symbol, nowMs);
}

function rateText(dice: number): string {
  if (unit(mix(dice ^ 1)) < 0.5) return RATE_USUAL.toFixed(8);
  return ((2 * unit(dice) - 1) * RATE_MAX).toFixed(8);
}

/** The contracts that a server lists when a test asks for them, beside or instead of the spot markets. */
export const LOCAL_CONTRACTS: readonly LocalSymbol[] = [
  contract("BTC/USDT:USDT", {
    ...{ tickDecimals: 1, price: 62_000, quoteVolume24h: 15_000_000_000, size: 0.001 },
    listedAtMs: Date.UTC(2019, 8, 8, 17, 57),
  }),
  contract("ETH/USDT:USDT", {
    ...{ tickDecimals: 2, price: 2_900, quoteVolume24h: 9_000_000_000, size: 0.001 },
    listedAtMs: Date.UTC(2019, 10, 27, 7, 45),
  }),
  contract("BTC/USDT:USDT-241227", {
    ...{ tickDecimals: 1, price: 62_000, quoteVolume24h: 60_000_000, size: 0.001 },
    listedAtMs: Date.UTC(2023, 11, 29, 8),
  }),
  contract("BTC/USD:BTC", {
    ...{ tickDecimals: 1, price: 62_000, quoteVolume24h: 700_000_000, size: 100 },
    listedAtMs: Date.UTC(2020, 7, 11, 7),
  }),
  contract("ETH/USD:ETH", {
    ...{ tickDecimals: 2, price: 2_900, quoteVolume24h: 400_000_000, size: 10 },
    listedAtMs: Date.UTC(2020, 7, 11, 7, 30),
  }),
  contract("BTC/USD:BTC-241227", {
    ...{ tickDecimals: 1, price: 62_000, quoteVolume24h: 20_000_000, size: 100 },
    listedAtMs: Date.UTC(2023, 11, 29, 8),
  }),
];
