/** The client of one exchange: its markets, its candles, its rate limit and its bans. @module */
import type { Clock } from "../clock.ts";
import { withProxy } from "../config/exchange_options.ts";
import { marketSymbol, pricedSymbol, priceOf, PRICES_NAMED } from "../market/price.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Window } from "../market/window.ts";
import { isContract, type SymbolKind } from "../market/symbol.ts";
import { ANSWER_BOUNDS } from "./answer_budget.ts";
import { type AskedWindow, CandleRequests, type Page } from "./candle_request.ts";
import { type CcxtExchange, type CcxtTicker, openCcxt } from "./ccxt.ts";
import { Denials } from "./denial.ts";
import { type ExpiredMarket, expiredMarket } from "./expired_market.ts";
import { type BanNews, ExchangeCalls } from "./exchange_calls.ts";
import { FetchError } from "./fetch_error.ts";
import {
  type FundingAsk,
  fundingKinds,
  type FundingPage,
  FundingRequests,
  type FundingTerms,
  fundingTerms,
} from "./funding_request.ts";
import { type AssumedLimits, candleLimits, isTimeframeTrue } from "./limits.ts";
import { loadKinds, type LoadOptions, marketKinds } from "./market_kinds.ts";
import { type MarketList, marketList, marketOf, usableMarkets } from "./market_list.ts";
import { withoutOddEntries } from "./odd_entries.ts";
import { Pace, type Priority } from "./pace.ts";
import { AskedPrices } from "./prices.ts";
import { Connections } from "./proxy.ts";
import { tickerAsks, withOptions } from "./ticker_asks.ts";
import { quotesOf, topSymbols, type TopSymbolsOptions } from "./top_symbols.ts";
import { assertAnswered } from "./whole_answer.ts";
import type { ToldWindow } from "./window_params.ts";

export interface OpenExchangeOptions extends BanNews {
  readonly clock: Clock;
  /** `EXCHANGE_<ID>`: merged into the options of CCXT's constructor. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** `EXCHANGE_PROXY_URL`: used if `config` names no proxy. */
  readonly proxyUrl?: string | undefined;
  /** `PAGE_LIMIT`: most rows per request. */
  readonly pageRowsMax?: number | undefined;
  /** Only the kinds of markets of these symbols are loaded. @default spot markets only */
  readonly symbols?: readonly string[] | undefined;
}

interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
}

type ClientOptions = OpenExchangeOptions & { readonly denials: Denials };

/** Opens an instance of an exchange's class. */
type OpenInstance = () => Promise<CcxtExchange>;

/**
 * The client of one exchange. There is only one per process, so that its rate limit and its ban apply to all requests.
 */
export class ExchangeClient {
  readonly id: string;
  /** The limits that are assumed before the first answer. */
  readonly limits: AssumedLimits;
  /** CCXT's timeframes of this exchange, without those that the exchange does not really have. */
  readonly timeframes: readonly string[];
  /** Least time between two requests of cost 1, in milliseconds. */
  readonly requestIntervalMs: number;
  /** The kinds of perpetuals of which it gives the history of funding rates. */
  readonly fundingKinds: readonly SymbolKind[];
  readonly #open: OpenInstance;
  /** The CCXT instance that loaded each list: CCXT looks markets up in its own instance. */
  readonly #instances = new WeakMap<MarketList, CcxtExchange>();
  readonly #requests: CandleRequests;
  readonly #fundingRequests: FundingRequests;
  readonly #pace: Pace;
  readonly #options: ClientOptions;
  readonly #calls: ExchangeCalls;
  readonly #prices: AskedPrices;
  /** Turns given whose first request has not been charged yet: their cost of 1 is already paid. */
  #turnsPaid = 0;

  /** Use {@linkcode openExchange}. */
  constructor(ccxt: CcxtExchange, open: OpenInstance, options: ClientOptions) {
    this.id = ccxt.id;
    this.#open = open;
    this.#requests = new CandleRequests({ id: ccxt.id, open, clock: options.clock });
    this.#fundingRequests = new FundingRequests(open);
    this.fundingKinds = fundingKinds(ccxt);
    this.#calls = new ExchangeCalls(ccxt.id, options);
    this.#prices = new AskedPrices(open);
    this.#options = options;
    this.limits = candleLimits(ccxt.id, ccxt.features?.spot?.fetchOHLCV?.limit);
    this.timeframes = Object.keys(ccxt.timeframes ?? {})
      .filter((timeframe) => isTimeframeTrue(ccxt.id, timeframe));
    this.requestIntervalMs = ccxt.rateLimit;
    this.#pace = new Pace({ intervalMs: ccxt.rateLimit, clock: options.clock });
  }

  /** Most rows per page, before anything is learned from answers. */
  get pageRowsMax(): number {
    return Math.min(this.limits.pageRowsMax, this.#options.pageRowsMax ?? Infinity);
  }

  /** Until when the exchange has banned us. Milliseconds; in the past when there is no ban. */
  get bannedUntilMs(): number {
    return this.#calls.bannedUntilMs;
  }

  /** Since when access is refused, and in which words; undefined while it is not. */
  get denial(): Denials["state"] {
    return this.#options.denials.state;
  }

  /** Restores a ban that was stored before a restart. */
  restoreBan(untilMs: number, reason: string): void {
    this.#calls.restoreBan(untilMs, reason);
  }

  /** @throws FetchError `rate_limited` while a ban lasts. */
  assertNotBanned(): void {
    this.#calls.assertNotBanned();
  }

  /**
   * Waits until the rate limit allows one more request. Live requests go first.
   *
   * @throws FetchError `rate_limited` at once while a ban lasts.
   * @throws the signal's reason when it is aborted.
   */
  async turn(priority: Priority, { signal }: FetchOptions = {}): Promise<void> {
    this.assertNotBanned();
    await this.#pace.turn(priority, signal);
    // An earlier request may have been banned meanwhile.
    this.assertNotBanned();
    this.#turnsPaid++;
  }

  /** Charges the cost that CCXT states for a request, minus the 1 that its turn has paid. */
  onCost(cost: number): void {
    const paid = this.#turnsPaid > 0 ? 1 : 0;
    this.#turnsPaid -= paid;
    this.#pace.charge(cost - paid);
  }

  /**
   * Loads the markets, one kind after the other, into a new CCXT instance: lists loaded before, and their requests, stay.
   *
   * @throws FetchError `transient` also when the list is empty: CCXT reads a truncated body as an empty list.
   */
  async loadMarkets({ previous, onLoaded, ...options }: LoadOptions = {}): Promise<MarketList> {
    const ccxt = await this.#open();
    const markets = await loadKinds(marketKinds(ccxt, this.#options), {
      ...options,
      known: previous === undefined ? undefined : this.#instances.get(previous)?.markets,
      load: (kind, signal) => {
        const action = `load the ${kind.title} of ${this.id}`;
        return this.#calls.run(action, { signal, bounds: ANSWER_BOUNDS.lists }, async (call) => {
          const loaded = await withoutOddEntries(() => kind.load(), ccxt.options);
          const usable = usableMarkets(action, loaded, call);
          onLoaded?.(kind, call);
          return usable;
        });
      },
    });
    await this.#prices.learn(ccxt, markets);
    ccxt.setMarkets(markets);
    return this.#listOf(ccxt);
  }

  /**
   * Returns a list of only these markets, by symbol and id, to free memory: thousands are listed, a few dozen are archived.
   * CCXT finds a market by its symbol, so no namesake stays. After that, `list` itself cannot be used for requests.
   * Those that have `expired` are not on `list`, and may be asked all the same.
   */
  async keepMarkets(
    list: MarketList,
    ids: ReadonlyMap<string, string | undefined>,
    expired: readonly ExpiredMarket[] = [],
  ): Promise<MarketList> {
    const ccxt = this.#instanceOf(list);
    // A market stays once, however many of its prices are archived.
    const kept = new Set([
      ...[...ids].flatMap(([symbol, id]) => marketOf(ccxt, marketSymbol(symbol), id) ?? []),
      ...expired.flatMap((one) => expiredMarket(ccxt, one)),
    ]);
    // There may be none of their kind among those that are listed.
    await this.#prices.learn(ccxt, [...kept]);
    this.#instances.delete(list);
    ccxt.markets = undefined;
    // This promise would keep all markets in memory.
    ccxt.marketsLoading = undefined;
    ccxt.setMarkets([...kept]);
    return this.#listOf(ccxt);
  }

  #listOf(ccxt: CcxtExchange): MarketList {
    const list = marketList(this.id, ccxt, (market) => this.#prices.of(market));
    this.#instances.set(list, ccxt);
    return list;
  }

  #instanceOf(list: MarketList): CcxtExchange {
    const ccxt = this.#instances.get(list);
    if (ccxt !== undefined) return ccxt;
    throw new Error(`Cannot ask ${this.id}: the list of markets is not in use`);
  }

  /** The most traded symbols of a list of all markets, see {@linkcode topSymbols}. */
  async topSymbols(
    list: MarketList,
    { tops, signal }: FetchOptions & { readonly tops: readonly TopSymbolsOptions[] },
  ): Promise<readonly string[]> {
    const ccxt = this.#instanceOf(list);
    const tickers: Record<string, CcxtTicker> = {};
    for (const [kind, choices] of Map.groupBy(tops, ({ kind = "spot" }) => kind)) {
      for (const { options, params } of tickerAsks(this.id, kind, choices.flatMap(quotesOf))) {
        const told = await this.#calls.run(
          `fetch the tickers of ${kind} markets of ${this.id}`,
          { signal, bounds: ANSWER_BOUNDS.lists },
          () =>
            withOptions(
              ccxt,
              options,
              () => withoutOddEntries(() => ccxt.fetchTickers(undefined, params), ccxt.options),
            ),
        );
        Object.assign(tickers, told);
      }
    }
    const markets = Object.values(ccxt.markets ?? {});
    return topSymbols(markets, tickers, { exchange: this.id, choices: tops });
  }

  /**
   * Requests the candles of one window of a series whose market is on `list`.
   *
   * An empty answer is accepted only if the body was complete JSON with an empty list. CCXT also returns `[]` for a
   * maintenance page or a truncated body; accepting that would record a hole.
   *
   * @throws FetchError
   */
  async fetchCandles(
    series: Series,
    window: Window,
    { list, signal, ...told }: FetchOptions & ToldWindow & { readonly list: MarketList },
  ): Promise<Page> {
    const { symbol } = series;
    const action = `fetch candles of ${seriesName(series)}`;
    if (!list.has(symbol)) {
      throw new FetchError("permanent", `Cannot ${action}: ${lackText(this.id, symbol, list)}`);
    }
    const ccxt = this.#instanceOf(list);
    const { send, isSinceSent } = await this.#requests.of(ccxt, { series, window }, {
      ...told,
      rowsMax: this.pageRowsMax,
    });
    return await this.#calls.run(
      action,
      { signal, bounds: ANSWER_BOUNDS.candles },
      async (call) => {
        const listed = await send();
        const rows: unknown = call.rows ?? listed;
        assertAnswered(action, rows, call);
        if (call.host !== undefined) this.#options.denials.candlesFrom(call.host);
        return { rows, dateMs: call.dateMs, isSinceSent };
      },
    );
  }

  /**
   * Requests funding rates of a perpetual whose market is on `list`. An empty answer counts as for candles.
   *
   * @throws FetchError
   */
  async fetchFunding(
    ask: FundingAsk,
    { list, signal }: FetchOptions & { readonly list: MarketList },
  ): Promise<
    FundingPage & { readonly rows: readonly unknown[]; readonly dateMs: number | undefined }
  > {
    const action = `fetch funding rates of ${this.id} ${ask.symbol}`;
    if (!list.has(ask.symbol)) {
      throw new FetchError("permanent", `Cannot ${action}: ${this.id} does not list ${ask.symbol}`);
    }
    const ccxt = this.#instanceOf(list);
    return await this.#calls.run(
      action,
      { signal, bounds: ANSWER_BOUNDS.candles },
      async (call) => {
        const { rows, ...asked } = await this.#fundingRequests.send(ccxt, ask);
        assertAnswered(action, rows, call);
        return { ...asked, rows, dateMs: call.dateMs };
      },
    );
  }

  /** How a perpetual of `list` is asked for its funding rates. */
  fundingTerms(symbol: string, list: MarketList): FundingTerms {
    return fundingTerms(this.id, this.#instanceOf(list).markets?.[symbol]);
  }

  /**
   * How long the pace makes the next request wait after the request for each of these windows, whose markets are on
   * `list`. Milliseconds. Sends nothing.
   */
  async requestMs(
    asked: readonly AskedWindow[],
    { list }: { readonly list: MarketList },
  ): Promise<readonly number[]> {
    const costs = await this.#requests.costs(this.#instanceOf(list), asked, {
      rowsMax: this.pageRowsMax,
    });
    // The pace waits for whole milliseconds.
    return costs.map((cost) => Math.ceil(cost * this.requestIntervalMs));
  }
}

/**
 * Creates the client of an exchange. Sends no request.
 *
 * @throws RangeError when CCXT offers no candles of this exchange.
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
      spotOnly: !options.symbols?.some(isContract),
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

/** That a symbol is not listed, or that its market does not have the price, and which ones it has. */
function lackText(exchange: string, symbol: string, list: MarketList): string {
  const market = marketSymbol(symbol);
  if (market === symbol || !list.has(market)) return `${exchange} does not list ${symbol}`;
  const prices = PRICES_NAMED.filter((price) => list.has(pricedSymbol(market, price)));
  const others = prices.length === 0 ? "only of trades" : `also ${prices.join(" and ")}`;
  return `${exchange} has no ${priceOf(symbol)} candles of ${market}, ${others}`;
}
