/** What CCXT's class of an exchange would send: its requests are noted and not sent. @module */
import type { CcxtExchange, CcxtMarket } from "./ccxt.ts";

/** An instance whose requests are noted and not sent. */
interface UnsentExchange extends CcxtExchange {
  throttle: (cost?: number) => Promise<void>;
  milliseconds: () => number;
  fetch: (url: string, method: string, headers: unknown, body: unknown) => Promise<never>;
}

/** The candles that one request would ask for. */
export interface CandleAsk {
  readonly timeframe: string;
  readonly sinceMs: number;
  /** Undefined: the class decides. */
  readonly rows: number | undefined;
  /** @default none */
  readonly params?: Readonly<Record<string, string | number>> | undefined;
}

export interface UnsentRequests {
  /** URL and body of each. */
  readonly requests: readonly string[];
  /** What CCXT would charge for them; 1 costs the exchange's interval between two requests. */
  readonly cost: number;
}

/**
 * What an instance that is used for nothing else would send for candles. As no answer comes, it is not seen what a class
 * would ask for after its first request.
 */
export async function askUnsent(
  ccxt: CcxtExchange,
  market: CcxtMarket,
  { timeframe, sinceMs, rows, params = {} }: CandleAsk,
): Promise<UnsentRequests> {
  return await noteUnsent(
    ccxt,
    market,
    () => ccxt.fetchOHLCV(market.symbol, timeframe, sinceMs, rows, params),
  );
}

/** {@linkcode askUnsent} for anything else: `ask` asks `ccxt`, which knows this market alone. */
export async function noteUnsent(
  ccxt: CcxtExchange,
  market: CcxtMarket,
  ask: () => Promise<unknown>,
): Promise<UnsentRequests> {
  const unsent = ccxt as UnsentExchange;
  const requests: string[] = [];
  let cost = 0;
  // Some requests carry the time: two are compared, and it must not tell them apart.
  const nowMs = unsent.milliseconds();
  unsent.milliseconds = () => nowMs;
  unsent.setMarkets([market]);
  unsent.throttle = (charged = 1) => {
    cost += charged;
    return Promise.resolve();
  };
  unsent.fetch = (url, _method, _headers, body) => {
    requests.push(`${url} ${body}`);
    return Promise.reject(new Error("not sent"));
  };
  await ask().catch(() => undefined);
  return { requests, cost };
}

/**
 * Whether a class tells the exchange in what two windows differ, of which only that differs. Where it sends nothing, or more
 * than one request, it is not known, and assumed.
 */
export function areTold(one: UnsentRequests, other: UnsentRequests): boolean {
  const isSingle = one.requests.length === 1 && other.requests.length === 1;
  return !isSingle || one.requests[0] !== other.requests[0];
}
