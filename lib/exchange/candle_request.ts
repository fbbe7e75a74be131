/** How CCXT's class of an exchange is asked for a window of candles, and what that costs. @module */
import type { Clock } from "../clock.ts";
import { type MarketClass, marketClassOf } from "../market/market_class.ts";
import { marketSymbol, priceOf } from "../market/price.ts";
import type { Series } from "../market/series.ts";
import { addCandles, closedUntil } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { CcxtExchange, CcxtMarket } from "./ccxt.ts";
import { rowsAsked } from "./limits.ts";
import { priceParams } from "./prices.ts";
import { placeOf } from "./proxy.ts";
import { SinceSent } from "./since_sent.ts";
import { askUnsent, type CandleAsk } from "./unsent.ts";
import { type ToldWindow, windowParams } from "./window_params.ts";

/** The answer for one window. */
export interface Page {
  /** All rows of the answer, unchecked: `[openTimeMs, open, high, low, close, volume]` each. */
  readonly rows: readonly unknown[];
  /** The answer's `Date` header. Milliseconds; undefined when it has none. */
  readonly dateMs: number | undefined;
  /** Whether the request told the start of the window. */
  readonly isSinceSent: boolean;
}

/** A request that has not been sent. */
interface CandleRequest {
  /** Resolves to the rows as CCXT lists them. */
  readonly send: () => Promise<unknown>;
  readonly ask: CandleAsk;
  /** Whether it tells the start of the window. */
  readonly isSinceSent: boolean;
}

/** One window of a series. */
export interface AskedWindow {
  readonly series: Series;
  readonly window: Window;
}

interface CandleRequestsOptions {
  /** Opens an instance of the exchange's class. */
  readonly open: () => Promise<CcxtExchange>;
  readonly clock: Clock;
}

/** The requests for candles of one exchange. */
export class CandleRequests {
  readonly #options: CandleRequestsOptions;
  readonly #sinceSent: SinceSent;
  /** The hosts of candles, by class of market; undefined where it is not known. */
  readonly #hosts = new Map<MarketClass, Promise<string | undefined>>();
  readonly #knownHosts = new Map<MarketClass, string>();

  constructor(options: CandleRequestsOptions) {
    this.#options = options;
    this.#sinceSent = new SinceSent(options.open);
  }

  /** The request for one window. `ccxt` is the instance that has its market. */
  async of(
    ccxt: CcxtExchange,
    { series, window }: AskedWindow,
    { rowsMax, ...told }: ToldWindow & { readonly rowsMax: number },
  ): Promise<CandleRequest> {
    const { timeframe } = series;
    const [symbol, price] = [marketSymbol(series.symbol), priceOf(series.symbol)];
    const isSinceSent = await this.#sinceSent.of(ccxt.markets?.[symbol], timeframe.text, price);
    const rows = rowsAsked(series, {
      window,
      isBounded: isSinceSent || told.isUntilSent === true,
      nowMs: this.#options.clock.now(),
      rowsMax,
    });
    const params = { ...windowParams(series, window, told), ...priceParams(price) };
    const { sinceMs } = window;
    return {
      send: () => ccxt.fetchOHLCV(symbol, timeframe.text, sinceMs, rows, params),
      ask: { timeframe: timeframe.text, sinceMs, rows, params },
      isSinceSent,
    };
  }

  /** The host that candles of a series come from; undefined if its class does not say. Nothing is sent. */
  async hostOf(ccxt: CcxtExchange, series: Series): Promise<string | undefined> {
    const marketClass = marketClassOf(series.symbol);
    const market = ccxt.markets?.[marketSymbol(series.symbol)];
    if (market === undefined) return this.#knownHosts.get(marketClass);
    const host = this.#hosts.get(marketClass) ?? this.#findHost(ccxt, market, series);
    this.#hosts.set(marketClass, host);
    return await host;
  }

  async #findHost(
    ccxt: CcxtExchange,
    market: CcxtMarket,
    series: Series,
  ): Promise<string | undefined> {
    const untilMs = closedUntil(series.timeframe, this.#options.clock.now());
    const window = { sinceMs: addCandles(series.timeframe, untilMs, -1), untilMs };
    const { ask } = await this.of(ccxt, { series, window }, { rowsMax: 1 });
    const { requests: [first] } = await askUnsent(await this.#options.open(), market, ask);
    if (first === undefined) return undefined;
    const { host } = placeOf(first.split(" ")[0] ?? "", undefined);
    this.#knownHosts.set(marketClassOf(series.symbol), host);
    return host;
  }

  /** {@linkcode hostOf}, if it was found out before. */
  knownHostOf(symbol: string): string | undefined {
    return this.#knownHosts.get(marketClassOf(symbol));
  }

  /**
   * What the requests for these windows would cost. Nothing is sent. Where the class does not say what it would ask for,
   * 1 is assumed.
   */
  async costs(
    ccxt: CcxtExchange,
    asked: readonly AskedWindow[],
    { rowsMax, ...told }: ToldWindow & { readonly rowsMax: (series: Series) => number },
  ): Promise<readonly number[]> {
    const unsent = await this.#options.open();
    const costs: number[] = [];
    for (const one of asked) {
      const market = ccxt.markets?.[marketSymbol(one.series.symbol)];
      const { requests, cost } = market === undefined ? { requests: [], cost: 1 } : await askUnsent(
        unsent,
        market,
        (await this.of(ccxt, one, { ...told, rowsMax: rowsMax(one.series) })).ask,
      );
      costs.push(requests.length === 0 ? 1 : cost);
    }
    return costs;
  }
}
