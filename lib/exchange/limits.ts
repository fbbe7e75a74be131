/** What CCXT does not know, or says wrongly, about how far and how much an exchange answers. @module */
import type { Series } from "../market/series.ts";

/** Known facts about an exchange's candles. What is not named is left to CCXT, and to the exchange's answers. */
interface CandleLimits {
  /** Rows a request gives at most, where `features` says nothing or too much. */
  readonly pageRowsMax?: number;
  /**
   * Only this many newest candles exist at the exchange, of every timeframe or of each one named; older ones
   * cannot be asked for.
   */
  readonly newestCandlesMax?: number | Readonly<Record<string, number>>;
  /** Whether the window that is asked for comes; false where CCXT's class sends no `since` at all. */
  readonly isSinceHonoured?: boolean;
  /** Whether a candle in which nothing was traded is left out; false where it comes flat, without volume. */
  readonly omitsSilent?: boolean;
  /** Timeframes that CCXT offers and the exchange does not have. */
  readonly timeframesFalse?: readonly string[];
  /** Timeframes whose candles do not open where UTC days, weeks or months begin: none of them is a candle here. */
  readonly timeframesElsewhere?: readonly string[];
}

/**
 * Corrections to CCXT 4.5.84, and what it has no word for. Page limits that its `features` say right are not
 * repeated here; a test holds that. Sources: the code of its classes (bithumb, coinex and gemini send no `since`,
 * mexc says "docs say 1000 for spot, but in practice it's 500"), the exchanges' documentation, and what they were
 * seen to do: kraken gives the newest 720 whatever is asked, the forming one included, gate speaks of 10,000 and
 * refuses a window that begins more than 9,998 lengths back.
 *
 * Gemini answers with all it keeps, which is a time and not a number of candles: a day of minutes, two weeks
 * of quarters of an hour, two months of hours, a year of days. CCXT asks Bitstamp for three days when it is
 * asked for a week; one in seven of those opens on a Monday and would pass for a week. HTX's days open at
 * 16:00 UTC, Kraken's weeks on Thursdays.
 */
export const KNOWN_LIMITS: Readonly<Record<string, CandleLimits>> = {
  binance: { isSinceHonoured: true },
  bingx: { isSinceHonoured: true },
  bitfinex: { isSinceHonoured: true, omitsSilent: true },
  bitget: { isSinceHonoured: true },
  bithumb: { newestCandlesMax: 200, isSinceHonoured: false },
  bitstamp: { isSinceHonoured: true, timeframesFalse: ["1w"] },
  bitvavo: { isSinceHonoured: true },
  bybit: { isSinceHonoured: true },
  coinbase: { isSinceHonoured: true },
  coinex: { newestCandlesMax: 1000, isSinceHonoured: false },
  cryptocom: { isSinceHonoured: true },
  gate: { newestCandlesMax: 9_998, isSinceHonoured: true },
  gateeu: { newestCandlesMax: 9_998, isSinceHonoured: true },
  gemini: {
    pageRowsMax: 2015,
    newestCandlesMax: {
      "1m": 1440,
      "5m": 2015,
      "15m": 1343,
      "30m": 1439,
      "1h": 1463,
      "6h": 367,
      "1d": 364,
    },
    isSinceHonoured: false,
  },
  hitbtc: { isSinceHonoured: true },
  htx: { isSinceHonoured: true, timeframesElsewhere: ["1d", "1w", "1M", "1y"] },
  hyperliquid: { newestCandlesMax: 5000 },
  kraken: { newestCandlesMax: 719, timeframesElsewhere: ["1w", "2w"] },
  kucoin: { isSinceHonoured: true, omitsSilent: true },
  mexc: { pageRowsMax: 500, isSinceHonoured: true },
  okx: { isSinceHonoured: true, omitsSilent: false },
  poloniex: { isSinceHonoured: true },
  upbit: { isSinceHonoured: true, omitsSilent: true },
  whitebit: { isSinceHonoured: true },
};

/** Rows a request asks for where neither CCXT nor the table knows a limit: every exchange gives as many. */
export const PAGE_ROWS_DEFAULT = 100;

/** Who says so: the table here, CCXT's `features`, nobody, or the exchange's own answers. */
export type CapabilitySource = "table" | "ccxt" | "default" | "answers";

/** What is known of an exchange before it has answered anything. */
export interface AssumedLimits extends CandleLimits {
  readonly pageRowsMax: number;
  readonly pageRowsSource: CapabilitySource;
}

/** The limits of one exchange; `announced` is what CCXT's `features.spot.fetchOHLCV.limit` says. */
export function candleLimits(exchange: string, announced: number | undefined): AssumedLimits {
  const known = limitsOf(exchange);
  if (known?.pageRowsMax !== undefined) {
    return { ...known, pageRowsMax: known.pageRowsMax, pageRowsSource: "table" };
  }
  return announced === undefined
    ? { ...known, pageRowsMax: PAGE_ROWS_DEFAULT, pageRowsSource: "default" }
    : { ...known, pageRowsMax: announced, pageRowsSource: "ccxt" };
}

/** How many of its newest candles an exchange has at all of a timeframe; undefined when there is no known bound. */
export function newestCandlesMax(
  { exchange, timeframe }: Pick<Series, "exchange" | "timeframe">,
): number | undefined {
  return newestOf(limitsOf(exchange), timeframe.text);
}

/** The same of limits at hand, for a timeframe as CCXT spells it. */
export function newestOf(limits: CandleLimits | undefined, timeframe: string): number | undefined {
  const newest = limits?.newestCandlesMax;
  return typeof newest === "object" ? newest[timeframe] : newest;
}

/** Whether a timeframe that CCXT offers for the exchange can be believed. */
export function isTimeframeTrue(exchange: string, timeframe: string): boolean {
  return limitsOf(exchange)?.timeframesFalse?.includes(timeframe) !== true;
}

/** Whether an exchange's candles of this timeframe open at other times than UTC says, so that none can be stored. */
export function opensElsewhere(exchange: string, timeframe: string): boolean {
  return limitsOf(exchange)?.timeframesElsewhere?.includes(timeframe) === true;
}

/** An exchange may have the name of something that every object inherits. */
function limitsOf(exchange: string): CandleLimits | undefined {
  return Object.hasOwn(KNOWN_LIMITS, exchange) ? KNOWN_LIMITS[exchange] : undefined;
}
