/** Extra request parameters that some exchanges need to answer for exactly the requested window. @module */
import type { Series } from "../market/series.ts";
import { isContract } from "../market/symbol.ts";
import type { Window } from "../market/window.ts";
import { factOf } from "./ancestry.ts";

/** Parameters of one request, named as CCXT's class or the exchange names them. */
type WindowParams = Readonly<Record<string, string | number>>;

/**
 * CCXT sends a start and a count. These exchanges do not count from the start:
 *
 * - poloniex sends the newest rows after the start (ccxt#23236); bingx may do the same, its documentation is unclear.
 * - hitbtc sorts newest first, then counts.
 * - bitvavo counts back from an end, and CCXT sets that end one candle too late.
 * - upbit takes only an end, and CCXT computes it with months of 30 days.
 * - zebpay's class refuses a request for spot candles without an end.
 */
export const WINDOW_PARAMS: Readonly<Record<string, (window: Window) => WindowParams>> = {
  bingx: lastMoment,
  bitvavo: lastMoment,
  hitbtc: () => ({ sort: "ASC" }),
  poloniex: lastMoment,
  upbit: ({ untilMs }) => ({ to: new Date(untilMs).toISOString() }),
  zebpay: lastMoment,
};

/**
 * Of contracts also these:
 *
 * - htx is sent no number of rows, so CCXT would make the window as long as a page can be.
 * - mexc is sent no end by CCXT: it would answer with up to 2000 rows, whatever the window is.
 */
const CONTRACT_WINDOW_PARAMS: typeof WINDOW_PARAMS = { htx: lastMoment, mexc: lastMoment };

/** How much of a window a request tells. */
export interface ToldWindow {
  /** Whether to name the window's end, where the table knows nothing better. @default false */
  readonly isUntilSent?: boolean | undefined;
}

/** The `params` to pass beside `since` and `limit`; empty for most exchanges. */
export function windowParams(
  { exchange, symbol }: Pick<Series, "exchange" | "symbol">,
  window: Window,
  { isUntilSent = false }: ToldWindow = {},
): WindowParams {
  const ofContracts = isContract(symbol) ? factOf(CONTRACT_WINDOW_PARAMS, exchange) : undefined;
  const known = (ofContracts ?? factOf(WINDOW_PARAMS, exchange))?.(window);
  return known ?? (isUntilSent ? lastMoment(window) : {});
}

/** The window's end as CCXT's `until`, minus 1 ms: correct for exclusive and for inclusive ends. */
function lastMoment({ untilMs }: Window): WindowParams {
  return { until: untilMs - 1 };
}
