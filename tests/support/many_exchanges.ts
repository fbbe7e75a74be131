/** Local exchanges of many dialects in one process, each with the same markets, as settings of the program. @module */
import type { Clock } from "../../lib/clock.ts";
import type { Dialect } from "./local_exchange/dialect.ts";
import { type LocalExchange, startLocalExchange } from "./local_exchange/faulty_exchange.ts";
import { type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import { TESTED_DIALECTS } from "./dialects/tested_dialects.ts";

export interface ManyExchanges {
  readonly exchanges: readonly { readonly dialect: Dialect; readonly local: LocalExchange }[];
  /** `EXCHANGES`, `SYMBOLS`, and `EXCHANGE_<ID>` of each, with nothing in it but the way there. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Few: what is asked for hours must not be remembered for as long. */
const REQUESTS_MAX = 1_000;

/**
 * Starts the first so many of the tested exchanges.
 *
 * @throws RangeError when there are not as many exchanges, or letters for the symbols.
 */
export async function startManyExchanges(
  { exchanges, symbols, clock }: {
    readonly exchanges: number;
    readonly symbols: number;
    readonly clock: Clock;
  },
): Promise<ManyExchanges> {
  if (exchanges > TESTED_DIALECTS.length) {
    throw new RangeError(`Cannot start ${exchanges} exchanges of ${TESTED_DIALECTS.length}`);
  }
  const markets = manyMarkets(symbols);
  const started = await Promise.all(
    TESTED_DIALECTS.slice(0, exchanges).map(async (dialect) => ({
      dialect,
      local: await startLocalExchange({
        clock,
        dialect,
        symbols: markets,
        requestsMax: REQUESTS_MAX,
      }),
    })),
  );
  const settings: Record<string, string> = {
    EXCHANGES: started.map(({ dialect }) => dialect.exchange).join(","),
    SYMBOLS: markets.map(({ symbol }) => symbol).join(","),
  };
  for (const { dialect, local } of started) {
    const { proxyUrl } = local;
    settings[`EXCHANGE_${dialect.exchange.toUpperCase()}`] = JSON.stringify({ proxyUrl });
  }
  return { exchanges: started, settings };
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Markets that were always there, of three letters each, which every exchange can spell. */
export function manyMarkets(count: number): readonly LocalSymbol[] {
  if (count > LETTERS.length) throw new RangeError(`Cannot name ${count} markets by one letter`);
  return [...LETTERS.slice(0, count)].map((letter, i) =>
    market(`Q${letter}Z/USDT`, { tickDecimals: 2, price: 100 + i, quoteVolume24h: 1_000_000 })
  );
}
