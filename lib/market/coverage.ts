/** Set operations on coverage: sorted lists of half-open windows, like `tstzmultirange` in the database. @module */
import { ceilTime, countCandles, type Timeframe } from "./timeframe.ts";
import type { Window } from "./window.ts";

/** Windows in ascending order that neither overlap nor touch. */
export type Coverage = readonly Window[];

/** Coverage from windows in any order. Drops empty windows, merges overlapping and adjacent ones. */
export function coverageOf(windows: Iterable<Window>): Coverage {
  const sorted = [...windows].filter((window) => window.sinceMs < window.untilMs)
    .sort((a, b) => a.sinceMs - b.sinceMs);
  const merged: Window[] = [];
  for (const window of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && window.sinceMs <= last.untilMs) {
      if (window.untilMs > last.untilMs) {
        merged[merged.length - 1] = { sinceMs: last.sinceMs, untilMs: window.untilMs };
      }
    } else {
      merged.push(window);
    }
  }
  return merged;
}

/** What is in `a` or in `b`. */
export function unite(a: Coverage, b: Coverage): Coverage {
  return coverageOf([...a, ...b]);
}

/** What is in `a` and not in `b`. */
export function subtract(a: Coverage, b: Coverage): Coverage {
  const left: Window[] = [];
  let next = 0;
  for (const { sinceMs, untilMs } of a) {
    let startMs = sinceMs;
    while ((b[next]?.untilMs ?? Infinity) <= startMs) next++;
    for (let i = next; startMs < untilMs; i++) {
      const hole = b[i];
      if (hole === undefined || hole.sinceMs >= untilMs) {
        left.push({ sinceMs: startMs, untilMs });
        break;
      }
      if (hole.sinceMs > startMs) left.push({ sinceMs: startMs, untilMs: hole.sinceMs });
      startMs = Math.max(startMs, hole.untilMs);
    }
  }
  return left;
}

/** What is in both `a` and `b`. */
export function intersect(a: Coverage, b: Coverage): Coverage {
  const both: Window[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const [x, y] = [a[i], b[j]];
    if (x === undefined || y === undefined) return both;
    const sinceMs = Math.max(x.sinceMs, y.sinceMs);
    const untilMs = Math.min(x.untilMs, y.untilMs);
    if (sinceMs < untilMs) both.push({ sinceMs, untilMs });
    if (x.untilMs < y.untilMs) i++;
    else j++;
  }
}

/** Whether a time lies in the coverage. */
export function isCovered(coverage: Coverage, timeMs: number): boolean {
  let [from, to] = [0, coverage.length];
  // Windows before `from` end at or before the time, windows from `to` on end after it.
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((coverage[middle]?.untilMs ?? Infinity) <= timeMs) from = middle + 1;
    else to = middle;
  }
  return (coverage[from]?.sinceMs ?? Infinity) <= timeMs;
}

/** How many candles open inside the coverage. Of an unaligned window only the aligned part counts. */
export function coverageCandles(timeframe: Timeframe, coverage: Coverage): number {
  let candles = 0;
  for (const { sinceMs, untilMs } of coverage) {
    candles += countCandles(timeframe, ceilTime(timeframe, sinceMs), ceilTime(timeframe, untilMs));
  }
  return candles;
}
