/** What is known of an exchange's requests for candles, by kind of market and timeframe. @module */
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Known } from "../archive/capability.ts";
import { archivedTimeframes, type ExchangeSettings } from "../config/exchange_settings.ts";
import { symbolsOfKinds } from "../config/symbols.ts";
import { isTimeframeTrue } from "../exchange/limits.ts";
import { type MarketClass, marketClassOf } from "../market/market_class.ts";
import { iso } from "./check.ts";

/** See `Capability` for the meaning of the fields. Null means not known yet. */
export interface CapabilityEntry {
  /** `spot`, `linear`, `inverse`; with the price if it is not that of trades: `linear@mark`. */
  readonly market: MarketClass;
  readonly timeframe: string;
  readonly pageRows: Known<number>;
  readonly rowsSeen: number;
  readonly sinceHonoured: Known<boolean> | null;
  readonly newestCandles: Known<number> | null;
  readonly omitsSilent: Known<boolean> | null;
  readonly learnedAt: string | null;
}

/** Of the kinds of markets whose series are archived; before they are known, of those that are configured. */
export function capabilityEntries(
  exchange: ArchivedExchange,
  settings: ExchangeSettings,
): readonly CapabilityEntry[] {
  const archived = exchange.markets.series.map(({ symbol }) => symbol);
  const symbols = archived.length === 0 ? symbolsOfKinds(settings.symbols) : archived;
  return [...new Set(symbols.map(marketClassOf))].sort().flatMap((market) =>
    archivedTimeframes(settings)
      .filter((text) => isTimeframeTrue(exchange.id, market, text))
      .map((text) => entryOf(exchange, market, text))
  );
}

function entryOf(
  { capabilities }: ArchivedExchange,
  market: MarketClass,
  timeframe: string,
): CapabilityEntry {
  const capability = capabilities.ofClass(market, timeframe);
  const { learnedAtMs } = capability;
  return {
    market,
    timeframe,
    pageRows: capability.pageRowsMax,
    rowsSeen: capability.rowsMaxSeen,
    sinceHonoured: capability.isSinceHonoured ?? null,
    newestCandles: capability.newestCandles ?? null,
    omitsSilent: capability.omitsSilent ?? null,
    learnedAt: learnedAtMs === undefined ? null : iso(learnedAtMs),
  };
}
