import assert from "node:assert/strict";
import {
  gridWindow,
  queueByLoss,
  type QueuedPage,
  queuePages,
} from "../../lib/fetch/page_queue.ts";
import { type Coverage, coverageOf } from "../../lib/market/coverage.ts";
import { type Series, seriesName } from "../../lib/market/series.ts";
import {
  addCandles,
  ceilTime,
  countCandles,
  floorTime,
  isAligned,
  parseTimeframe,
  type Timeframe,
} from "../../lib/market/timeframe.ts";
import { type Window, windowCandles, windowName } from "../../lib/market/window.ts";
import { chunkMs } from "../../lib/store/candle_table.ts";
import type { Owed } from "../../lib/store/ledger.ts";

const DAY_MS = 86_400_000;

/** A multiple of the seven days that a chunk of minutes is long. */
const CHUNK_MS = 2_800 * 7 * DAY_MS;

const HOUR_MS = DAY_MS / 24;

const at = (text: string): number => Date.parse(`${text}Z`);

function series(symbol: string, text: string): Series {
  return { exchange: "binance", symbol, timeframe: parseTimeframe(text) };
}

function owedOf(symbol: string, text: string, ...owed: Window[]): Owed {
  return { series: series(symbol, text), owed };
}

/** Pages as `A [00:00, 02:00)`, hours after CHUNK_MS; negative hours before it. */
function names(pages: Iterable<QueuedPage>): string[] {
  const hour = (timeMs: number): number => (timeMs - CHUNK_MS) / HOUR_MS;
  return [...pages].map(({ series, window }) =>
    `${series.symbol} ${hour(window.sinceMs)}-${hour(window.untilMs)}`
  );
}

const hours = (since: number, until: number): Window => ({
  sinceMs: CHUNK_MS + since * HOUR_MS,
  untilMs: CHUNK_MS + until * HOUR_MS,
});

Deno.test("nothing owed is no page", () => {
  assert.deepEqual([...queuePages([], () => 100)], []);
  assert.deepEqual([...queuePages([owedOf("A", "1m")], () => 100)], []);
});

Deno.test("pages come newest first, and each window for all series before the next older one", () => {
  const owed = [
    owedOf("A", "1m", hours(0, 5)),
    owedOf("B", "1m", hours(0, 5)),
    owedOf("C", "1m", hours(3, 4)),
  ];
  assert.deepEqual(names(queuePages(owed, () => 120)), [
    "A 4-5",
    "B 4-5",
    "A 2-4",
    "B 2-4",
    "C 3-4",
    "A 0-2",
    "B 0-2",
  ]);
});

Deno.test("series that owe different times cut them at the same places", () => {
  const owed = [owedOf("A", "1m", hours(1, 9)), owedOf("B", "1m", hours(3, 10))];
  assert.deepEqual(names(queuePages(owed, () => 240)), [
    "A 8-9",
    "B 8-10",
    "A 4-8",
    "B 4-8",
    "A 1-4",
    "B 3-4",
  ]);
});

Deno.test("no page reaches over the boundary of a chunk", () => {
  assert.equal(CHUNK_MS % chunkMs(parseTimeframe("1m")), 0);
  assert.deepEqual(names(queuePages([owedOf("A", "1m", hours(-3, 3))], () => 6_000)), [
    "A 0-3",
    "A -3-0",
  ]);
});

Deno.test("what a series owes of a window is one page, whatever is covered in between", () => {
  const owed = [
    owedOf("A", "1m", hours(0, 1), hours(2, 3), hours(7, 8)),
    owedOf("B", "1m", hours(2, 3)),
  ];
  const pages = [...queuePages(owed, () => 240)];
  assert.deepEqual(names(pages), ["A 7-8", "A 0-3", "B 2-3"]);
});

Deno.test("a page of parts begins with the covered candle before them, where that is known and there is room", () => {
  const owed = owedOf("A", "1m", hours(-3, -2), hours(-1.5, -1), hours(0, 1), hours(2, 3));
  const minutesBefore = (rowsMax: number): number[] =>
    [...queuePages([owed], () => rowsMax)].map(({ window, owed }) =>
      ((owed[0]?.sinceMs ?? NaN) - window.sinceMs) / 60_000
    );
  // The older page has nothing owed before it, which would prove that something is covered there.
  assert.deepEqual(minutesBefore(240), [1, 0]);
  assert.deepEqual(minutesBefore(181), [1, 0, 0]);
  assert.deepEqual(minutesBefore(180), [0, 0]);
});

Deno.test("thousands of holes cost as many pages as the time they lie in", () => {
  const minutes = (since: number, until: number): Window => ({
    sinceMs: CHUNK_MS + since * 60_000,
    untilMs: CHUNK_MS + until * 60_000,
  });
  const holes = Array.from({ length: 3_000 }, (_, i) => minutes(3 * i + 1, 3 * i + 2));
  const pages = [...queuePages([owedOf("A", "1m", ...holes)], () => 1_000)];
  assert.equal(pages.length, 9);
  assert.deepEqual(pages.toReversed().flatMap(({ owed }) => owed), holes);
  assert.deepEqual(pages.at(-1)?.window, minutes(1, 998));
  assert.deepEqual(pages.at(-2)?.window, minutes(1_000, 2_000));
  assert.deepEqual(pages.at(-3)?.window, minutes(2_001, 2_999));
});

Deno.test("of two timeframes the one whose next window is newest goes first", () => {
  const owed = [owedOf("A", "1m", hours(0, 6)), owedOf("A", "1h", hours(0, 6))];
  // In pages of sixty the hours fit into one.
  const pages = [...queuePages(owed, () => 60)].map(({ series, window }) => [
    series.timeframe.text,
    (window.untilMs - CHUNK_MS) / HOUR_MS,
  ]);
  assert.deepEqual(pages, [["1m", 6], ["1h", 6], ["1m", 5], ["1m", 4], ["1m", 3], ["1m", 2], [
    "1m",
    1,
  ]]);
  const back = [...queuePages(owed, () => 3)].map(({ window }) => window.untilMs);
  assert.deepEqual(back, back.toSorted((a, b) => b - a));
});

Deno.test("months and weeks are paged by the calendar", () => {
  const year: Window = { sinceMs: at("2023-01-01T00:00"), untilMs: at("2024-01-01T00:00") };
  const months = [...queuePages([owedOf("A", "1M", year)], () => 5)].map(({ window }) => window);
  assert.deepEqual(months.map((window) => windowCandles(parseTimeframe("1M"), window)), [3, 5, 4]);
  assert.deepEqual(coverageOf(months), [year]);
  const week = { sinceMs: at("2024-01-01T00:00"), untilMs: at("2024-03-04T00:00") };
  const weeks = [...queuePages([owedOf("A", "1w", week)], () => 4)].map(({ window }) => window);
  assert.ok(weeks.every(({ sinceMs }) => isAligned(parseTimeframe("1w"), sinceMs)));
  assert.deepEqual(coverageOf(weeks), [week]);
});

Deno.test("a week that opens before a chunk and ends in it is a page of its own", () => {
  const week = parseTimeframe("1w");
  const boundaryMs = chunkMs(week);
  const since = floorTime(week, boundaryMs);
  assert.notEqual(since, boundaryMs);
  const window = { sinceMs: addCandles(week, since, -2), untilMs: addCandles(week, since, 3) };
  const pages = [...queuePages([owedOf("A", "1w", window)], () => 100)].map(({ window }) => window);
  assert.deepEqual(pages.map((page) => windowCandles(week, page)), [2, 1, 2]);
  assert.deepEqual(gridWindow(week, addCandles(week, since, 1), 100), {
    sinceMs: since,
    untilMs: addCandles(week, since, 1),
  });
});

Deno.test("the grid begins anew at every chunk, and its last window ends with the chunk", () => {
  const minute = parseTimeframe("1m");
  // 10,080 minutes are ten windows of a thousand and one of eighty.
  const last = { sinceMs: CHUNK_MS - 80 * 60_000, untilMs: CHUNK_MS };
  for (const minutes of [0, 1, 79]) {
    assert.deepEqual(gridWindow(minute, CHUNK_MS - minutes * 60_000, 1_000), last);
  }
  assert.deepEqual(gridWindow(minute, last.sinceMs, 1_000), {
    sinceMs: CHUNK_MS - 1_080 * 60_000,
    untilMs: last.sinceMs,
  });
  assert.deepEqual(gridWindow(minute, CHUNK_MS + 60_000, 1_000), {
    sinceMs: CHUNK_MS,
    untilMs: CHUNK_MS + 1_000 * 60_000,
  });
});

Deno.test("pages are made one at a time: five years of minutes cost nothing until they are asked for", () => {
  const fiveYears = { sinceMs: at("2019-01-01T00:00"), untilMs: at("2024-01-01T00:00") };
  const pages = queuePages([owedOf("A", "1m", fiveYears)], () => 1_000);
  assert.equal(pages.next().value?.window.untilMs, fiveYears.untilMs);
  let count = 1;
  for (const _ of pages) count++;
  // 260 whole chunks of eleven pages, the last of them short, and parts of one at either end.
  assert.equal(count, 260 * 11 + 4 + 6);
});

Deno.test("the same owed coverage gives the same pages, and is not changed by it", () => {
  const owed = [owedOf("A", "1m", hours(0, 2), hours(3, 9)), owedOf("B", "1h", hours(0, 9))];
  const before = structuredClone(owed.map(({ owed }) => owed));
  const first = names(queuePages(owed, () => 70));
  assert.deepEqual(names(queuePages(owed, () => 70)), first);
  assert.deepEqual(owed.map(({ owed }) => owed), before);
});

Deno.test("whatever is owed, its pages are exactly that, within limits and chunks, newest first", () => {
  const texts = ["1m", "5m", "15m", "1h", "4h", "1d", "3d", "1w", "1M", "3M", "1y"];
  for (let seed = 1; seed <= 300; seed++) {
    const random = lcg(seed);
    const int = (min: number, max: number): number => min + Math.floor(random() * (max - min + 1));
    const rowsMax = [1, 2, 7, 100, 720, 1_000][int(0, 5)] ?? 100;
    const timeframes = Array.from(
      { length: int(1, 3) },
      () => texts[int(0, texts.length - 1)] ?? "1m",
    );
    const owed = [...new Set(timeframes)].flatMap((text) =>
      ["A", "B", "C"].slice(0, int(1, 3)).map((symbol) => ({
        series: series(symbol, text),
        owed: randomCoverage(parseTimeframe(text), {
          int,
          candlesMax: 40 * rowsMax,
          // In pieces, too, of which a page holds several.
          ...(int(0, 1) === 0
            ? { windows: 4, lengthMax: 14 * rowsMax }
            : { windows: 100, lengthMax: rowsMax }),
        }),
      }))
    );
    assertQueue(owed, rowsMax, `seed ${seed}`);
  }
});

/** Aligned windows, crossing years and chunks. */
function randomCoverage(
  timeframe: Timeframe,
  { int, candlesMax, windows, lengthMax }: {
    readonly int: (min: number, max: number) => number;
    readonly candlesMax: number;
    readonly windows: number;
    readonly lengthMax: number;
  },
): Coverage {
  const originMs = ceilTime(timeframe, at("1995-06-15T12:34"));
  return coverageOf(Array.from({ length: int(0, windows) }, () => {
    const sinceMs = addCandles(timeframe, originMs, int(0, candlesMax));
    return { sinceMs, untilMs: addCandles(timeframe, sinceMs, int(1, lengthMax)) };
  }));
}

function assertQueue(owed: readonly Owed[], rowsMax: number, seen: string): void {
  const pages = [...queuePages(owed, () => rowsMax)];
  const byTimeframe = Map.groupBy(pages, ({ series }) => series.timeframe.text);
  for (const { series, window, owed } of pages) {
    const { timeframe } = series;
    const name = `${seen}: ${seriesName(series)} ${windowName(window)}`;
    const firstMs = owed[0]?.sinceMs ?? NaN;
    const spare = countCandles(timeframe, window.sinceMs, firstMs);
    assert.ok(spare === 0 || (spare === 1 && owed.length > 1), `${name}: ${spare} candles before`);
    assert.equal(window.untilMs, owed.at(-1)?.untilMs, `${name} ends elsewhere than what is owed`);
    assert.ok(isAligned(timeframe, window.sinceMs) && isAligned(timeframe, window.untilMs), name);
    const candles = windowCandles(timeframe, window);
    assert.ok(candles >= 1 && candles <= rowsMax, `${name}: ${candles} candles`);
    const chunkOf = (timeMs: number): number => Math.floor(timeMs / chunkMs(timeframe));
    const lastMs = addCandles(timeframe, window.untilMs, -1);
    assert.equal(chunkOf(firstMs), chunkOf(lastMs), `${name}: crosses a chunk`);
  }
  // Exactly what is owed: nothing twice, nothing left out, nothing else.
  for (const entry of owed) {
    const asked = pages.filter(({ series }) => series === entry.series);
    const parts = asked.flatMap(({ owed }) => owed);
    const total = parts.reduce((sum, { sinceMs, untilMs }) => sum + untilMs - sinceMs, 0);
    const owedMs = entry.owed.reduce((sum, { sinceMs, untilMs }) => sum + untilMs - sinceMs, 0);
    assert.deepEqual(coverageOf(parts), entry.owed, `${seen}: ${seriesName(entry.series)}`);
    assert.equal(total, owedMs, `${seen}: ${seriesName(entry.series)} asks twice`);
    const own = asked.map(({ window }) => window);
    assert.deepEqual(
      own,
      own.toSorted((a, b) => b.sinceMs - a.sinceMs),
      `${seen}: not newest first`,
    );
    const grid = own.map(({ untilMs }) =>
      gridWindow(entry.series.timeframe, untilMs, rowsMax).sinceMs
    );
    assert.equal(new Set(grid).size, own.length, `${seen}: two pages in one window`);
  }
  // Window by window over all series: a grid window is never come back to.
  for (const [text, own] of byTimeframe) {
    const grid = own.map(({ series, window }) =>
      gridWindow(series.timeframe, window.untilMs, rowsMax).sinceMs
    );
    assert.deepEqual(
      grid,
      grid.toSorted((a, b) => b - a),
      `${seen}: ${text} is not window by window`,
    );
  }
}

/** Numerical Recipes' generator: the same numbers in every run. */
function lcg(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

Deno.test("where an exchange drops old candles, those it drops first are asked for first", () => {
  const owed = [owedOf("A", "1h", hours(-309, 0)), owedOf("B", "1m", hours(-3, 0))];
  const pages = queueByLoss(owed, {
    rowsMax: () => 120,
    newestCandlesMax: () => 310,
    nowMs: CHUNK_MS,
  });
  // Minutes reach back five hours, hours thirteen days.
  assert.deepEqual(names(pages), [
    "A -309--240",
    "B -3--2",
    "B -2-0",
    "A -240--120",
    "A -120-0",
  ]);
});
