/** The markets that an exchange lists, from one answer. @module */
import type { CcxtMarket } from "./ccxt.ts";

/**
 * The markets by symbol. A list never changes: loading again creates a new one. Requests for candles name the list they
 * use, so that loading by one caller does not affect the others.
 */
export type MarketList = ReadonlyMap<string, MarketFacts>;

/** The facts about a market that the archive uses. */
export interface MarketFacts {
  /** The exchange's own id of the market, which stays the same when CCXT's symbol changes. */
  readonly id: string | undefined;
  /** Whether the market is traded now. */
  readonly isActive: boolean;
  readonly isSpot: boolean;
}

/** Makes a list from the markets that CCXT has loaded. */
export function marketList(markets: Readonly<Record<string, CcxtMarket>> = {}): MarketList {
  return new Map(
    Object.entries(markets).map(([symbol, { id, active, spot }]) => [
      symbol,
      { id, isActive: active !== false, isSpot: spot !== false },
    ]),
  );
}
