/** A local Binance with markets of all kinds, and the real class reading them through a proxy URL. @module */
import { LOCAL_CONTRACTS } from "../../../lib/local_exchange/contract.ts";
import { LOCAL_SYMBOLS } from "../../../lib/local_exchange/local_symbol.ts";
import type { LocalExchange, LocalExchangeOptions } from "../local_exchange/faulty_exchange.ts";
import { type CcxtClient, ccxtClient } from "./ccxt_client.ts";
import { get, withExchange } from "./local_client.ts";

export const FAPI = "https://fapi.binance.com/fapi/v1/";
export const DAPI = "https://dapi.binance.com/dapi/v1/";

export interface KindsScene {
  readonly exchange: LocalExchange;
  readonly client: CcxtClient;
  /** The answer to a URL of the exchange, and its status. */
  readonly ask: (url: string) => Promise<{ readonly status: number; readonly json: unknown }>;
}

/** Spot and contracts of one exchange. The client has Binance's own URLs. */
export function withKinds(
  use: (scene: KindsScene) => Promise<void>,
  options: Partial<LocalExchangeOptions> = {},
): Promise<void> {
  const symbols = [...LOCAL_SYMBOLS, ...LOCAL_CONTRACTS];
  return withExchange({ symbols, ...options }, async (exchange) => {
    const client = await ccxtClient("binance", "https://api.binance.com", {
      proxyUrl: exchange.proxyUrl,
      options: { fetchMarkets: { types: ["spot", "linear", "inverse"] } },
    });
    const ask = async (url: string): Promise<{ status: number; json: unknown }> => {
      const { status, body } = await get(exchange.proxyUrl + url);
      return { status, json: JSON.parse(body) };
    };
    await use({ exchange, client, ask });
  });
}
