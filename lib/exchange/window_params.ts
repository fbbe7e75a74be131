/** What an exchange must be told beside CCXT's own request, so that it answers for the window that is asked. @module */
import type { Window } from "../market/window.ts";

/** Parameters of one request, as CCXT's class or the exchange itself names them. */
type WindowParams = Readonly<Record<string, string | number>>;

/**
 * CCXT sends a start and a count. These exchanges do not count from the start:
 *
 * - poloniex gives the newest rows since then (ccxt#23236), and bingx' documentation can be read so;
 * - hitbtc sorts before it counts, and its sort begins with the newest row;
 * - bitvavo counts back from an end, which CCXT puts on the first candle after the window;
 * - upbit has an end only, which CCXT computes with months of 30 days.
 */
const WINDOW_PARAMS: Readonly<Record<string, (window: Window) => WindowParams>> = {
  bingx: lastMoment,
  bitvavo: lastMoment,
  hitbtc: () => ({ sort: "ASC" }),
  poloniex: lastMoment,
  upbit: ({ untilMs }) => ({ to: new Date(untilMs).toISOString() }),
};

/** What to pass as `params` beside `since` and `limit`; nothing for most exchanges. */
export function windowParams(exchange: string, window: Window): WindowParams {
  return Object.hasOwn(WINDOW_PARAMS, exchange) ? WINDOW_PARAMS[exchange]?.(window) ?? {} : {};
}

/** The window's end as CCXT's `until`, a moment early: right where ends are exclusive and where they are not. */
function lastMoment({ untilMs }: Window): WindowParams {
  return { until: untilMs - 1 };
}
