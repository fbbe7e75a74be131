/** CCXT's door: loads its classes one by one and fits each instance with our transport. @module */
import { boundBody } from "./bounded_body.ts";
import { currentCall, runRequest } from "./call.ts";
import { parseExactJson } from "./exact_json.ts";
import { Connections } from "./proxy.ts";

/** The part of a CCXT exchange that this program uses. */
export interface CcxtExchange {
  readonly id: string;
  readonly rateLimit: number;
  readonly timeframes: Readonly<Record<string, unknown>> | undefined;
  readonly features:
    | { readonly spot?: { readonly fetchOHLCV?: { readonly limit?: number } } }
    | undefined;
  readonly has: Record<string, boolean | "emulated" | undefined>;
  readonly options: Record<string, unknown>;
  markets: Readonly<Record<string, CcxtMarket>> | undefined;
  /** What {@linkcode CcxtExchange.loadMarkets} has resolved to, or will. */
  marketsLoading: Promise<unknown> | undefined;
  loadMarkets(reload?: boolean): Promise<Readonly<Record<string, CcxtMarket>>>;
  setMarkets(markets: Readonly<Record<string, CcxtMarket>>): unknown;
  fetchTickers(
    symbols?: undefined,
    params?: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, CcxtTicker>>>;
  fetchOHLCV(
    symbol: string,
    timeframe: string,
    sinceMs: number,
    limit: number,
    params: Readonly<Record<string, unknown>>,
  ): Promise<unknown[]>;
}

/** A market as CCXT unifies it; the fields that matter here. */
export interface CcxtMarket {
  /** The exchange's own name of the market. */
  readonly id?: string;
  readonly symbol: string;
  readonly base: string;
  readonly quote: string;
  readonly spot?: boolean;
  readonly active?: boolean;
}

/** A ticker as CCXT unifies it. Numbers arrive as decimal texts. */
export interface CcxtTicker {
  readonly symbol: string;
  readonly quoteVolume?: string | undefined;
  readonly baseVolume?: string | undefined;
  readonly last?: string | undefined;
}

/** The instance's members that are replaced; CCXT does not declare them as replaceable. */
interface Fittings extends CcxtExchange {
  number: (text: string) => string;
  parseNumber: (value: unknown, otherwise?: unknown) => unknown;
  throttle: (cost?: number) => Promise<void>;
  parseJson: (text: string) => unknown;
  handleErrors: (status: number, ...rest: readonly unknown[]) => unknown;
  parseOHLCVs: (rows: readonly unknown[], market?: unknown) => unknown[];
  parseOHLCV: (row: unknown, market?: unknown) => unknown;
  checkRequiredCredentials: (isRequired?: boolean) => boolean;
  sign: (...request: unknown[]) => unknown;
  checkProxySettings: (url: string) => readonly (string | undefined)[];
  setProxyAgents: () => undefined;
  fetchImplementation: (url: string, init: RequestInit) => Promise<Response>;
  fetch: (...request: unknown[]) => Promise<unknown>;
}

interface OpenCcxtOptions {
  /** Merged into the constructor's argument, `EXCHANGE_<ID>`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Load only spot markets, where the class can be told so. */
  readonly spotOnly: boolean;
  /** Called with the cost of every request before it is sent. */
  readonly onCost: (cost: number) => void;
  /** Shared by instances of one exchange. @default connections of its own */
  readonly connections?: Connections | undefined;
}

/** Never called: it puts the package into the module graph, so that `deno compile` embeds it. */
const _ccxtPackage = (): Promise<unknown> => import("ccxt");

/**
 * Makes an instance of one exchange class without loading the others: 0.15 s and 70 MB instead of 0.6 s
 * and 122 MB for the whole package.
 */
export async function openCcxt(id: string, options: OpenCcxtOptions): Promise<CcxtExchange> {
  const main = import.meta.resolve("ccxt");
  const module = await import(new URL(`./src/${id}.js`, main).href) as {
    readonly default: new (config: Readonly<Record<string, unknown>>) => Fittings;
  };
  const exchange = new module.default({ ...options.config, enableRateLimit: true });
  if (options.spotOnly) askForSpotOnly(exchange, options.config);
  // Currencies are a second, heavy request, and no candle needs them.
  exchange.has["fetchCurrencies"] = false;
  fit(exchange, options);
  return exchange;
}

/** All exchange ids of this CCXT that the program can ask for candles. */
export async function exchangeIds(): Promise<readonly string[]> {
  const main = import.meta.resolve("ccxt");
  const ids: string[] = [];
  for await (const entry of Deno.readDir(new URL("./src/", main))) {
    const id = /^([a-z0-9]+)\.js$/.exec(entry.name)?.[1];
    if (id !== undefined) ids.push(id);
  }
  return ids.sort();
}

function fit(
  exchange: Fittings,
  { onCost, connections = new Connections() }: OpenCcxtOptions,
): void {
  // Prices stay the decimal texts that the exchange wrote; CCXT's own parseNumber sends `1e-10` through a
  // double.
  exchange.number = String;
  exchange.parseNumber = (value, otherwise) => value === undefined ? otherwise : String(value);
  exchange.parseJson = (text) => {
    const json = parseJsonOrUndefined(text);
    const call = currentCall();
    if (call !== undefined) {
      call.json = json;
      if (json === undefined) call.unreadable++;
    }
    return json;
  };
  askNoMoreForKeys(exchange);
  // Whatever this returns keeps CCXT from looking at the status. Bitfinex's class returns every list, so that
  // a 503 with `["error", 20060, "maintenance"]`, or with `[]`, would be an answer.
  const handleErrors = exchange.handleErrors.bind(exchange);
  exchange.handleErrors = (status, ...rest) => {
    const handled = handleErrors(status, ...rest);
    return status >= 400 ? undefined : handled;
  };
  // Turns are given by Pace before the call, where waiting does not count as fetching.
  exchange.throttle = (cost = 1) => {
    onCost(cost);
    return Promise.resolve();
  };
  // CCXT's own version hides rows outside `since` and `limit`; they prove what the exchange did with both.
  if (!Object.hasOwn(Object.getPrototypeOf(exchange), "parseOHLCVs")) {
    exchange.parseOHLCVs = (rows, market) => rows.map((row) => exchange.parseOHLCV(row, market));
  }
  const send = exchange.fetch.bind(exchange);
  exchange.fetch = (...request) => runRequest(() => send(...request));
  exchange.setProxyAgents = () => undefined;
  exchange.fetchImplementation = transport(
    connections,
    (url) => exchange.checkProxySettings(url).find((proxy) => proxy !== undefined && proxy !== ""),
  );
}

/**
 * With `false` a class asks whether there are keys. While markets load, five then look into the account, at margins
 * and at fees: no candle needs that, and a wrong key would end them all. Who signs may ask.
 */
function askNoMoreForKeys(exchange: Fittings): void {
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

/** `fetch` for one exchange: aborted by its call, through its proxy, never following a redirect. */
function transport(
  connections: Connections,
  proxyFor: (url: string) => string | undefined,
): (url: string, init: RequestInit) => Promise<Response> {
  return async (url, init) => {
    const call = currentCall();
    call?.signal?.throwIfAborted();
    if (call !== undefined) {
      call.requests++;
      call.status = undefined;
      call.retryAfter = undefined;
      call.dateMs = undefined;
      call.json = undefined;
    }
    const response = await connections.fetch(url, {
      method: init.method ?? "GET",
      headers: init.headers ?? {},
      body: init.body ?? null,
      redirect: "error",
      // CCXT's own timer is left out: it ends with the headers, so a body that stalls would stall for ever.
      // The call's signal carries our deadline to the last byte.
      signal: call?.signal ?? null,
    }, proxyFor(url));
    if (call !== undefined) {
      call.status = response.status;
      call.retryAfter = response.headers.get("retry-after") ?? undefined;
      const dateMs = Date.parse(response.headers.get("date") ?? "");
      call.dateMs = Number.isNaN(dateMs) ? undefined : dateMs;
    }
    return await boundBody(response);
  };
}

/**
 * Narrows `options.fetchMarkets.types` to spot where the class has such an option, a list (binance, okx) or
 * a tree of flags (mexc, htx); the user's own options win.
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
      // KuCoin's class looks fees up among the tickers of all markets: another heavy request for nothing.
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
