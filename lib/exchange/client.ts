/** One exchange as the rest of the program sees it: markets, turns, candles. @module */
import type { Clock } from "../clock.ts";
import { withProxy } from "../config/exchange_options.ts";
import type { Series } from "../market/series.ts";
import { seriesName } from "../market/series.ts";
import { closedUntil, countCandles, type Timeframe } from "../market/timeframe.ts";
import { type Window, windowCandles } from "../market/window.ts";
import { isSymbol } from "../market/symbol.ts";
import { Ban } from "./ban.ts";
import { type Call, failedRequest, runCall } from "./call.ts";
import { type CcxtExchange, type CcxtMarket, classesOf, openCcxt } from "./ccxt.ts";
import { classify } from "./classify.ts";
import { Denials } from "./denial.ts";
import { FetchError } from "./fetch_error.ts";
import { type AssumedLimits, candleLimits, isTimeframeTrue } from "./limits.ts";
import { type MarketList, marketList } from "./market_list.ts";
import { Pace, type Priority } from "./pace.ts";
import { Connections } from "./proxy.ts";
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

interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
}

type ClientOptions = OpenExchangeOptions & { readonly denials: Denials };

/** Opens an instance of an exchange's class. */
type OpenInstance = () => Promise<CcxtExchange>;

/**
 * The only client of an exchange in the process, so that one limiter and one ban govern everything that
 * is asked of it.
 */
export class ExchangeClient {
  readonly id: string;
  /** What is known of its candles before it has answered anything. */
  readonly limits: AssumedLimits;
  /** CCXT's timeframes of this exchange, without those that it gets wrong. */
  readonly timeframes: readonly string[];
  /** Least time between two requests, in milliseconds. */
  readonly requestIntervalMs: number;
  readonly #open: OpenInstance;
  /** CCXT looks markets up in its own instance, so each list keeps the one that has read it. */
  readonly #instances = new WeakMap<MarketList, CcxtExchange>();
  /** The exchange's class in CCXT and its ancestors. */
  readonly #classes: readonly string[];
  readonly #pace: Pace;
  readonly #clock: Clock;
  readonly #options: ClientOptions;
  readonly #ban = new Ban();
  /** Turns given whose first request has not been charged yet: their cost of 1 is already paid. */
  #turnsPaid = 0;

  /** Use {@linkcode openExchange}. */
  constructor(ccxt: CcxtExchange, open: OpenInstance, options: ClientOptions) {
    this.id = ccxt.id;
    this.#classes = classesOf(ccxt);
    this.#open = open;
    this.#clock = options.clock;
    this.#options = options;
    this.limits = candleLimits(ccxt.id, ccxt.features?.spot?.fetchOHLCV?.limit);
    this.timeframes = Object.keys(ccxt.timeframes ?? {})
      .filter((timeframe) => isTimeframeTrue(ccxt.id, timeframe));
    this.requestIntervalMs = ccxt.rateLimit;
    this.#pace = new Pace({ intervalMs: ccxt.rateLimit, clock: options.clock });
  }

  /** Rows a page asks for at most, as far as was known before the first answer. */
  get pageRowsMax(): number {
    return Math.min(this.limits.pageRowsMax, this.#options.pageRowsMax ?? Infinity);
  }

  /** Until when nothing may be asked; in the past when nothing forbids it. Milliseconds. */
  get bannedUntilMs(): number {
    return this.#ban.untilMs;
  }

  /** Since when access is refused, and in which words; undefined while it is not. */
  get denial(): Denials["current"] {
    return this.#options.denials.current;
  }

  /** Puts a ban from before a restart back in force. */
  restoreBan(untilMs: number, reason: string): void {
    this.#ban.restore(untilMs, reason);
  }

  /** @throws FetchError `rate_limited` while the exchange has asked us to stay away. */
  assertNotBanned(): void {
    const { untilMs, reason } = this.#ban;
    if (this.#clock.now() >= untilMs) return;
    throw new FetchError(
      "rate_limited",
      `Cannot ask ${this.id} before ${new Date(untilMs).toISOString()}: ${reason}`,
      { untilMs },
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
   * Loads the markets, into a CCXT instance of their own: lists that were loaded before, and asks that are under way
   * with them, do not change.
   *
   * @throws FetchError `transient` also when the list is empty, as CCXT takes a body that broke off to be.
   */
  async loadMarkets({ signal }: FetchOptions = {}): Promise<MarketList> {
    const ccxt = await this.#open();
    const action = `load the markets of ${this.id}`;
    await this.#run(action, signal, async (call) => {
      const listed = await ccxt.loadMarkets(true);
      assertMarkets(action, Object.keys(listed).filter(isSymbol).length, call);
    });
    return this.#listOf(ccxt);
  }

  /**
   * The list without all markets but these: thousands are listed, a few dozen are archived. Nothing more can be asked
   * for with `list` itself.
   */
  keepMarkets(list: MarketList, symbols: Iterable<string>): MarketList {
    const ccxt = this.#instanceOf(list);
    const kept: Record<string, CcxtMarket> = {};
    for (const symbol of symbols) {
      const market = list.has(symbol) ? ccxt.markets?.[symbol] : undefined;
      if (market !== undefined) kept[symbol] = market;
    }
    this.#instances.delete(list);
    ccxt.markets = undefined;
    // It would keep all of them for as long as the instance lives.
    ccxt.marketsLoading = undefined;
    ccxt.setMarkets(kept);
    return this.#listOf(ccxt);
  }

  #listOf(ccxt: CcxtExchange): MarketList {
    const list = marketList(ccxt.markets);
    this.#instances.set(list, ccxt);
    return list;
  }

  #instanceOf(list: MarketList): CcxtExchange {
    const ccxt = this.#instances.get(list);
    if (ccxt !== undefined) return ccxt;
    throw new Error(`Cannot ask ${this.id}: the list of markets is not in use`);
  }

  /** The most traded symbols, see {@linkcode topSymbols}, of a list that holds all markets. */
  async topSymbols(
    list: MarketList,
    { signal, ...choice }: TopSymbolsOptions & FetchOptions,
  ): Promise<readonly string[]> {
    const ccxt = this.#instanceOf(list);
    const tickers = await this.#run(
      `fetch the tickers of ${this.id}`,
      signal,
      () => ccxt.fetchTickers(undefined, {}),
    );
    return topSymbols(Object.values(ccxt.markets ?? {}), tickers, choice);
  }

  /**
   * Asks for the candles of one window of a series whose market is on `list`.
   *
   * An empty answer is believed only when the body was whole JSON that holds an empty list: CCXT turns a
   * maintenance page or a truncated body into `[]` as well, and whoever believes that records a hole.
   *
   * @throws FetchError
   */
  async fetchCandles(
    series: Series,
    window: Window,
    { list, signal }: FetchOptions & { readonly list: MarketList },
  ): Promise<Page> {
    const { symbol, timeframe } = series;
    const action = `fetch candles of ${seriesName(series)}`;
    if (!list.has(symbol)) {
      throw new FetchError("permanent", `Cannot ${action}: ${this.id} does not list ${symbol}`);
    }
    const ccxt = this.#instanceOf(list);
    const limit = this.#rowsAsked(timeframe, window);
    return await this.#run(action, signal, async (call) => {
      const answer: unknown = await ccxt.fetchOHLCV(
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
        this.#ban.answered();
        if (call.host !== undefined) this.#options.denials.answered(call.host);
        return result;
      } catch (error) {
        if (signal?.aborted) {
          throw new FetchError("cancelled", `Cannot ${action}: cancelled`, { cause: error });
        }
        const answer = failedRequest(error) ?? call;
        const nowMs = this.#clock.now();
        const fetchError = classify(error, {
          action,
          answer,
          classes: this.#classes,
          nowMs,
          banDefaultMs: this.#ban.defaultMs(nowMs),
        });
        if (fetchError.kind === "denied") {
          throw this.#options.denials.proved(fetchError, answer.host);
        }
        if (answer.host !== undefined && answer.json !== undefined) {
          this.#options.denials.answered(answer.host);
        }
        if (fetchError.kind === "rate_limited" && this.#ban.note(fetchError, nowMs)) {
          const { untilMs, reason } = this.#ban;
          await this.#options.onBan?.({ untilMs, reason });
        }
        throw fetchError;
      }
    });
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
  const connections = new Connections();
  const denials = new Denials(options.clock);
  const open = (): Promise<CcxtExchange> =>
    openCcxt(id, {
      config: withProxy(options.config, options.proxyUrl),
      spotOnly: options.spotOnly ?? true,
      onCost: (cost) => client?.onCost(cost),
      connections,
      denials,
    });
  const ccxt = await open();
  if (ccxt.has["fetchOHLCV"] !== true) {
    throw new RangeError(`Cannot archive ${id}: it offers no candles`);
  }
  client = new ExchangeClient(ccxt, open, { ...options, denials });
  return client;
}
