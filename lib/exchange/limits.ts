/** What CCXT does not know, or says wrongly, about how far and how much an exchange answers. @module */

/** Known facts about an exchange's candles. */
export interface CandleLimits {
  /** Rows a request gives at most, where `features` says nothing or too much. */
  readonly pageRowsMax?: number;
  /** Only this many newest candles exist at the exchange; older ones cannot be asked for. */
  readonly newestCandlesMax?: number;
}

/**
 * Corrections to CCXT's `features.spot.fetchOHLCV.limit`, each observed at the exchange:
 * bitget moves the start with more than 200, mexc gives 500 where 1000 are announced, gemini, coinex and
 * bithumb take no `since` at all, kraken gives the newest 720 whatever is asked, the forming one included, gate keeps 10,000.
 */
const KNOWN_LIMITS: Readonly<Record<string, CandleLimits>> = {
  bithumb: { pageRowsMax: 1000, newestCandlesMax: 1000 },
  bitget: { pageRowsMax: 200 },
  coinex: { pageRowsMax: 1000, newestCandlesMax: 1000 },
  gate: { pageRowsMax: 1000, newestCandlesMax: 10_000 },
  gateeu: { pageRowsMax: 1000, newestCandlesMax: 10_000 },
  gemini: { pageRowsMax: 1000, newestCandlesMax: 1440 },
  hyperliquid: { pageRowsMax: 5000, newestCandlesMax: 5000 },
  kraken: { pageRowsMax: 720, newestCandlesMax: 719 },
  mexc: { pageRowsMax: 500 },
};

/** Rows a request asks for where neither CCXT nor the table knows a limit: every exchange gives as many. */
export const PAGE_ROWS_DEFAULT = 100;

/** The limits of one exchange; `announced` is what CCXT's `features` say. */
export function candleLimits(
  exchange: string,
  announced: number | undefined,
): { readonly pageRowsMax: number; readonly newestCandlesMax: number | undefined } {
  const known = KNOWN_LIMITS[exchange];
  return {
    pageRowsMax: known?.pageRowsMax ?? announced ?? PAGE_ROWS_DEFAULT,
    newestCandlesMax: known?.newestCandlesMax,
  };
}
