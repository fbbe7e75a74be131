/** What an exchange lists, as one answer said it. @module */
import type { CcxtMarket } from "./ccxt.ts";

/**
 * The markets by symbol. A list never changes: loading again makes another one. Candles are asked for with it, so that
 * what one caller loads changes nothing for another.
 */
export type MarketList = ReadonlyMap<string, MarketFacts>;

/** A market as far as the archive cares. */
export interface MarketFacts {
  /** The exchange's own name of it, which stays when CCXT's symbol changes. */
  readonly id: string | undefined;
  /** Whether it is traded now. */
  readonly isActive: boolean;
  readonly isSpot: boolean;
}

/** The list of what CCXT has loaded. */
export function marketList(markets: Readonly<Record<string, CcxtMarket>> = {}): MarketList {
  return new Map(
    Object.entries(markets).map(([symbol, { id, active, spot }]) => [
      symbol,
      { id, isActive: active !== false, isSpot: spot !== false },
    ]),
  );
}
