/** Local exchanges that note which candles they were asked for, in words that all dialects have in common. @module */
import { systemClock } from "../../lib/clock.ts";
import { manyMarkets } from "./many_exchanges.ts";
import type { Dialect } from "./local_exchange/dialect.ts";
import { type LocalExchange, startLocalExchange } from "./local_exchange/faulty_exchange.ts";

/** A request for candles. */
export interface AskedCandles {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  readonly atMs: number;
}

export interface AskedExchanges {
  /** In the order of arrival. */
  readonly asked: readonly AskedCandles[];
  readonly faultsOf: (exchange: string) => LocalExchange["faults"];
  readonly proxyUrlOf: (exchange: string) => string;
  readonly close: () => Promise<void>;
}

/** Starts one server for each dialect, all with the same few markets. */
export async function startAskedExchanges(dialects: readonly Dialect[]): Promise<AskedExchanges> {
  const asked: AskedCandles[] = [];
  const symbols = manyMarkets(4);
  const started = new Map<string, LocalExchange>();
  for (const dialect of dialects) {
    const { exchange } = dialect;
    const read: Dialect["read"] = (request) => {
      const ask = dialect.read(request);
      if (ask?.about === "candles") {
        const { symbol: { symbol }, timeframe: { text: timeframe }, page } = ask;
        const { sinceMs, untilMs } = page;
        asked.push({ exchange, symbol, timeframe, sinceMs, untilMs, atMs: request.nowMs });
      }
      return ask;
    };
    const clock = systemClock;
    const local = await startLocalExchange({ clock, symbols, dialect: { ...dialect, read } });
    started.set(exchange, local);
  }
  return {
    asked,
    faultsOf: (exchange) => started.get(exchange)!.faults,
    proxyUrlOf: (exchange) => started.get(exchange)!.proxyUrl,
    close: async () => {
      await Promise.all([...started.values()].map((local) => local.close()));
    },
  };
}
