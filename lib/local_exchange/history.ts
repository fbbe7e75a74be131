/** Which candles exist on the local exchange, and which of them one request is given. @module */
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

/** What an exchange does where nothing was traded: leave the candle out, or repeat the last close. */
export type Silence = "omitted" | "flat";

/** The candles of one market in one timeframe, as one exchange tells them at one moment. */
export interface History {
  readonly symbol: LocalSymbol;
  readonly timeframe: Timeframe;
  readonly silence: Silence;
  readonly nowMs: number;
}

/** Which candles a request wants, in the terms that all exchanges share. */
export interface PageAsk {
  /** The earliest open time wanted. */
  readonly sinceMs?: number | undefined;
  /** The first open time no longer wanted. */
  readonly untilMs?: number | undefined;
  readonly rowsMax: number;
  /** Which ones are given when more candles lie between the bounds than `rowsMax`. */
  readonly keep: "oldest" | "newest";
  readonly order: "ascending" | "descending";
}

/** The closed candles an exchange has to give in a window, ascending: what a complete archive holds of it. */
export function closedCandles(history: History, window: Window): LocalCandle[] {
  const untilMs = Math.min(window.untilMs, closedUntil(history.timeframe, history.nowMs));
  const bounds = { sinceMs: window.sinceMs, untilMs };
  return page(history, { ...bounds, rowsMax: Infinity, keep: "oldest", order: "ascending" });
}

/** The candles of one answer, ascending whatever the order asked; the last may still be forming. */
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
      // To the nearest candle on the hole's far side that is not wholly inside it.
      openTimeMs = floorTime(timeframe, isForward ? hole.untilMs : hole.sinceMs - 1);
    }
  }
  return isForward ? rows : rows.reverse();
}

/** The window a request is about, whatever exists in it: its bounds cut to `rowsMax` candles. */
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

/** The candle that is forming now, half of its truth. */
export function formingCandle(history: History): LocalCandle {
  return rowAt(history, closedUntil(history.timeframe, history.nowMs), undefined);
}

/** The asked bounds, cut to where the market was traded and to the present. */
function bounds({ symbol, timeframe, nowMs }: History, ask: PageAsk): Window {
  if (!isListed(symbol, nowMs)) return { sinceMs: nowMs, untilMs: nowMs };
  const firstMs = symbol.listedAtMs === undefined ? 0 : floorTime(timeframe, symbol.listedAtMs);
  // A candle exists from its first moment on: at its very open time there was no trade yet.
  const lastMs = Math.min(nowMs, symbol.delistedAtMs ?? Infinity);
  return {
    sinceMs: Math.max(ask.sinceMs ?? -Infinity, firstMs),
    untilMs: Math.min(ask.untilMs ?? Infinity, lastMs),
  };
}

/** The hole that swallows the whole candle, if there is one. */
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

/** What an exchange that fills silence makes up: the last close before it, and no volume. */
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
