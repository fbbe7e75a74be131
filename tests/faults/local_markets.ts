/** The markets of a schedule's exchange, and how one of them becomes another. @module */
import { type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import { perpetualOf } from "../support/local_exchange/binance.ts";
import { BINANCE } from "./exchange_class.ts";
import type { Schedule } from "./schedule.ts";

const MINUTE_MS = 60_000;

/** A second market under the symbol of a first one. */
export interface SecondMarket {
  readonly first: LocalSymbol;
  readonly second: LocalSymbol;
  /** When the first one ended; undefined where both are traded. Milliseconds. */
  readonly replacedAtMs: number | undefined;
}

/** Another coin that CCXT calls the same: its prices are far from the first one's. */
export function secondOf(first: LocalSymbol): LocalSymbol {
  const { overrides: _, ...rest } = first;
  return { ...rest, id: `${first.base}V2${first.quote}`, price: first.price * 7 };
}

/** Whether futures are archived as well. */
function hasFutures({ exchange, steps }: Schedule): boolean {
  return exchange === BINANCE && steps.some(({ fault }) => fault === "kind refused");
}

/** Markets of which one is silent for some minutes, and one has the smallest and the largest prices there are. */
export function marketsOf(schedule: Schedule, nowMs: number): readonly LocalSymbol[] {
  const { symbols, seed, exchange } = schedule;
  const minuteMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
  const spot = Array.from({ length: symbols }, (_, i): LocalSymbol => {
    const base = market(`Q${"ABCD"[i]}Z/USDT`, {
      tickDecimals: 2,
      price: 100 * (i + 1) + seed % 50,
      quoteVolume24h: 1_000_000,
    });
    if (i === 0) {
      const sinceMs = minuteMs - (90 + seed % 60) * MINUTE_MS;
      return { ...base, holes: [{ sinceMs, untilMs: sinceMs + (2 + seed % 9) * MINUTE_MS }] };
    }
    // Other dialects write prices with the decimals of the market's step.
    if (i !== 1 || exchange !== BINANCE) return base;
    const extreme = (value: string) => ({ open: value, high: value, low: value, close: value });
    return {
      ...base,
      overrides: ["0.000000000000000001", "1000000000000000000"].map((value, k) => ({
        timeframe: "1m",
        openTimeMs: minuteMs - (40 + k + seed % 100) * MINUTE_MS,
        values: { ...extreme(value), volume: value },
      })),
    };
  });
  const [first] = spot;
  return hasFutures(schedule) && first !== undefined ? [...spot, perpetualOf(first)] : spot;
}
