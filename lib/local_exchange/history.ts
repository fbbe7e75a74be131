/** Which candles exist on the local exchange, and which of them answer a request. @module */
import {
  addCandles,
  ceilTime,
  closedUntil,
  floorTime,
  type Timeframe,
} from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { candleAt, type LocalCandle } from "./price_walk.ts";
import { isListed, type LocalSymbol } from "./local_symbol.ts";

/** What an exchange sends for a time without trades: no candle, or one that repeats the last close. */
export type Silence = "omitted" | "flat";

/** The candles of one market in one timeframe, as an exchange sends them at `nowMs`. */
export interface History {
  readonly symbol: LocalSymbol;
  readonly timeframe: Timeframe;
  readonly silence: Silence;
  readonly nowMs: number;
}

/** Which candles a request asks for, in the same form for all exchanges. */
export interface PageAsk {
  /** The earliest requested open time. */
  readonly sinceMs?: number | undefined;
  /** The first open time that is not requested any more. */
  readonly untilMs?: number | undefined;
  readonly rowsMax: number;
  /** Which candles are sent when there are more than `rowsMax` between the bounds. */
  readonly keep: "oldest" | "newest";
  readonly order: "ascending" | "descending";
}

/** The closed candles of a window, ascending: exactly those that a complete archive holds. */
export function closedCandles(history: History, window: Window): LocalCandle[] {
  const untilMs = Math.min(window.untilMs, closedUntil(history.timeframe, history.nowMs));
  const bounds = { sinceMs: window.sinceMs, untilMs };
  return page(history, { ...bounds, rowsMax: Infinity, keep: "oldest", order: "ascending" });
}

/** The candles of one answer. Always ascending, whatever order is requested; the last one may still be forming. */
export function page(history: History, ask: PageAsk): LocalCandle[] {
  const { timeframe, silence } = history;
  const { sinceMs, untilMs } = bounds(history, ask);
  const isForward = ask.keep === "oldest";
  const rows: LocalCandle[] = [];
  let openTimeMs = isForward ? ceilTime(timeframe, sinceMs) : floorTime(timeframe, untilMs - 1);
  while (sinceMs <= openTimeMs && openTimeMs < untilMs && rows.length < ask.rowsMax) {
    const hole = holeAround(history, openTimeMs);
    if (hole === undefined || silence === "flat") {
      rows.push(rowAt(history, openTimeMs, hole));
      openTimeMs = addCandles(timeframe, openTimeMs, isForward ? 1 : -1);
    } else {
      // Continue with the nearest candle after the hole that is not wholly inside it.
      openTimeMs = floorTime(timeframe, isForward ? hole.untilMs : hole.sinceMs - 1);
    }
  }
  return isForward ? rows : rows.reverse();
}

/** The window of a request, cut to `rowsMax` candles, whether or not these candles exist. */
export function askedWindow(history: History, ask: PageAsk): Window {
  const { sinceMs, untilMs } = bounds(history, ask);
  const { timeframe } = history;
  if (!Number.isFinite(ask.rowsMax) || untilMs <= sinceMs) return { sinceMs, untilMs };
  if (ask.keep === "oldest") {
    const endMs = addCandles(timeframe, ceilTime(timeframe, sinceMs), ask.rowsMax);
    return { sinceMs: ask.sinceMs ?? sinceMs, untilMs: Math.min(untilMs, endMs) };
  }
  const startMs = addCandles(timeframe, ceilTime(timeframe, untilMs), -ask.rowsMax);
  return { sinceMs: Math.max(sinceMs, startMs), untilMs };
}

/** The candle that is still forming, with its values so far. */
export function formingCandle(history: History): LocalCandle {
  return rowAt(history, closedUntil(history.timeframe, history.nowMs), undefined);
}

/** The requested bounds, cut to the time in which the market was traded, and to the present. */
function bounds({ symbol, timeframe, nowMs }: History, ask: PageAsk): Window {
  if (!isListed(symbol, nowMs)) return { sinceMs: nowMs, untilMs: nowMs };
  const firstMs = symbol.listedAtMs === undefined ? 0 : floorTime(timeframe, symbol.listedAtMs);
  // A candle that opens exactly at `lastMs` does not exist yet, because there was no trade in it.
  const lastMs = Math.min(nowMs, symbol.delistedAtMs ?? Infinity);
  return {
    sinceMs: Math.max(ask.sinceMs ?? -Infinity, firstMs),
    untilMs: Math.min(ask.untilMs ?? Infinity, lastMs),
  };
}

/** The hole that contains the whole candle, if there is one. */
function holeAround({ symbol, timeframe }: History, openTimeMs: number): Window | undefined {
  if (symbol.holes === undefined || symbol.holes.length === 0) return undefined;
  const endMs = addCandles(timeframe, openTimeMs, 1);
  return symbol.holes.find((hole) => hole.sinceMs <= openTimeMs && endMs <= hole.untilMs);
}

function rowAt(
  { symbol, timeframe, nowMs }: History,
  openTimeMs: number,
  hole: Window | undefined,
): LocalCandle {
  const candle = hole === undefined
    ? candleAt(symbol, timeframe, openTimeMs, { nowMs })
    : silentCandle({ symbol, timeframe, openTimeMs, hole });
  const override = symbol.overrides?.find((entry) =>
    entry.openTimeMs === openTimeMs && entry.timeframe === timeframe.text
  );
  return override === undefined ? candle : { ...candle, ...override.values };
}

/** The candle of an exchange that fills times without trades: the last close before the hole, and no volume. */
function silentCandle(
  { symbol, timeframe, openTimeMs, hole }: {
    readonly symbol: LocalSymbol;
    readonly timeframe: Timeframe;
    readonly openTimeMs: number;
    readonly hole: Window;
  },
): LocalCandle {
  const last = candleAt(symbol, timeframe, floorTime(timeframe, hole.sinceMs - 1));
  const price = last.close;
  const none = (0).toFixed(8);
  return {
    openTimeMs,
    open: price,
    high: price,
    low: price,
    close: price,
    volume: none,
    quoteVolume: none,
    trades: 0,
  };
}
