/** How a class of CCXT is asked for the tickers of one kind of market, without naming symbols. @module */
import type { SymbolKind } from "../market/symbol.ts";
import { factOf } from "./ancestry.ts";
import type { CcxtExchange } from "./ccxt.ts";

/** One call of `fetchTickers`: which kind its options name, and its parameters. */
interface TickerAsk {
  readonly options: Readonly<Record<string, string>>;
  readonly params: Readonly<Record<string, unknown>>;
}

/**
 * What CCXT's classes read where no symbol is named. Not as parameters: a class that does not know these would send them to
 * its exchange.
 */
const OPTIONS: Readonly<Record<SymbolKind, Readonly<Record<string, string>>>> = {
  spot: { defaultType: "spot" },
  linear: { defaultType: "swap", defaultSubType: "linear" },
  inverse: { defaultType: "swap", defaultSubType: "inverse" },
};

/** Classes that give the contracts of one settle currency a call. */
const PARAMS: Readonly<
  Record<string, (kind: SymbolKind, quotes: readonly string[]) => readonly TickerAsk["params"][]>
> = {
  gate: (kind) => kind === "inverse" ? [{ settle: "btc" }] : [{}],
  bitget: (kind, quotes) =>
    kind === "linear"
      ? ["USDT", "USDC"].filter((quote) => quotes.includes(quote))
        .map((quote) => ({ productType: `${quote}-FUTURES` }))
      : [{}],
};

/** The calls that bring the tickers of a kind against these quotes. */
export function tickerAsks(
  exchange: string,
  kind: SymbolKind,
  quotes: readonly string[],
): readonly TickerAsk[] {
  const all = factOf(PARAMS, exchange)?.(kind, quotes) ?? [{}];
  return all.map((params) => ({ options: OPTIONS[kind], params }));
}

/** Makes a call while the instance has other options. It must be one that nothing else is asked of. */
export async function withOptions<T>(
  ccxt: Pick<CcxtExchange, "options">,
  options: Readonly<Record<string, unknown>>,
  fn: () => Promise<T>,
): Promise<T> {
  const before = { ...ccxt.options };
  Object.assign(ccxt.options, options);
  try {
    return await fn();
  } finally {
    for (const name of Object.keys(options)) {
      if (Object.hasOwn(before, name)) ccxt.options[name] = before[name];
      else delete ccxt.options[name];
    }
  }
}
