/** Limits of each exchange's candle requests, by class of market: what the tables know, and what CCXT announces. @module */
import { type MarketClass, marketClassOf, partsOf } from "../market/market_class.ts";
import type { Series } from "../market/series.ts";
import { closedUntil, countCandles, nominalMs, parseTimeframe } from "../market/timeframe.ts";
import { type Window, windowCandles } from "../market/window.ts";
import { factOf } from "./ancestry.ts";
import type { CcxtFeatures } from "./ccxt.ts";
import { CONTRACT_LIMITS } from "./contract_limits.ts";
import { type CandleLimits, SPOT_LIMITS } from "./spot_limits.ts";

/** Rows to ask for if neither CCXT nor the table has a limit. Every exchange sends this many. */
export const PAGE_ROWS_DEFAULT = 100;

/** Where a value comes from: our tables, CCXT's `features`, a default, or the exchange's answers. */
export type CapabilitySource = "table" | "ccxt" | "default" | "answers";

/** The limits of an exchange before its first answer. */
export interface AssumedLimits extends CandleLimits {
  readonly pageRowsMax: number;
  readonly pageRowsSource: CapabilitySource;
}

/** The limits of one class of an exchange's markets. `announced` is what {@linkcode announcedRows} says. */
export function candleLimits(
  exchange: string,
  marketClass: MarketClass,
  announced: number | undefined,
): AssumedLimits {
  const known = limitsOf(exchange, marketClass);
  if (known?.pageRowsMax !== undefined) {
    return { ...known, pageRowsMax: known.pageRowsMax, pageRowsSource: "table" };
  }
  return announced === undefined
    ? { ...known, pageRowsMax: PAGE_ROWS_DEFAULT, pageRowsSource: "default" }
    : { ...known, pageRowsMax: announced, pageRowsSource: "ccxt" };
}

/**
 * Most rows of one answer, as CCXT's `features` say: of contracts the least of perpetuals and dated futures. They say nothing
 * of other prices than trades, whose requests go elsewhere.
 */
export function announcedRows(
  features: CcxtFeatures | undefined,
  marketClass: MarketClass,
): number | undefined {
  const { kind, price } = partsOf(marketClass);
  if (price !== "trade") return undefined;
  if (kind === "spot") return features?.spot?.fetchOHLCV?.limit;
  const [perpetual, dated] = [features?.swap, features?.future]
    .map((feature) => feature?.[kind]?.fetchOHLCV?.limit);
  return perpetual === undefined || dated === undefined
    ? perpetual ?? dated
    : Math.min(perpetual, dated);
}

/** Most rows of a page of this timeframe, `1d`: a request may span only so many days. */
export function pageRowsOf(
  { pageRowsMax, spanDaysMax }: AssumedLimits,
  timeframe: string,
): number {
  if (spanDaysMax === undefined) return pageRowsMax;
  // A month is 31 days long at most, and a request for less than one candle makes no sense.
  const stepMs = Math.max(
    nominalMs(parseTimeframe(timeframe)),
    timeframe === "1M" ? 31 * DAY_MS : 0,
  );
  return Math.min(pageRowsMax, Math.max(1, Math.floor(spanDaysMax * DAY_MS / stepMs)));
}

const DAY_MS = 24 * 60 * 60_000;

/** How many newest candles the exchange has; undefined when no limit is known. */
export function newestCandlesMax(
  { exchange, symbol, timeframe }: Series,
): number | undefined {
  return newestOf(limitsOf(exchange, marketClassOf(symbol)), timeframe.text);
}

/** {@linkcode newestCandlesMax} from given limits. `timeframe` is CCXT's text, `1m`. */
export function newestOf(limits: CandleLimits | undefined, timeframe: string): number | undefined {
  const newest = limits?.newestCandlesMax;
  return typeof newest === "object" ? newest[timeframe] : newest;
}

/**
 * How many rows to request: one per candle of the window. A request that tells neither start nor end gives the newest
 * rows: there it is enough rows to reach from now back to the start of the window, including the forming candle.
 * Undefined where the exchange must not be told a number.
 */
export function rowsAsked(
  { exchange, symbol, timeframe }: Series,
  { window, isBounded, nowMs, rowsMax }: {
    readonly window: Window;
    readonly isBounded: boolean;
    readonly nowMs: number;
    readonly rowsMax: number;
  },
): number | undefined {
  const limits = limitsOf(exchange, marketClassOf(symbol));
  if (limits?.isCountUnsent === true) return undefined;
  const toNow = countCandles(timeframe, window.sinceMs, closedUntil(timeframe, nowMs)) + 1;
  const rows = isBounded ? windowCandles(timeframe, window) : Math.min(toNow, rowsMax);
  return limits?.rowsAllowed?.find((allowed) => allowed >= rows) ?? rows;
}

/** Whether the exchange really has a timeframe that CCXT offers for it, for this class of its markets. */
export function isTimeframeTrue(
  exchange: string,
  marketClass: MarketClass,
  timeframe: string,
): boolean {
  return limitsOf(exchange, marketClass)?.timeframesUnsupported?.includes(timeframe) !== true;
}

/** Whether the exchange's candles of this timeframe do not open at UTC days, weeks or months, so none can be stored. */
export function opensElsewhere(
  exchange: string,
  marketClass: MarketClass,
  timeframe: string,
): boolean {
  return limitsOf(exchange, marketClass)?.timeframesMisaligned?.includes(timeframe) === true;
}

/** What is known of contracts in general, of one kind, of one price and of one class; the latter count more. */
function limitsOf(exchange: string, marketClass: MarketClass): CandleLimits | undefined {
  if (marketClass === "spot") return factOf(SPOT_LIMITS, exchange);
  const known = factOf(CONTRACT_LIMITS, exchange);
  const { kind, price } = partsOf(marketClass);
  if (kind === "spot" || known === undefined) return undefined;
  return { ...known.all, ...known[kind], ...(price === "trade" ? {} : known[price]) };
}
