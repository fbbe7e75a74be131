/** The client of one exchange: its markets, its candles, its rate limit and its bans. @module */
import type { Clock } from "../clock.ts";
import { withProxy } from "../config/exchange_options.ts";
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { type MarketClass, marketClassOf } from "../market/market_class.ts";
import { isContract, type SymbolKind } from "../market/symbol.ts";
import { PublishedFiles } from "./archives/file_download.ts";
import { Bans, type HostBan } from "./bans.ts";
import { type AskedWindow, CandleRequests, type Page } from "./candle_request.ts";
import { type CcxtExchange, type CcxtFeatures, openCcxt } from "./ccxt.ts";
import { type DenialNews, Denials } from "./denial.ts";
import type { ExpiredMarket } from "./expired_market.ts";
import { type AnsweredRows, type BanNews, ExchangeCalls } from "./exchange_calls.ts";
import { FetchError } from "./fetch_error.ts";
import {
  type FundingAsk,
  fundingKinds,
  FundingRequests,
  type FundingTerms,
  fundingTerms,
  type SentEnds,
} from "./funding_request.ts";
import { KindHosts } from "./kind_hosts.ts";
import { Lanes } from "./lanes.ts";
import {
  announcedRows,
  type AssumedLimits,
  candleLimits,
  isTimeframeTrue,
  pageRowsOf,
} from "./limits.ts";
import { LoadedMarkets } from "./loaded_markets.ts";
import { ANY_SPOT, type LoadOptions } from "./market_kinds.ts";
import { lackText, type MarketList } from "./market_list.ts";
import type { Priority } from "./pace.ts";
import { Connections } from "./proxy.ts";
import { topOfTickers } from "./top_tickers.ts";
import type { TopSymbolsOptions } from "./top_symbols.ts";
import type { ToldWindow } from "./window_params.ts";

export interface OpenExchangeOptions extends BanNews, DenialNews {
  readonly clock: Clock;
  /** `EXCHANGE_<ID>`: merged into the options of CCXT's constructor. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** `EXCHANGE_PROXY_URL`: used if `config` names no proxy. */
  readonly proxyUrl?: string | undefined;
  /** The address of this machine that requests leave from. @default any */
  readonly sourceAddress?: string | undefined;
  /** `PAGE_LIMIT`: most rows per request. */
  readonly pageRowsMax?: number | undefined;
  /** Only the kinds of markets of these symbols are loaded. @default spot markets only */
  readonly symbols?: readonly string[] | undefined;
}

interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
}

interface ClientOptions extends OpenExchangeOptions {
  readonly bans: Bans;
  readonly denials: Denials;
  readonly files: PublishedFiles;
}

/**
 * The client of one exchange. There is only one per process, so that its rate limit and its ban apply to all requests.
 */
export class ExchangeClient {
  readonly id: string;
  /** CCXT's timeframes of this exchange, without those that none of the kinds of markets that are asked for really has. */
  readonly timeframes: readonly string[];
  /** Least time between two requests of cost 1, in milliseconds. */
  readonly requestIntervalMs: number;
  /** The kinds of perpetuals of which it gives the history of funding rates. */
  readonly fundingKinds: readonly SymbolKind[];
  /** Where the candles of each kind of market come from. */
  readonly hosts: KindHosts;
  readonly #features: CcxtFeatures | undefined;
  readonly #limits = new Map<MarketClass, AssumedLimits>();
  readonly #markets: LoadedMarkets;
  readonly #requests: CandleRequests;
  readonly #fundingRequests: FundingRequests;
  readonly #lanes: Lanes;
  readonly #options: ClientOptions;
  readonly #calls: ExchangeCalls;

  /** Use {@linkcode openExchange}. */
  constructor(ccxt: CcxtExchange, open: () => Promise<CcxtExchange>, options: ClientOptions) {
    this.id = ccxt.id;
    this.#requests = new CandleRequests({ open, clock: options.clock });
    this.#fundingRequests = new FundingRequests(open);
    this.fundingKinds = fundingKinds(ccxt);
    this.#calls = new ExchangeCalls(ccxt.id, options);
    this.#markets = new LoadedMarkets(this.id, { ...options, open, calls: this.#calls });
    this.#options = options;
    this.#features = ccxt.features;
    const classes = new Set((options.symbols ?? [ANY_SPOT]).map(marketClassOf));
    this.timeframes = Object.keys(ccxt.timeframes ?? {}).filter((timeframe) =>
      [...classes].some((marketClass) => isTimeframeTrue(ccxt.id, marketClass, timeframe))
    );
    this.requestIntervalMs = ccxt.rateLimit;
    this.#lanes = new Lanes({ ...options, intervalMs: ccxt.rateLimit });
    this.hosts = new KindHosts({ ...options, requests: this.#requests, lanes: this.#lanes });
  }

  /** The limits that are assumed before the first answer about markets of this class. */
  limitsOf(marketClass: MarketClass): AssumedLimits {
    const known = this.#limits.get(marketClass) ??
      candleLimits(this.id, marketClass, announcedRows(this.#features, marketClass));
    this.#limits.set(marketClass, known);
    return known;
  }

  /** Most rows per page of a series, before anything is learned from answers. */
  pageRowsMax({ symbol, timeframe }: Pick<Series, "symbol" | "timeframe">): number {
    const rows = pageRowsOf(this.limitsOf(marketClassOf(symbol)), timeframe.text);
    return Math.min(rows, this.#options.pageRowsMax ?? Infinity);
  }

  /** Until when the exchange has banned us, or one of its hosts. Milliseconds; in the past when there is no ban. */
  get bannedUntilMs(): number {
    return this.#options.bans.untilMs;
  }

  /** The bans in force. */
  get bans(): readonly HostBan[] {
    return this.#options.bans.inForce;
  }

  /** Since when access is refused, and in which words; undefined while it is not. */
  get denial(): Denials["state"] {
    return this.#options.denials.state;
  }

  /** Restores a ban that was stored before a restart: of one host, or of all of them. */
  restoreBan(ban: HostBan): void {
    this.#options.bans.restore(ban);
  }

  /** What is known of bans and refusals, also from other processes. */
  get refusals(): Pick<ClientOptions, "bans" | "denials"> {
    return this.#options;
  }

  /**
   * Waits until the rate limit allows one more request: for candles from the host that {@linkcode hostOf} says, or for
   * anything else. Live requests go first.
   *
   * @throws FetchError `rate_limited` at once while a ban bars it. Of a request for something else that is known for sure
   * only when it is sent.
   * @throws the signal's reason when it is aborted.
   */
  async turn(
    priority: Priority,
    { host, isElsewhere, signal }: FetchOptions & {
      readonly host?: string | undefined;
      readonly isElsewhere?: boolean | undefined;
    } = {},
  ): Promise<void> {
    await this.#lanes.turn(priority, { host, isElsewhere, signal });
  }

  /** Charges the cost that CCXT states for a request, minus the 1 that its turn has paid. */
  onCost(cost: number, lane?: string): void {
    this.#lanes.charge(cost, lane);
  }

  /** The host that gives the candles of a series whose market is on `list`; undefined if that is not known. */
  async hostOf(series: Series, list: MarketList): Promise<string | undefined> {
    const ccxt = this.#markets.get(list);
    return ccxt && await this.hosts.of(series, { ccxt, symbols: list.keys() });
  }

  /** The host that gives the candles of a symbol's market, which is asked for what else there is of it, too. */
  async hostOfSymbol(symbol: string, list: MarketList): Promise<string | undefined> {
    const [text = "1h"] = this.timeframes;
    return await this.hostOf({ exchange: this.id, symbol, timeframe: parseTimeframe(text) }, list);
  }

  /** Which series share a pace: the same text for the same pace. */
  async laneOf(series: Series, list: MarketList): Promise<string> {
    return this.#lanes.nameOf(await this.hostOf(series, list));
  }

  /** The files that it publishes. */
  get files(): PublishedFiles {
    return this.#options.files;
  }

  /** Loads the markets, see {@linkcode LoadedMarkets.load}. */
  async loadMarkets(options: LoadOptions = {}): Promise<MarketList> {
    return await this.#markets.load(options);
  }

  /** A list of only these markets, see {@linkcode LoadedMarkets.keep}. */
  async keepMarkets(
    list: MarketList,
    ids: ReadonlyMap<string, string | undefined>,
    expired: readonly ExpiredMarket[] = [],
  ): Promise<MarketList> {
    return await this.#markets.keep(list, ids, expired);
  }

  /** The most traded symbols of a list of all markets, see {@linkcode topOfTickers}. */
  async topSymbols(
    list: MarketList,
    { tops, signal }: FetchOptions & { readonly tops: readonly TopSymbolsOptions[] },
  ): Promise<readonly string[]> {
    return await topOfTickers(this.#markets.instanceOf(list), this.#calls, { tops, signal });
  }

  /**
   * Requests the candles of one window of a series whose market is on `list`, see {@linkcode ExchangeCalls.rows}.
   *
   * @throws FetchError
   */
  async fetchCandles(
    series: Series,
    window: Window,
    { list, signal, ...told }: FetchOptions & ToldWindow & { readonly list: MarketList },
  ): Promise<Page> {
    const action = `fetch candles of ${seriesName(series)}`;
    const ccxt = this.#listing(series.symbol, { action, list });
    const lane = await this.hostOf(series, list);
    const { send, isSinceSent } = await this.#requests.of(ccxt, { series, window }, {
      ...told,
      rowsMax: this.pageRowsMax(series),
    });
    const { host, ...answered } = await this.#calls.rows(action, { signal, lane }, send);
    if (host !== undefined) this.#options.denials.candlesFrom(host);
    return { ...answered, isSinceSent };
  }

  /**
   * Requests funding rates of a perpetual whose market is on `list`.
   *
   * @throws FetchError
   */
  async fetchFunding(
    ask: FundingAsk,
    { list, signal }: FetchOptions & { readonly list: MarketList },
  ): Promise<Omit<AnsweredRows, "host"> & SentEnds> {
    const action = `fetch funding rates of ${this.id} ${ask.symbol}`;
    const ccxt = this.#listing(ask.symbol, { action, list });
    const lane = await this.hostOfSymbol(ask.symbol, list);
    const { send, ...sent } = await this.#fundingRequests.of(ccxt, ask);
    const { rows, dateMs } = await this.#calls.rows(action, { signal, lane }, send);
    return { rows, dateMs, ...sent };
  }

  /** The instance that has the market of a symbol. `action` says what it is wanted for. */
  #listing(
    symbol: string,
    { action, list }: { readonly action: string; readonly list: MarketList },
  ): CcxtExchange {
    if (list.has(symbol)) return this.#markets.instanceOf(list);
    throw new FetchError("permanent", `Cannot ${action}: ${lackText(this.id, symbol, list)}`);
  }

  /** How a perpetual of `list` is asked for its funding rates. */
  fundingTerms(symbol: string, list: MarketList): FundingTerms {
    return fundingTerms(this.id, this.#markets.instanceOf(list).markets?.[symbol]);
  }

  /** Waits until one more request for funding rates fits what the exchange allows of these. */
  async pauseFunding(signal?: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const intervalMs = this.requestIntervalMs;
    await this.#fundingRequests.pause(this.id, { clock, intervalMs, signal });
  }

  /**
   * How long the pace makes the next request wait after the request for each of these windows, whose markets are on
   * `list`. Milliseconds. Sends nothing.
   */
  async requestMs(
    asked: readonly AskedWindow[],
    { list }: { readonly list: MarketList },
  ): Promise<readonly number[]> {
    const costs = await this.#requests.costs(this.#markets.instanceOf(list), asked, {
      rowsMax: (series) => this.pageRowsMax(series),
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
  const connections = new Connections(options.sourceAddress);
  const bans = new Bans(id, options.clock);
  const denials = new Denials(options.clock, options);
  const open = (): Promise<CcxtExchange> =>
    openCcxt(id, {
      config: withProxy(options.config, options.proxyUrl),
      spotOnly: !options.symbols?.some(isContract),
      onCost: (cost, lane) => client?.onCost(cost, lane),
      connections,
      bans,
      denials,
    });
  const ccxt = await open();
  if (ccxt.has["fetchOHLCV"] !== true) {
    throw new RangeError(`Cannot archive ${id}: it offers no candles`);
  }
  const files = new PublishedFiles(id, { open, connections, clock: options.clock });
  client = new ExchangeClient(ccxt, open, { ...options, bans, denials, files });
  return client;
}
