/** Asks an exchange which of its markets are traded most, one kind after the other. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import type { MarketList } from "../exchange/market_list.ts";
import { kindOf } from "../market/symbol.ts";
import { isOfOneKind, type KindFailure } from "./archived_symbols.ts";

/** What came, and what did not. */
interface TradedMost {
  /** The most traded symbols for `SYMBOLS=top:N`; empty where that is not wanted. */
  readonly top: readonly string[];
  readonly failures: readonly KindFailure[];
}

/**
 * The symbols that the rules of an exchange choose now. A kind that is refused leaves the others: what was chosen of it
 * before stays.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError when no kind is answered for.
 */
export async function askTradedMost(
  { config, failures, log }: Archive,
  exchange: ArchivedExchange,
  { list, ...options }: {
    readonly list: MarketList;
    readonly isBeyondShare?: boolean | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<TradedMost> {
  const { symbols: { tops } } = settingsOf(config, exchange.id);
  const listed = new Set([...list.keys()].map(kindOf));
  // Of a kind that could not be loaded there is nothing to choose.
  const kinds = [...Map.groupBy(tops, ({ kind = "spot" }) => kind)].filter(([kind], _at, all) =>
    listed.has(kind) || all.length === 1
  );
  const top: string[] = [];
  const failed: KindFailure[] = [];
  for (const [kind, tops] of kinds) {
    try {
      const found = await exchange.topSymbols(list, { tops, priority: "live", ...options });
      for (const symbol of found) top.push(symbol);
    } catch (error) {
      if (!isOfOneKind(error) || kinds.length === 1) throw error;
      // No symbol is unknown for that: it may only be that further ones would be chosen.
      failed.push({ kind: { has: () => false }, error });
      if (!failures.isNews(`${exchange.id} tickers of ${kind}`, String(error))) continue;
      log.warn("which markets are traded most is not known; those chosen before stay", {
        exchange: exchange.id,
        kind,
        error,
      });
    }
  }
  if (failed.length > 0 && failed.length === kinds.length) throw failed[0]?.error;
  return { top, failures: failed };
}
