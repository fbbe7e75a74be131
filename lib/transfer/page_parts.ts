/** Puts the candles of a page of a file into the order in which they are stored. @module */
import type { Candle } from "../market/candle.ts";
import { joinImportPages, type PreparedImportPage } from "../store/import_page.ts";

/** Parts in as few pages as their order allows: those that follow each other, in whichever direction, make one. */
export function joined(parts: readonly PreparedImportPage[]): readonly PreparedImportPage[] {
  const pages: PreparedImportPage[] = [];
  let run: [PreparedImportPage, ...PreparedImportPage[]] | undefined;
  for (const part of parts) {
    if (run === undefined) run = [part];
    else if (part.firstMs > run.at(-1)!.lastMs) run.push(part);
    else if (part.lastMs < run[0].firstMs) run.unshift(part);
    else {
      pages.push(joinImportPages(run));
      run = [part];
    }
  }
  if (run !== undefined) pages.push(joinImportPages(run));
  return pages;
}

/** Candles in ascending order, one of each time, the first of it; and all others. */
export function byTime(candles: readonly Candle[]): {
  readonly first: readonly Candle[];
  readonly repeated: Candle[];
} {
  if (isAscending(candles)) return { first: candles, repeated: [] };
  const times = new Set<number>();
  const [first, repeated]: [Candle[], Candle[]] = [[], []];
  for (const candle of candles) {
    if (times.has(candle.openTimeMs)) repeated.push(candle);
    else {
      times.add(candle.openTimeMs);
      first.push(candle);
    }
  }
  return { first: first.sort((a, b) => a.openTimeMs - b.openTimeMs), repeated };
}

/** As most files are: then nothing has to be sorted. */
function isAscending(candles: readonly Candle[]): boolean {
  for (let at = 1; at < candles.length; at++) {
    if (candles[at]!.openTimeMs <= candles[at - 1]!.openTimeMs) return false;
  }
  return true;
}
