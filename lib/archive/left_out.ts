/** Configured timeframes that are left out, because an exchange does not have them for a class of its markets. @module */
import { isTimeframeTrue, opensElsewhere } from "../exchange/limits.ts";
import { type MarketClass, marketClassOf } from "../market/market_class.ts";

/** A timeframe that is left out. */
export interface LeftOut {
  readonly timeframe: string;
  /** `opens_elsewhere`: its candles open at other times than UTC's; `lacked`: the exchange has none. */
  readonly why: "opens_elsewhere" | "lacked";
  /** Of which markets; undefined if of all that are wanted. */
  readonly classes: readonly MarketClass[] | undefined;
}

/** Why series of a market and a timeframe are left out; undefined if they are not. */
export function whyLeftOut(
  exchange: string,
  marketClass: MarketClass,
  timeframe: string,
): LeftOut["why"] | undefined {
  if (!isTimeframeTrue(exchange, marketClass, timeframe)) return "lacked";
  return opensElsewhere(exchange, marketClass, timeframe) ? "opens_elsewhere" : undefined;
}

/** The timeframes that are left out of the markets of these symbols. */
export function leftOut(
  exchange: string,
  { symbols, timeframes }: {
    readonly symbols: readonly string[];
    readonly timeframes: readonly string[];
  },
): readonly LeftOut[] {
  const wanted = [...new Set(symbols.map(marketClassOf))];
  return timeframes.flatMap((timeframe) => {
    const whys = Map.groupBy(wanted, (one) => whyLeftOut(exchange, one, timeframe));
    return [...whys].flatMap(([why, classes]) =>
      why === undefined
        ? []
        : [{ timeframe, why, classes: classes.length === wanted.length ? undefined : classes }]
    );
  });
}

/** What to tell about a timeframe that is left out. */
export function leftOutText(exchange: string, { timeframe, why, classes }: LeftOut): string {
  const reason = why === "opens_elsewhere"
    ? `opens ${timeframe} at other times than UTC's`
    : `has no ${timeframe}`;
  const settings = `Leave ${timeframe} out of TIMEFRAMES and BACKFILL`;
  if (classes === undefined) {
    return `${exchange} ${timeframe} is left out: this exchange ${reason}. ${settings}`;
  }
  const markets = `${classes.join(" and ")} markets`;
  return `${exchange} ${timeframe} of ${markets} is left out: this exchange ${reason} for them. ` +
    `${settings}, or the symbols of these markets out of SYMBOLS`;
}
