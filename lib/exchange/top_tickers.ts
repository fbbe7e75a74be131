/** Asks an exchange for the tickers of the kinds of markets of which the most traded are wanted. @module */
import { ANSWER_BOUNDS } from "./answer_budget.ts";
import type { CcxtExchange, CcxtTicker } from "./ccxt.ts";
import type { ExchangeCalls } from "./exchange_calls.ts";
import { withoutOddEntries } from "./odd_entries.ts";
import { tickerAsks, withOptions } from "./ticker_asks.ts";
import { quotesOf, topSymbols, type TopSymbolsOptions } from "./top_symbols.ts";

interface TopOptions {
  readonly tops: readonly TopSymbolsOptions[];
  readonly signal?: AbortSignal | undefined;
}

/** The most traded symbols of the markets of an instance, see {@linkcode topSymbols}. */
export async function topOfTickers(
  ccxt: CcxtExchange,
  calls: ExchangeCalls,
  { tops, signal }: TopOptions,
): Promise<readonly string[]> {
  const exchange = ccxt.id;
  const tickers: Record<string, CcxtTicker> = {};
  for (const [kind, choices] of Map.groupBy(tops, ({ kind = "spot" }) => kind)) {
    for (const { options, params } of tickerAsks(exchange, kind, choices.flatMap(quotesOf))) {
      const told = await calls.run(
        `fetch the tickers of ${kind} markets of ${exchange}`,
        { signal, bounds: ANSWER_BOUNDS.lists },
        () =>
          withOptions(
            ccxt,
            options,
            () => withoutOddEntries(() => ccxt.fetchTickers(undefined, params), ccxt.options),
          ),
      );
      Object.assign(tickers, told);
    }
  }
  return topSymbols(Object.values(ccxt.markets ?? {}), tickers, { exchange, choices: tops });
}
