/** Keeps requests for a symbol to the time in which it means the market that is asked. @module */
import { type Coverage, intersect } from "../market/coverage.ts";
import type { Series } from "../market/series.ts";
import { ceilTime } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Markets } from "../archive/markets_in_force.ts";

interface Ask {
  readonly window: Window;
  readonly owed?: Coverage | undefined;
}

/**
 * The part of a request that lies after the last time at which the symbol meant another market; undefined if nothing
 * does. It names the markets, so that later ones, in which the symbol may mean another market, are not asked instead.
 */
export function ofMarket<A extends Ask>(
  markets: Markets | undefined,
  { symbol, timeframe }: Series,
  ask: A,
): A & { readonly markets: Markets | undefined } | undefined {
  const { window: { sinceMs, untilMs }, owed } = ask;
  const fromMs = ceilTime(timeframe, markets?.replacedMs.get(symbol) ?? -Infinity);
  if (!(sinceMs < fromMs)) return { ...ask, markets };
  if (untilMs <= fromMs) return undefined;
  const window = { sinceMs: fromMs, untilMs };
  return { ...ask, markets, window, owed: owed && intersect(owed, [window]) };
}

/** The exchange's id of the market that a symbol means; undefined if it gives none. */
export function marketIdOf(
  markets: Markets | undefined,
  { symbol }: Series,
): string | undefined {
  return markets?.list.get(symbol)?.id;
}
