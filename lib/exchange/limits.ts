/** What CCXT does not know, or says wrongly, about how far and how much an exchange answers. @module */
import type { Series } from "../market/series.ts";

/** Known facts about an exchange's candles. */
export interface CandleLimits {
  /** Rows a request gives at most, where `features` says nothing or too much. */
  readonly pageRowsMax?: number;
  /**
   * Only this many newest candles exist at the exchange, of every timeframe or of each one named; older ones
   * cannot be asked for.
   */
  readonly newestCandlesMax?: number | Readonly<Record<string, number>>;
  /** Timeframes that CCXT offers and the exchange does not have. */
  readonly timeframesFalse?: readonly string[];
  /** Timeframes whose candles do not open where UTC days, weeks or months begin: none of them is a candle here. */
  readonly timeframesElsewhere?: readonly string[];
}

/**
 * Corrections to CCXT's `features.spot.fetchOHLCV.limit`, each observed at the exchange:
 * bitget moves the start with more than 200, mexc gives 500 where 1000 are announced, gemini, coinex and
 * bithumb take no `since` at all, kraken gives the newest 720 whatever is asked, the forming one included, gate
 * speaks of 10,000 and refuses a window that begins more than 9,998 lengths back.
 *
 * Gemini answers with all it keeps, which is a time and not a number of candles: a day of minutes, two weeks
 * of quarters of an hour, two months of hours, a year of days. CCXT asks Bitstamp for three days when it is
 * asked for a week; one in seven of those opens on a Monday and would pass for a week. HTX's days open at
 * 16:00 UTC, Kraken's weeks on Thursdays.
 */
const KNOWN_LIMITS: Readonly<Record<string, CandleLimits>> = {
  bithumb: { pageRowsMax: 1000, newestCandlesMax: 1000 },
  bitget: { pageRowsMax: 200 },
  bitstamp: { timeframesFalse: ["1w"] },
  coinex: { pageRowsMax: 1000, newestCandlesMax: 1000 },
  gate: { pageRowsMax: 1000, newestCandlesMax: 9_998 },
  gateeu: { pageRowsMax: 1000, newestCandlesMax: 9_998 },
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
  },
  htx: { timeframesElsewhere: ["1d", "1w", "1M", "1y"] },
  hyperliquid: { pageRowsMax: 5000, newestCandlesMax: 5000 },
  kraken: { pageRowsMax: 720, newestCandlesMax: 719, timeframesElsewhere: ["1w", "2w"] },
  mexc: { pageRowsMax: 500 },
};

/** Rows a request asks for where neither CCXT nor the table knows a limit: every exchange gives as many. */
export const PAGE_ROWS_DEFAULT = 100;

/** Rows a page of the exchange has at most; `announced` is what CCXT's `features` say. */
export function pageRowsMax(exchange: string, announced: number | undefined): number {
  return KNOWN_LIMITS[exchange]?.pageRowsMax ?? announced ?? PAGE_ROWS_DEFAULT;
}

/** How many of its newest candles an exchange has at all of a timeframe; undefined when there is no known bound. */
export function newestCandlesMax(
  { exchange, timeframe }: Pick<Series, "exchange" | "timeframe">,
): number | undefined {
  const known = KNOWN_LIMITS[exchange]?.newestCandlesMax;
  return typeof known === "object" ? known[timeframe.text] : known;
}

/** Whether a timeframe that CCXT offers for the exchange can be believed. */
export function isTimeframeTrue(exchange: string, timeframe: string): boolean {
  return KNOWN_LIMITS[exchange]?.timeframesFalse?.includes(timeframe) !== true;
}

/** Whether an exchange's candles of this timeframe open at other times than UTC says, so that none can be stored. */
export function opensElsewhere(exchange: string, timeframe: string): boolean {
  return KNOWN_LIMITS[exchange]?.timeframesElsewhere?.includes(timeframe) === true;
}
