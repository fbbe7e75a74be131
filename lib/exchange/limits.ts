/** Limits of each exchange's candle requests that CCXT does not know, or states wrongly. @module */
import type { Series } from "../market/series.ts";
import { closedUntil, countCandles, type Timeframe } from "../market/timeframe.ts";
import { type Window, windowCandles } from "../market/window.ts";
import { factOf } from "./ancestry.ts";

/** Known limits of one exchange. What is not set here comes from CCXT or from the exchange's answers. */
interface CandleLimits {
  /** Most rows of one answer, if `features` names none or too many. */
  readonly pageRowsMax?: number;
  /** The only numbers of rows that may be asked for, ascending. */
  readonly rowsAllowed?: readonly number[];
  /**
   * The exchange has only this many newest candles, for all timeframes or per timeframe. Older ones are not available.
   */
  readonly newestCandlesMax?: number | Readonly<Record<string, number>>;
  /** Whether the exchange honours `since`; false if CCXT's class does not send it. */
  readonly isSinceHonoured?: boolean;
  /** Whether candles without trades are left out; false if they come with volume 0. */
  readonly omitsSilent?: boolean;
  /** Timeframes that CCXT offers but the exchange does not have. */
  readonly timeframesUnsupported?: readonly string[];
  /** Timeframes whose candles do not open at UTC days, weeks or months. They cannot be stored. */
  readonly timeframesMisaligned?: readonly string[];
}

/**
 * Corrections and additions to CCXT 4.5.84. Page limits that its `features` state correctly are not repeated here (a
 * test checks that). A row also holds for the classes that inherit from its class. The sources are CCXT's code, the
 * exchanges' documentation, and their observed behaviour:
 *
 * - bithumb, coinex, gemini: CCXT sends no `since`.
 * - mexc: CCXT's code says "docs say 1000 for spot, but in practice it's 500".
 * - kraken: always sends the newest 720 candles, including the one that is still forming. Weeks open on Thursdays.
 * - gate: documents 10,000 candles, but refuses windows that begin more than 9,998 candles back.
 * - gemini: sends all it keeps. It keeps a time span, not a number of candles: one day of `1m`, two weeks of `15m`,
 *   two months of `1h`, one year of `1d`.
 * - bitstamp: CCXT asks for 3-day candles when asked for `1w`. One in seven opens on a Monday and would pass for `1w`.
 * - htx: days open at 16:00 UTC.
 * - phemex: documents these six limits, and refuses others with code 30000 (ccxt#16762).
 */
export const KNOWN_LIMITS: Readonly<Record<string, CandleLimits>> = {
  binance: { isSinceHonoured: true },
  bingx: { isSinceHonoured: true },
  bitfinex: { isSinceHonoured: true, omitsSilent: true },
  bitget: { isSinceHonoured: true },
  bithumb: { newestCandlesMax: 200, isSinceHonoured: false },
  bitstamp: { isSinceHonoured: true, timeframesUnsupported: ["1w"] },
  bitvavo: { isSinceHonoured: true },
  bybit: { isSinceHonoured: true },
  coinbase: { isSinceHonoured: true },
  coinex: { newestCandlesMax: 1000, isSinceHonoured: false },
  cryptocom: { isSinceHonoured: true },
  gate: { newestCandlesMax: 9_998, isSinceHonoured: true },
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
  htx: { isSinceHonoured: true, timeframesMisaligned: ["1d", "1w", "1M", "1y"] },
  hyperliquid: { newestCandlesMax: 5000 },
  kraken: { newestCandlesMax: 719, timeframesMisaligned: ["1w", "2w"] },
  kucoin: { isSinceHonoured: true, omitsSilent: true },
  mexc: { pageRowsMax: 500, isSinceHonoured: true },
  okx: { isSinceHonoured: true, omitsSilent: false },
  phemex: { rowsAllowed: [5, 10, 50, 100, 500, 1000] },
  poloniex: { isSinceHonoured: true },
  upbit: { isSinceHonoured: true, omitsSilent: true },
  whitebit: { isSinceHonoured: true },
};

/** Rows to ask for if neither CCXT nor the table has a limit. Every exchange sends this many. */
export const PAGE_ROWS_DEFAULT = 100;

/** Where a value comes from: the table above, CCXT's `features`, a default, or the exchange's answers. */
export type CapabilitySource = "table" | "ccxt" | "default" | "answers";

/** The limits of an exchange before its first answer. */
export interface AssumedLimits extends CandleLimits {
  readonly pageRowsMax: number;
  readonly pageRowsSource: CapabilitySource;
}

/** The limits of one exchange. `announced` is CCXT's `features.spot.fetchOHLCV.limit`. */
export function candleLimits(exchange: string, announced: number | undefined): AssumedLimits {
  const known = limitsOf(exchange);
  if (known?.pageRowsMax !== undefined) {
    return { ...known, pageRowsMax: known.pageRowsMax, pageRowsSource: "table" };
  }
  return announced === undefined
    ? { ...known, pageRowsMax: PAGE_ROWS_DEFAULT, pageRowsSource: "default" }
    : { ...known, pageRowsMax: announced, pageRowsSource: "ccxt" };
}

/** How many newest candles the exchange has; undefined when no limit is known. */
export function newestCandlesMax(
  { exchange, timeframe }: Pick<Series, "exchange" | "timeframe">,
): number | undefined {
  return newestOf(limitsOf(exchange), timeframe.text);
}

/** {@linkcode newestCandlesMax} from given limits. `timeframe` is CCXT's text, `1m`. */
export function newestOf(limits: CandleLimits | undefined, timeframe: string): number | undefined {
  const newest = limits?.newestCandlesMax;
  return typeof newest === "object" ? newest[timeframe] : newest;
}

/**
 * How many rows to request: one per candle of the window. A request that tells neither start nor end gives the newest
 * rows: there it is enough rows to reach from now back to the start of the window, including the forming candle.
 */
export function rowsAsked(
  exchange: string,
  timeframe: Timeframe,
  { window, isBounded, nowMs, rowsMax }: {
    readonly window: Window;
    readonly isBounded: boolean;
    readonly nowMs: number;
    readonly rowsMax: number;
  },
): number {
  const toNow = countCandles(timeframe, window.sinceMs, closedUntil(timeframe, nowMs)) + 1;
  const rows = isBounded ? windowCandles(timeframe, window) : Math.min(toNow, rowsMax);
  return limitsOf(exchange)?.rowsAllowed?.find((allowed) => allowed >= rows) ?? rows;
}

/** Whether the exchange really has a timeframe that CCXT offers for it. */
export function isTimeframeTrue(exchange: string, timeframe: string): boolean {
  return limitsOf(exchange)?.timeframesUnsupported?.includes(timeframe) !== true;
}

/** Whether the exchange's candles of this timeframe do not open at UTC days, weeks or months, so none can be stored. */
export function opensElsewhere(exchange: string, timeframe: string): boolean {
  return limitsOf(exchange)?.timeframesMisaligned?.includes(timeframe) === true;
}

function limitsOf(exchange: string): CandleLimits | undefined {
  return factOf(KNOWN_LIMITS, exchange);
}
