/** Loads CCXT's exchange classes one by one and replaces their transport with ours. @module */
import type { SymbolKind } from "../market/symbol.ts";
import type { Bans } from "./bans.ts";
import { boundNumbers, boundPrecise, type Rounding } from "./bounded_numbers.ts";
import { currentCall, runRequest } from "./call.ts";
import type { Denials } from "./denial.ts";
import { parseExactJson } from "./exact_json.ts";
import { withOpenTime } from "./open_time.ts";
import { Connections } from "./proxy.ts";
import { type Answer, transport } from "./transport.ts";

/** The part of a CCXT exchange that this program uses. */
export interface CcxtExchange {
  readonly id: string;
  readonly rateLimit: number;
  readonly timeframes: Readonly<Record<string, unknown>> | undefined;
  readonly features: CcxtFeatures | undefined;
  readonly has: Record<string, boolean | "emulated" | undefined>;
  readonly options: Record<string, unknown>;
  markets: Readonly<Record<string, CcxtMarket>> | undefined;
  /** All markets by the exchange's own id, also those whose symbol another market has in `markets`. */
  readonly markets_by_id: Readonly<Record<string, readonly CcxtMarket[]>> | undefined;
  /** What {@linkcode CcxtExchange.loadMarkets} has resolved to, or will. */
  marketsLoading: Promise<unknown> | undefined;
  loadMarkets(reload?: boolean): Promise<Readonly<Record<string, CcxtMarket>>>;
  setMarkets(markets: readonly CcxtMarket[]): unknown;
  fetchMarkets(): Promise<readonly CcxtMarket[]>;
  fetchTickers(
    symbols?: undefined,
    params?: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, CcxtTicker>>>;
  fetchOHLCV(
    symbol: string,
    timeframe: string,
    sinceMs: number,
    limit: number | undefined,
    params: Readonly<Record<string, unknown>>,
  ): Promise<unknown[]>;
}

/** What a class can do of each kind of market. `null` and `undefined` stand for kinds that it does not have. */
export interface CcxtFeatures {
  readonly spot?: CandleFeature;
  readonly swap?: ContractFeatures;
  readonly future?: ContractFeatures;
}

type CandleFeature = { readonly fetchOHLCV?: { readonly limit?: number } | null } | null;

type ContractFeatures =
  | { readonly linear?: CandleFeature; readonly inverse?: CandleFeature }
  | null;

/** A unified market of CCXT; only the fields that are used here. */
export interface CcxtMarket {
  /** The exchange's own name for the market. */
  readonly id?: string;
  readonly symbol: string;
  readonly base: string;
  readonly quote: string;
  /** `spot`, `swap`, `future`, `option`. */
  readonly type?: string;
  readonly spot?: boolean;
  readonly option?: boolean | undefined;
  readonly linear?: boolean | undefined;
  readonly inverse?: boolean | undefined;
  /** The coin that settles a contract. */
  readonly settle?: string | undefined;
  readonly contractSize?: string | number | undefined;
  /** Whether it is a perpetual. */
  readonly swap?: boolean | undefined;
  /** Whether it is a dated future. */
  readonly future?: boolean | undefined;
  /** When a dated contract ends. Milliseconds, in the classes' own way of numbers. */
  readonly expiry?: string | number | undefined;
  readonly active?: boolean;
  /** The market as the exchange listed it. */
  readonly info?: { readonly wsname?: unknown; readonly type?: unknown } | undefined;
}

/** The kind of a market; undefined of contracts that are neither linear nor inverse. */
export function kindOfMarket(
  { spot, linear, inverse }: Pick<CcxtMarket, "spot" | "linear" | "inverse">,
): SymbolKind | undefined {
  if (spot !== false) return "spot";
  return linear === true ? "linear" : inverse === true ? "inverse" : undefined;
}

/** A unified ticker of CCXT. Numbers are decimal texts. */
export interface CcxtTicker {
  readonly symbol: string;
  readonly quoteVolume?: string | undefined;
  readonly baseVolume?: string | undefined;
  readonly last?: string | undefined;
}

/** Members of a CCXT instance that are replaced here. CCXT's types do not allow that. */
interface PatchedExchange extends CcxtExchange, Rounding {
  number: (text: string) => string;
  parseNumber: (value: unknown, otherwise?: unknown) => unknown;
  throttle: (cost?: number) => Promise<void>;
  parseJson: (text: string) => unknown;
  handleErrors: (status: number, ...rest: readonly unknown[]) => unknown;
  parseOHLCVs: (rows: readonly unknown[], ...rest: readonly unknown[]) => unknown[];
  parseOHLCV: (row: unknown, market?: unknown) => unknown;
  filterBySymbolSinceLimit: (rows: readonly unknown[], ...rest: readonly unknown[]) => unknown;
  checkRequiredCredentials: (isRequired?: boolean) => boolean;
  sign: (...request: unknown[]) => unknown;
  checkProxySettings: (url: string) => readonly (string | undefined)[];
  setProxyAgents: () => undefined;
  fetchImplementation: (url: string, init: RequestInit) => Promise<Answer>;
  createSafeDictionary: () => Record<string, unknown>;
  fetch: (...request: unknown[]) => Promise<unknown>;
}

interface OpenCcxtOptions {
  /** Merged into the constructor's argument. From `EXCHANGE_<ID>`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Load only spot markets, if the class has an option for it. */
  readonly spotOnly: boolean;
  /** Called with the cost of each request before it is sent, and the host that its call is expected to ask. */
  readonly onCost: (cost: number, lane: string | undefined) => void;
  /** Shared by instances of one exchange. @default connections of its own */
  readonly connections?: Connections | undefined;
  /** Which hosts have banned us. @default none is known to */
  readonly bans?: Bans | undefined;
  /** Which hosts refuse us. @default none is known to */
  readonly denials?: Denials | undefined;
}

/** Never called. It puts the package into the module graph, so that `deno compile` embeds it. */
const _ccxtPackage = (): Promise<unknown> => import("ccxt");

/**
 * Creates an instance of one exchange class without loading the others: 0.15 s and 70 MB, instead of 0.6 s and 122 MB
 * for the whole package.
 */
export async function openCcxt(id: string, options: OpenCcxtOptions): Promise<CcxtExchange> {
  const main = import.meta.resolve("ccxt");
  const module = await import(new URL(`./src/${id}.js`, main).href) as {
    readonly default: new (config: Readonly<Record<string, unknown>>) => PatchedExchange;
  };
  await boundPrecise(main);
  const exchange = new module.default({ ...options.config, enableRateLimit: true });
  if (options.spotOnly) askForSpotOnly(exchange, options.config);
  // Loading currencies is a second, heavy request, and candles do not need it.
  exchange.has["fetchCurrencies"] = false;
  patch(exchange, options);
  return exchange;
}

/** All exchange ids of this CCXT version that the program can ask for candles. */
export async function exchangeIds(): Promise<readonly string[]> {
  const main = import.meta.resolve("ccxt");
  const ids: string[] = [];
  for await (const entry of Deno.readDir(new URL("./src/", main))) {
    const id = /^([a-z0-9]+)\.js$/.exec(entry.name)?.[1];
    if (id !== undefined) ids.push(id);
  }
  return ids.sort();
}

function patch(
  exchange: PatchedExchange,
  { onCost, bans, denials, connections = new Connections() }: OpenCcxtOptions,
): void {
  // Keep prices as the decimal texts that the exchange sent. CCXT's own parseNumber converts `1e-10` to a double.
  exchange.number = String;
  exchange.parseNumber = (value, otherwise) => value === undefined ? otherwise : String(value);
  // The body of the request was parsed when it came.
  exchange.parseJson = (text) => {
    const call = currentCall();
    return call?.told === text ? call.json : parseJsonOrUndefined(text);
  };
  skipKeyCheckUnlessSigning(exchange);
  // If handleErrors returns anything, CCXT does not check the HTTP status. Bitfinex's class returns every list, so a
  // 503 with `["error", 20060, "maintenance"]` or `[]` would pass for an answer.
  const handleErrors = exchange.handleErrors.bind(exchange);
  exchange.handleErrors = (status, ...rest) => {
    const handled = handleErrors(status, ...rest);
    return status >= 400 ? undefined : handled;
  };
  // Pace limits the rate before the call, so that the wait does not count against the request's deadline.
  exchange.throttle = (cost = 1) => {
    const call = currentCall();
    if (call?.replayed === undefined) onCost(cost, call?.lane);
    return Promise.resolve();
  };
  keepAllRows(exchange);
  // Else CCXT finds a market `constructor` in a dictionary that has none.
  exchange.createSafeDictionary = () => Object.create(null);
  boundNumbers(exchange);
  const send = exchange.fetch.bind(exchange);
  exchange.fetch = (...request) => runRequest(() => send(...request));
  exchange.setProxyAgents = () => undefined;
  exchange.fetchImplementation = transport(
    { connections, bans, denials },
    (url) => exchange.checkProxySettings(url).find((proxy) => proxy !== undefined && proxy !== ""),
  );
}

/**
 * Notes every row of an answer in the call, in the exchange's order. CCXT sorts rows, and drops those outside `since`
 * and `limit`, which show whether the exchange honoured them; Bitopro's class even invents candles between the rows.
 */
function keepAllRows(exchange: PatchedExchange): void {
  const { parseOHLCVs, parseOHLCV } = exchange;
  // Btcturk has a parser of its own: its answer is a list for each column.
  const isOwn = parseOHLCVs !== baseOf(exchange).parseOHLCVs;
  exchange.parseOHLCVs = (rows, ...rest) => {
    const parsed: unknown[] = [];
    const parse = (row: unknown, market: unknown): unknown => {
      const candle = withOpenTime(exchange.id, row, parseOHLCV.call(exchange, row, market));
      parsed.push(candle);
      return candle;
    };
    if (isOwn) {
      exchange.parseOHLCV = parse;
      parseOHLCVs.call(exchange, rows, ...rest);
    } else if (typeof rows !== "string") { for (const row of rows) parse(row, rest[0]); }
    const call = currentCall();
    if (call !== undefined) {
      call.rows = call.rows === undefined ? parsed : [...call.rows, ...parsed];
    }
    return parsed;
  };
  // All classes end with this method when they list funding rates.
  const filter = exchange.filterBySymbolSinceLimit.bind(exchange);
  exchange.filterBySymbolSinceLimit = (rows, ...rest) => {
    const call = currentCall();
    if (call === undefined) return filter(rows, ...rest);
    call.rows = rows;
    return rows;
  };
}

/** CCXT's base class, from which all exchanges inherit. */
function baseOf(exchange: PatchedExchange): PatchedExchange {
  let proto = Object.getPrototypeOf(exchange);
  while (proto.constructor.name !== "Exchange") proto = Object.getPrototypeOf(proto);
  return proto;
}

/**
 * Answers `checkRequiredCredentials(false)` with "no keys", except while a request is signed. Otherwise five classes
 * also fetch account, margin and fee data while they load markets. Candles do not need that, and a wrong key would
 * make the whole load fail.
 */
function skipKeyCheckUnlessSigning(exchange: PatchedExchange): void {
  const check = exchange.checkRequiredCredentials.bind(exchange);
  const sign = exchange.sign.bind(exchange);
  let isSigning = false;
  exchange.sign = (...request) => {
    isSigning = true;
    try {
      return sign(...request);
    } finally {
      isSigning = false;
    }
  };
  exchange.checkRequiredCredentials = (isRequired = true) =>
    (isRequired || isSigning) && check(isRequired);
}

function parseJsonOrUndefined(text: string): unknown {
  const start = text.trimStart()[0];
  if (start !== "{" && start !== "[") return undefined;
  try {
    return parseExactJson(text);
  } catch {
    return undefined;
  }
}

/**
 * Limits `options.fetchMarkets.types` to spot, if the class has that option: a list (binance, okx) or a tree of flags
 * (mexc, htx). The user's own options win.
 */
function askForSpotOnly(exchange: CcxtExchange, config: Readonly<Record<string, unknown>>): void {
  const given = config["options"] as Readonly<Record<string, unknown>> | undefined;
  if (given?.["fetchMarkets"] === undefined) {
    const fetchMarkets = exchange.options["fetchMarkets"] as
      | { types?: unknown; fetchTickersFees?: boolean }
      | undefined;
    if (fetchMarkets !== null && typeof fetchMarkets === "object") {
      const { types } = fetchMarkets;
      if (Array.isArray(types) && types.includes("spot")) fetchMarkets.types = ["spot"];
      else if (isRecord(types) && types["spot"] === true) {
        fetchMarkets.types = { ...allFalse(types), spot: true };
      }
      // KuCoin's class loads the tickers of all markets for their fees: a heavy request that candles do not need.
      if (fetchMarkets.fetchTickersFees === true) fetchMarkets.fetchTickersFees = false;
    }
  }
  if (given?.["defaultType"] === undefined && exchange.options["defaultType"] !== undefined) {
    exchange.options["defaultType"] = "spot";
  }
}

function allFalse(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(flags).map(([key, value]) => [key, isRecord(value) ? allFalse(value) : false]),
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
