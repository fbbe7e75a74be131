/** One exchange as the rest of the program sees it: markets, turns, candles. @module */
import type { Clock } from "../clock.ts";
import { withProxy } from "../config/exchange_options.ts";
import type { Series } from "../market/series.ts";
import { seriesName } from "../market/series.ts";
import { closedUntil, countCandles, type Timeframe } from "../market/timeframe.ts";
import { type Window, windowCandles } from "../market/window.ts";
import { isSymbol } from "../market/symbol.ts";
import { type Call, failedRequest, runCall } from "./call.ts";
import { type CcxtExchange, type CcxtMarket, openCcxt } from "./ccxt.ts";
import { classify } from "./classify.ts";
import { FetchError } from "./fetch_error.ts";
import { type AssumedLimits, candleLimits, isTimeframeTrue } from "./limits.ts";
import { Pace, type Priority } from "./pace.ts";
import { topSymbols, type TopSymbolsOptions } from "./top_symbols.ts";
import { assertAnswered, assertMarkets } from "./whole_answer.ts";
import { windowParams } from "./window_params.ts";

/** What came for one window. */
export interface Page {
  /** `[openTimeMs, open, high, low, close, volume]` each, unchecked, all that the exchange answered. */
  readonly rows: readonly unknown[];
  /** When the answer was made, as it says itself. Milliseconds; undefined when it does not say. */
  readonly dateMs: number | undefined;
}

export interface OpenExchangeOptions {
  readonly clock: Clock;
  /** `EXCHANGE_<ID>`: merged into CCXT's constructor. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** `EXCHANGE_PROXY_URL`, for an exchange whose `config` names no proxy of its own. */
  readonly proxyUrl?: string | undefined;
  /** `PAGE_LIMIT`: asks for no more rows than this. */
  readonly pageRowsMax?: number | undefined;
  /** Whether only spot markets will be asked for. @default true */
  readonly spotOnly?: boolean | undefined;
  /** Told of every ban, so that it can be kept across restarts. The call that met it ends when it is kept. */
  readonly onBan?: (ban: { readonly untilMs: number; readonly reason: string }) => Promise<void>;
}

/** A market as far as the archive cares. */
export interface MarketFacts {
  /** The exchange's own name of it, which stays when CCXT's symbol changes. */
  readonly id: string | undefined;
  /** Whether it is traded now. */
  readonly isActive: boolean;
}

interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
}

/** How long to stay away when an exchange says "too many requests" and not until when; doubles each time. */
const BAN_DEFAULT_MS = 60_000;
const BAN_DEFAULT_MS_MAX = 60 * 60_000;

/**
 * The only instance of an exchange in the process, so that one limiter and one ban govern everything that
 * is asked of it.
 */
export class ExchangeClient {
  readonly id: string;
  /** What is known of its candles before it has answered anything. */
  readonly limits: AssumedLimits;
  readonly #ccxt: CcxtExchange;
  readonly #pace: Pace;
  readonly #clock: Clock;
  readonly #options: OpenExchangeOptions;
  #bannedUntilMs = 0;
  #banReason = "";
  #bansInARow = 0;
  /** Turns given whose first request has not been charged yet: their cost of 1 is already paid. */
  #turnsPaid = 0;

  /** Use {@linkcode openExchange}. */
  constructor(ccxt: CcxtExchange, pace: Pace, options: OpenExchangeOptions) {
    this.id = ccxt.id;
    this.#ccxt = ccxt;
    this.#pace = pace;
    this.#clock = options.clock;
    this.#options = options;
    this.limits = candleLimits(ccxt.id, ccxt.features?.spot?.fetchOHLCV?.limit);
  }

  /** CCXT's timeframes of this exchange, without those that it gets wrong. */
  get timeframes(): readonly string[] {
    const offered = Object.keys(this.#ccxt.timeframes ?? {});
    return offered.filter((timeframe) => isTimeframeTrue(this.id, timeframe));
  }

  /** Rows a page asks for at most, as far as was known before the first answer. */
  get pageRowsMax(): number {
    return Math.min(this.limits.pageRowsMax, this.#options.pageRowsMax ?? Infinity);
  }

  /** Least time between two requests, in milliseconds. */
  get requestIntervalMs(): number {
    return this.#ccxt.rateLimit;
  }

  /** Until when nothing may be asked; in the past when nothing forbids it. Milliseconds. */
  get bannedUntilMs(): number {
    return this.#bannedUntilMs;
  }

  /** Puts a ban from before a restart back in force. */
  restoreBan(untilMs: number, reason: string): void {
    this.#bannedUntilMs = Math.max(this.#bannedUntilMs, untilMs);
    this.#banReason = reason;
  }

  /** @throws FetchError `rate_limited` while the exchange has asked us to stay away. */
  assertNotBanned(): void {
    if (!this.#isBanned()) return;
    throw new FetchError(
      "rate_limited",
      `Cannot ask ${this.id} before ${
        new Date(this.#bannedUntilMs).toISOString()
      }: ${this.#banReason}`,
      { untilMs: this.#bannedUntilMs },
    );
  }

  /**
   * Waits until the exchange's pace allows one more request; live asks go first.
   *
   * @throws FetchError `rate_limited` at once while a ban lasts.
   * @throws the signal's reason when it is aborted.
   */
  async turn(priority: Priority, { signal }: FetchOptions = {}): Promise<void> {
    this.assertNotBanned();
    await this.#pace.turn(priority, signal);
    // The answer to an earlier request may have been a ban meanwhile.
    this.assertNotBanned();
    this.#turnsPaid++;
  }

  /** Settles the cost that CCXT names for a request against the cost of 1 that its turn has paid. */
  onCost(cost: number): void {
    const paid = this.#turnsPaid > 0 ? 1 : 0;
    this.#turnsPaid -= paid;
    this.#pace.charge(cost - paid);
  }

  /**
   * Loads the markets, or loads them again: symbols come and go. Those that were known stay when it fails.
   *
   * @throws FetchError `transient` also when the list is empty, as CCXT takes a body that broke off to be.
   */
  async loadMarkets({ signal }: FetchOptions = {}): Promise<void> {
    const known = this.#ccxt.markets;
    const action = `load the markets of ${this.id}`;
    try {
      await this.#run(action, signal, async (call) => {
        await this.#ccxt.loadMarkets(true);
        assertMarkets(action, this.symbols.length, call);
      });
    } catch (error) {
      if (this.#ccxt.markets !== known) this.#setMarkets(known);
      throw error;
    }
  }

  /** Whether the exchange lists the symbol; false before the markets are loaded. */
  hasMarket(symbol: string): boolean {
    return this.#ccxt.markets !== undefined && Object.hasOwn(this.#ccxt.markets, symbol);
  }

  /** What the exchange says of a symbol's market; undefined where it lists none. */
  marketFacts(symbol: string): MarketFacts | undefined {
    if (!this.hasMarket(symbol)) return undefined;
    const market = this.#ccxt.markets?.[symbol];
    return { id: market?.id, isActive: market?.active !== false };
  }

  /** The symbol of the spot market that the exchange itself calls `id`. Needs all markets to be loaded. */
  symbolOf(id: string): string | undefined {
    return Object.values(this.#ccxt.markets ?? {})
      .find((market) => market.id === id && market.spot !== false)?.symbol;
  }

  /** All symbols listed, as far as they read as symbols. */
  get symbols(): readonly string[] {
    return Object.keys(this.#ccxt.markets ?? {}).filter(isSymbol);
  }

  /** Forgets all markets but these: thousands are listed, a few dozen are archived. */
  keepMarkets(symbols: Iterable<string>): void {
    const kept: Record<string, CcxtMarket> = {};
    for (const symbol of symbols) {
      const market = this.#ccxt.markets?.[symbol];
      if (market !== undefined) kept[symbol] = market;
    }
    this.#setMarkets(kept);
  }

  #setMarkets(markets: Readonly<Record<string, CcxtMarket>> | undefined): void {
    this.#ccxt.markets = undefined;
    if (markets !== undefined) this.#ccxt.setMarkets(markets);
  }

  /** The most traded symbols, see {@linkcode topSymbols}. Needs all markets to be loaded. */
  async topSymbols(
    options: TopSymbolsOptions,
    { signal }: FetchOptions = {},
  ): Promise<readonly string[]> {
    const tickers = await this.#run(
      `fetch the tickers of ${this.id}`,
      signal,
      () => this.#ccxt.fetchTickers(undefined, {}),
    );
    return topSymbols(Object.values(this.#ccxt.markets ?? {}), tickers, options);
  }

  /**
   * Asks for the candles of one window.
   *
   * An empty answer is believed only when the body was whole JSON that holds an empty list: CCXT turns a
   * maintenance page or a truncated body into `[]` as well, and whoever believes that records a hole.
   *
   * @throws FetchError
   */
  async fetchCandles(series: Series, window: Window, { signal }: FetchOptions = {}): Promise<Page> {
    const { symbol, timeframe } = series;
    const action = `fetch candles of ${seriesName(series)}`;
    if (!this.hasMarket(symbol)) {
      throw new FetchError("permanent", `Cannot ${action}: ${this.id} does not list ${symbol}`);
    }
    const limit = this.#rowsAsked(timeframe, window);
    return await this.#run(action, signal, async (call) => {
      const answer: unknown = await this.#ccxt.fetchOHLCV(
        symbol,
        timeframe.text,
        window.sinceMs,
        limit,
        windowParams(this.id, window),
      );
      assertAnswered(action, answer, call);
      return { rows: answer, dateMs: call.dateMs };
    });
  }

  /**
   * One row a candle of the window. An exchange that takes no `since` counts its rows back from now, so there it is
   * as many as reach back to the window, the forming candle included.
   */
  #rowsAsked(timeframe: Timeframe, window: Window): number {
    if (this.limits.isSinceHonoured !== false) return windowCandles(timeframe, window);
    const formingMs = closedUntil(timeframe, this.#clock.now());
    return Math.min(countCandles(timeframe, window.sinceMs, formingMs) + 1, this.pageRowsMax);
  }

  async #run<T>(
    action: string,
    signal: AbortSignal | undefined,
    fn: (call: Call) => Promise<T>,
  ): Promise<T> {
    return await runCall(signal, async (call) => {
      try {
        const result = await fn(call);
        this.#bansInARow = 0;
        return result;
      } catch (error) {
        if (signal?.aborted) {
          throw new FetchError("cancelled", `Cannot ${action}: cancelled`, { cause: error });
        }
        const fetchError = classify(error, {
          action,
          answer: failedRequest(error) ?? call,
          nowMs: this.#clock.now(),
          banDefaultMs: this.#banDefaultMs(),
        });
        if (fetchError.kind === "rate_limited") await this.#ban(fetchError);
        throw fetchError;
      }
    });
  }

  #banDefaultMs(): number {
    const before = this.#isBanned() ? Math.max(0, this.#bansInARow - 1) : this.#bansInARow;
    return Math.min(BAN_DEFAULT_MS * 2 ** before, BAN_DEFAULT_MS_MAX);
  }

  #isBanned(): boolean {
    return this.#clock.now() < this.#bannedUntilMs;
  }

  async #ban({ untilMs = 0, message }: FetchError): Promise<void> {
    // Requests that were already on their way answer with the same ban: it counts once.
    if (!this.#isBanned()) this.#bansInARow++;
    if (untilMs <= this.#bannedUntilMs) return;
    this.#bannedUntilMs = untilMs;
    this.#banReason = message;
    await this.#options.onBan?.({ untilMs, reason: message });
  }
}

/**
 * Opens an exchange; nothing is asked of it yet.
 *
 * @throws RangeError when the class has no candles to give.
 */
export async function openExchange(
  id: string,
  options: OpenExchangeOptions,
): Promise<ExchangeClient> {
  let client: ExchangeClient | undefined = undefined;
  const ccxt = await openCcxt(id, {
    config: withProxy(options.config, options.proxyUrl),
    spotOnly: options.spotOnly ?? true,
    onCost: (cost) => client?.onCost(cost),
  });
  if (ccxt.has["fetchOHLCV"] !== true) {
    throw new RangeError(`Cannot archive ${id}: it offers no candles`);
  }
  const pace = new Pace({ intervalMs: ccxt.rateLimit, clock: options.clock });
  client = new ExchangeClient(ccxt, pace, options);
  return client;
}
