/** The real CCXT classes with their contracts, pointed at a local exchange. @module */
import { ccxtClass, type CcxtClient, type CcxtMarket, type CcxtRow } from "./ccxt_client.ts";

type Params = Readonly<Record<string, unknown>>;

/** How a class is asked for the candles of one price. */
export type FetchCandles =
  | "fetchOHLCV"
  | "fetchMarkOHLCV"
  | "fetchIndexOHLCV"
  | "fetchPremiumIndexOHLCV";

export interface ContractClient extends CcxtClient, Record<FetchCandles, CcxtClient["fetchOHLCV"]> {
  loadMarkets(): Promise<Record<string, ContractMarket>>;
  fetchFundingRateHistory(
    symbol: string,
    since?: number,
    limit?: number,
    params?: Params,
  ): Promise<FundingRate[]>;
}

interface ContractMarket extends CcxtMarket {
  readonly id: string;
  readonly settle: string;
  readonly linear: boolean;
  readonly inverse: boolean;
  readonly swap: boolean;
  /** Text, as all numbers here. */
  readonly contractSize: string;
  readonly expiry: number | undefined;
}

interface FundingRate {
  readonly symbol: string;
  readonly timestamp: number;
  readonly fundingRate: string;
}

export type { CcxtRow };

/** Per class: where its public URLs are kept, and how it lists contracts alone. */
const CONFIGS: Readonly<Record<string, (url: string) => Params>> = {
  bybit: (url) => ({
    urls: { api: { public: url } },
    options: { fetchMarkets: { types: ["linear", "inverse"] }, defaultType: "swap" },
  }),
  okx: (url) => ({
    urls: { api: { rest: url } },
    options: { fetchMarkets: { types: ["swap", "future"] }, defaultType: "swap" },
  }),
  gate: (url) => ({
    urls: { api: { public: { futures: `${url}/api/v4`, delivery: `${url}/api/v4` } } },
    options: { fetchMarkets: { types: ["swap", "future"] }, defaultType: "swap" },
  }),
};

/** A CCXT instance of the class `exchange` that speaks to the server at `url`, without a rate limit. */
export async function contractClient(exchange: string, url: string): Promise<ContractClient> {
  const configure = CONFIGS[exchange];
  if (configure === undefined) throw new RangeError(`No configuration for ${exchange}`);
  const options = { enableRateLimit: false, number: String, has: { fetchCurrencies: false } };
  return new (await ccxtClass(exchange))({ ...options, ...configure(url) }) as ContractClient;
}
