/** Half-open, aligned time ranges. One page asks for one window. @module */
import { addCandles, countCandles, type Timeframe } from "./timeframe.ts";

/** `[sinceMs, untilMs)` in milliseconds since the Unix epoch, both aligned to the series' timeframe. */
export interface Window {
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** How many candles open inside the window. */
export function windowCandles(timeframe: Timeframe, window: Window): number {
  return countCandles(timeframe, window.sinceMs, window.untilMs);
}

/** A window as text: `[2024-01-01T00:00:00.000Z, 2024-01-02T00:00:00.000Z)`. */
export function windowName({ sinceMs, untilMs }: Window): string {
  return `[${new Date(sinceMs).toISOString()}, ${new Date(untilMs).toISOString()})`;
}

/** The older and the newer half of a window of at least two candles. */
export function halves(timeframe: Timeframe, window: Window): readonly [Window, Window] {
  const half = Math.max(1, Math.floor(windowCandles(timeframe, window) / 2));
  const middleMs = addCandles(timeframe, window.sinceMs, half);
  return [
    { sinceMs: window.sinceMs, untilMs: middleMs },
    { sinceMs: middleMs, untilMs: window.untilMs },
  ];
}
