/** Limits of each exchange's requests for candles of spot markets that CCXT does not know, or states wrongly. @module */

/** Known limits of one class of an exchange's markets. What is not set here comes from CCXT or from the exchange's answers. */
export interface CandleLimits {
  /** Most rows of one answer, if `features` names none or too many. */
  readonly pageRowsMax?: number;
  /** Most days that one request may span. */
  readonly spanDaysMax?: number;
  /** Whether a number of rows makes the exchange neglect the window: then it is sent without one. */
  readonly isCountUnsent?: boolean;
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
 * Corrections and additions to CCXT 4.5.84 for spot markets; `CONTRACT_LIMITS` has those for contracts. Page limits that its
 * `features` state correctly are not repeated here (a test checks that). A row also holds for the classes that inherit from
 * its class. The sources are CCXT's code, the exchanges' documentation, and their observed behaviour:
 *
 * - bithumb, coinex, gemini: CCXT sends no `since`.
 * - mexc: CCXT's code says "docs say 1000 for spot, but in practice it's 500". It has 8 hours for contracts only, as bitget
 *   has 2 hours: CCXT's `options` name no interval for spot.
 * - kraken: always sends the newest 720 candles, including the one that is still forming. Weeks open on Thursdays.
 * - gate: documents 10,000 candles, but refuses windows that begin more than 9,998 candles back.
 * - gemini: sends all it keeps. It keeps a time span, not a number of candles: one day of `1m`, two weeks of `15m`,
 *   two months of `1h`, one year of `1d`.
 * - bitstamp: CCXT asks for 3-day candles when asked for `1w`. One in seven opens on a Monday and would pass for `1w`.
 * - htx: days open at 16:00 UTC.
 * - phemex: documents these six limits, and refuses others with code 30000 (ccxt#16762).
 */
export const SPOT_LIMITS: Readonly<Record<string, CandleLimits>> = {
  binance: { isSinceHonoured: true },
  bingx: { isSinceHonoured: true },
  bitfinex: { isSinceHonoured: true, omitsSilent: true },
  bitget: { isSinceHonoured: true, timeframesUnsupported: ["2h"] },
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
  mexc: { pageRowsMax: 500, isSinceHonoured: true, timeframesUnsupported: ["8h"] },
  okx: { isSinceHonoured: true, omitsSilent: false },
  phemex: { rowsAllowed: [5, 10, 50, 100, 500, 1000] },
  poloniex: { isSinceHonoured: true },
  upbit: { isSinceHonoured: true, omitsSilent: true },
  whitebit: { isSinceHonoured: true },
};
