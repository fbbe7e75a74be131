/** The real CCXT classes, pointed at a local exchange: what the dialects are measured against. @module */

/** The part of a CCXT exchange that Titan-10 uses. Values are text: `number` is `String`. */
export interface CcxtClient {
  loadMarkets(): Promise<Record<string, CcxtMarket>>;
  fetchTickers(symbols?: readonly string[], params?: Params): Promise<Record<string, CcxtTicker>>;
  fetchOHLCV(
    symbol: string,
    timeframe?: string,
    since?: number,
    limit?: number,
    params?: Params,
  ): Promise<CcxtRow[]>;
  fetchFundingRateHistory(
    symbol: string,
    since?: number,
    limit?: number,
    params?: Params,
  ): Promise<CcxtFunding[]>;
}

export interface CcxtFunding {
  readonly symbol: string;
  readonly timestamp: number;
  readonly fundingRate: string;
}

export interface CcxtMarket {
  readonly id: string;
  readonly symbol: string;
  readonly type: string;
  readonly spot: boolean;
  readonly active: boolean;
  readonly contractSize: string | undefined;
  readonly expiry: number | undefined;
  readonly precision: { readonly price: string };
}

export interface CcxtTicker {
  readonly last: string;
  readonly quoteVolume: string | undefined;
  readonly baseVolume: string | undefined;
}

/** Time, open, high, low, close, volume. */
export type CcxtRow = readonly [number, ...(string | undefined)[]];

type Params = Readonly<Record<string, unknown>>;

/** Per class: where its public URLs are kept, and how its markets load slim and spot only. */
const CONFIGS: Readonly<Record<string, (url: string) => Params>> = {
  binance: (url) => ({
    urls: { api: { public: `${url}/api/v3` } },
    options: { fetchMarkets: { types: ["spot"] } },
  }),
  // Their own kinds of market alone are loaded.
  binanceusdm: (url) => ({ urls: { api: { fapiPublic: `${url}/fapi/v1` } } }),
  binancecoinm: (url) => ({ urls: { api: { dapiPublic: `${url}/dapi/v1` } } }),
  // Needs no types: it has spot markets only. Without `has` it would also ask for all assets.
  kraken: (url) => ({ urls: { api: { public: url } }, has: { fetchCurrencies: false } }),
  okx: (url) => ({
    urls: { api: { rest: url } },
    options: { fetchMarkets: { types: ["spot"] } },
  }),
  // Futures are always asked for as well, twice; a failure of those is swallowed.
  coinbase: (url) => ({ urls: { api: { rest: url } }, has: { fetchCurrencies: false } }),
  bybit: (url) => ({
    urls: { api: { public: url } },
    // Its default type is swap, which fetchTickers would then ask for.
    options: { fetchMarkets: { types: ["spot"] }, defaultType: "spot" },
  }),
  // Futures are always asked for as well.
  bingx: (url) => ({
    urls: {
      api: { spot: `${url}/openApi`, swap: `${url}/openApi`, cswap: `${url}/openApi` },
    },
    has: { fetchCurrencies: false },
  }),
  upbit: (url) => ({ urls: { api: { public: url } } }),
  poloniex: (url) => ({ urls: { api: { spot: url, swap: url } }, has: { fetchCurrencies: false } }),
  hitbtc: (url) => ({
    urls: { api: { public: `${url}/api/3` } },
    has: { fetchCurrencies: false },
  }),
  bitvavo: (url) => ({ urls: { api: { public: url } }, has: { fetchCurrencies: false } }),
  cryptocom: (url) => ({
    urls: { api: { v1: `${url}/exchange/v1` } },
    has: { fetchCurrencies: false },
  }),
  bitfinex: (url) => ({ urls: { api: { public: url } }, has: { fetchCurrencies: false } }),
  bitstamp: (url) => ({
    urls: { api: { public: `${url}/api` } },
    has: { fetchCurrencies: false },
  }),
  gemini: (url) => ({ urls: { api: { public: url } }, has: { fetchCurrencies: false } }),
  whitebit: (url) => ({
    urls: {
      api: { v1: { public: `${url}/api/v1/public` }, v4: { public: `${url}/api/v4/public` } },
    },
    has: { fetchCurrencies: false },
  }),
  // Fees would be looked up among the tickers of all markets.
  kucoin: (url) => ({
    urls: { api: { public: url } },
    options: { fetchMarkets: { types: ["spot"], fetchTickersFees: false } },
    has: { fetchCurrencies: false },
  }),
  gate: (url) => ({
    urls: { api: { public: { spot: `${url}/api/v4`, margin: `${url}/api/v4` } } },
    options: { fetchMarkets: { types: ["spot"] } },
    has: { fetchCurrencies: false },
  }),
  bitget: (url) => ({
    urls: { api: { spot: url, margin: url } },
    options: { fetchMarkets: { types: ["spot"] } },
    has: { fetchCurrencies: false },
  }),
  // Futures are always asked for as well.
  mexc: (url) => ({
    urls: { api: { spot: { public: url }, contract: { public: `${url}/api/v1/contract` } } },
    has: { fetchCurrencies: false },
  }),
  htx: (url) => ({
    urls: { api: { spot: url } },
    options: { fetchMarkets: { types: { spot: true, linear: false, inverse: false } } },
    has: { fetchCurrencies: false },
  }),
};

/** A CCXT instance of the class `exchange` that speaks to the server at `url`, without a rate limit. */
export async function ccxtClient(
  exchange: string,
  url: string,
  overrides: Params = {},
): Promise<CcxtClient> {
  const configure = CONFIGS[exchange];
  if (configure === undefined) throw new RangeError(`No configuration for ${exchange}`);
  return new (await ccxtClass(exchange))({
    enableRateLimit: false,
    number: String,
    ...configure(url),
    ...overrides,
  });
}

/** One class is loaded by its file: the package's main module would load all hundred of them. */
export async function ccxtClass(exchange: string): Promise<new (config: Params) => CcxtClient> {
  const main = import.meta.resolve("ccxt");
  return (await import(new URL(`./src/${exchange}.js`, main).href)).default;
}
