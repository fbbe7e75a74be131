import assert from "node:assert/strict";
import {
  type AnsweredPage,
  judgePage,
  MalformedPageError,
  type PageVerdict,
  SETTLE_MS,
} from "../../lib/market/answer.ts";
import { checkRow } from "../../lib/market/candle.ts";
import {
  addCandles,
  closedUntil,
  floorTime,
  isAligned,
  type Timeframe,
} from "../../lib/market/timeframe.ts";
import { fc, timeframes, times } from "../support/property.ts";

/** A page with rows of all kinds in and around its window: good, hostile, twice, contradicting, not closed yet. */
const pages: fc.Arbitrary<AnsweredPage> = fc.tuple(timeframes, times).chain(
  ([timeframe, timeMs]) => {
    const sinceMs = floorTime(timeframe, timeMs);
    const openAt = (candle: number): number => addCandles(timeframe, sinceMs, candle);
    const value = fc.constantFrom("1", "1.0", "2", "3", "0", "-1", "1e400", "", "x");
    const good = fc.tuple(fc.integer({ min: -4, max: 14 }), fc.constantFrom("5", "5", "5", "6"))
      .map(([at, volume]): unknown => [openAt(at), "2", "3", "1", "2", volume]);
    const row = fc.oneof(
      { weight: 8, arbitrary: good },
      {
        weight: 1,
        arbitrary: fc.tuple(fc.integer({ min: -4, max: 14 }), value, value, value, value, value)
          .map(([at, ...values]): unknown => [openAt(at), ...values]),
      },
      { weight: 1, arbitrary: good.map((row) => [...(row as unknown[]).with(0, timeMs)]) },
      { weight: 1, arbitrary: fc.anything() },
    );
    const run = fc.tuple(fc.integer({ min: -4, max: 14 }), fc.integer({ min: 0, max: 130 }))
      .map(([from, count]): readonly unknown[] =>
        Array.from({ length: count }, (_, i) => [openAt(from + i), "2", "3", "1", "2", "5"])
      );
    return fc.record({
      timeframe: fc.constant(timeframe),
      window: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 90, max: 130 }))
        .map((candles) => ({ sinceMs, untilMs: openAt(candles) })),
      rows: fc.oneof(
        { weight: 4, arbitrary: fc.array(row, { maxLength: 16 }) },
        { weight: 1, arbitrary: run },
        {
          weight: 1,
          arbitrary: fc.tuple(run, fc.array(row, { maxLength: 4 })).map((a) => a.flat()),
        },
      ),
      rowsMaxSeen: fc.constantFrom(0, 1, 5, 12, 100, 1_000),
      nowMs: fc.tuple(
        fc.integer({ min: -1, max: 150 }),
        fc.constantFrom(0, 1, SETTLE_MS - 1, SETTLE_MS),
      )
        .map(([candle, more]) => openAt(candle) + more),
      isSinceHonoured: fc.constantFrom(undefined, true, false),
      settleMs: fc.constant(SETTLE_MS),
    });
  },
);

interface ReadCandle {
  readonly openTimeMs: number;
  readonly text: string;
}

/** The rows that are candles, by the check of single rows. */
function candlesOf({ timeframe, rows }: AnsweredPage): readonly ReadCandle[] {
  return rows.flatMap((row) => {
    const { candle } = checkRow(timeframe, row);
    return candle === undefined ? [] : [{ openTimeMs: candle.openTimeMs, text: textOf(candle) }];
  });
}

const textOf = (candle: object): string => JSON.stringify(Object.values(candle));

/** The verdict, or undefined where the page contradicts itself. */
function judge(page: AnsweredPage): PageVerdict | undefined {
  try {
    return judgePage(page);
  } catch (error) {
    assert.ok(error instanceof MalformedPageError, String(error));
    return undefined;
  }
}

Deno.test("whatever rows come, what is stored is closed, aligned, in the window, ascending, and came", () => {
  fc.assert(fc.property(pages, (page) => {
    const { timeframe, window, nowMs } = page;
    const verdict = judge(page);
    if (verdict === undefined) return;
    const { candles, answered } = verdict;
    const came = new Set(candlesOf(page).map(({ text }) => text));
    for (const [index, candle] of candles.entries()) {
      const { openTimeMs } = candle;
      assert.ok(isAligned(timeframe, openTimeMs));
      assert.ok(window.sinceMs <= openTimeMs && openTimeMs < window.untilMs);
      assert.ok(addCandles(timeframe, openTimeMs, 1) <= nowMs, "not closed yet");
      assert.ok(openTimeMs > (candles[index - 1]?.openTimeMs ?? -Infinity));
      assert.ok(came.has(textOf(candle)));
      if (openTimeMs < floorTime(timeframe, nowMs - SETTLE_MS)) {
        assert.ok(answered !== undefined && answered.sinceMs <= openTimeMs);
        assert.ok(openTimeMs < answered.untilMs, "stored without being claimed");
      } else {
        assert.ok((answered?.untilMs ?? -Infinity) <= openTimeMs, "claimed while it may change");
      }
    }
  }));
});

Deno.test("whatever rows come, a claim is an aligned, closed part of the window, and hides no candle that came", () => {
  fc.assert(fc.property(pages, (page) => {
    const { timeframe, window, nowMs } = page;
    const { answered, candles, reachFromMs } = judge(page) ?? {};
    if (answered === undefined) return;
    const { sinceMs, untilMs } = answered;
    assert.ok(window.sinceMs <= sinceMs && sinceMs < untilMs && untilMs <= window.untilMs);
    assert.ok(isAligned(timeframe, sinceMs) && isAligned(timeframe, untilMs));
    assert.ok(untilMs <= closedUntil(timeframe, nowMs), "claims what is not closed");
    assert.equal(reachFromMs, undefined, "claims and says that nothing is to be had");
    const stored = new Set(candles?.map(({ openTimeMs }) => openTimeMs));
    for (const { openTimeMs } of candlesOf(page)) {
      if (openTimeMs >= sinceMs && openTimeMs < untilMs) assert.ok(stored.has(openTimeMs));
    }
  }));
});

Deno.test("whatever rows come, nothing is claimed beyond them that a cut page, a newest one or the present may lack", () => {
  fc.assert(fc.property(pages, (page) => {
    const { timeframe, window, rows, rowsMaxSeen, nowMs } = page;
    const { answered } = judge(page) ?? {};
    if (answered === undefined) return;
    const times = placedTimes(page);
    const closedMs = Math.min(window.untilMs, closedUntil(timeframe, nowMs));
    const inside = times.filter((timeMs) => timeMs >= window.sinceMs && timeMs < closedMs);
    const [firstMs, lastMs] = [inside[0], inside.at(-1)];
    const afterLastMs = lastMs === undefined ? window.sinceMs : addCandles(timeframe, lastMs, 1);
    const settledMs = floorTime(timeframe, nowMs - SETTLE_MS);
    assert.ok(answered.untilMs <= settledMs, "claims what may come late, or change");
    assert.ok(rows.length === 0 || times.length > 0, "rows at no time answer for nothing");
    const isStartProven = times.some((timeMs) => timeMs < window.sinceMs);
    const isEndProven = times.some((timeMs) => timeMs >= closedMs);
    const asked = countOf(timeframe, window.sinceMs, window.untilMs);
    const isFull = rows.length >= Math.min(rowsMaxSeen, asked);
    if (firstMs === undefined) {
      const isNewest = isEndProven && !isStartProven && page.isSinceHonoured === false &&
        times.every((timeMs) => timeMs >= window.untilMs);
      assert.ok(!isNewest, "the newest candles answer for nothing older");
      return;
    }
    const isUntold = page.isSinceHonoured === false;
    if (!isStartProven && (isFull || isUntold)) {
      assert.ok(answered.sinceMs >= firstMs, "claims what a moved start has hidden");
    }
    if (!isEndProven && isFull) {
      assert.ok(answered.untilMs <= afterLastMs, "claims what was cut off");
    }
  }));
});

Deno.test("the order of rows and rows that come twice change no verdict", () => {
  const shuffled = pages.chain((page) =>
    fc.tuple(
      fc.constant(page),
      fc.shuffledSubarray([...page.rows], { minLength: page.rows.length }),
    )
  );
  fc.assert(fc.property(shuffled, ([page, rows]) => {
    const [one, other] = [judge(page), judge({ ...page, rows })];
    if (one === undefined || other === undefined) return assert.equal(one, other);
    // Two spellings of one value are one value: which of them is kept is not promised.
    const timesOf = ({ candles }: PageVerdict): number[] =>
      candles.map(({ openTimeMs }) => openTimeMs);
    assert.deepEqual(timesOf(other), timesOf(one));
    assert.deepEqual(other.answered, one.answered);
    assert.equal(other.reachFromMs, one.reachFromMs);
  }));
});

Deno.test("a page is refused only where two rows of a closed candle of the window differ", () => {
  fc.assert(fc.property(pages, (page) => {
    if (judge(page) !== undefined) return;
    const { timeframe, window, nowMs } = page;
    const closedMs = Math.min(window.untilMs, closedUntil(timeframe, nowMs));
    const texts = new Map<number, Set<string>>();
    for (const { openTimeMs, text } of candlesOf(page)) {
      if (openTimeMs < window.sinceMs || openTimeMs >= closedMs) continue;
      texts.set(openTimeMs, (texts.get(openTimeMs) ?? new Set()).add(text));
    }
    assert.ok([...texts.values()].some(({ size }) => size > 1));
  }));
});

/**
 * Times at which rows, good or not, could be placed: what the verdict may take for proof. Ascending. Where none is aligned
 * all must be shifted alike, and open in several candles.
 */
function placedTimes({ timeframe, rows }: AnsweredPage): readonly number[] {
  const checked = rows.map((row) => checkRow(timeframe, row));
  const times = checked.flatMap(({ candle, rejected }) => {
    const timeMs = candle?.openTimeMs ?? rejected?.openTimeMs;
    return timeMs === undefined || rejected?.reason === "time_not_aligned" ? [] : [timeMs];
  });
  if (times.length > 0) return times.sort((a, b) => a - b);
  const shifted = checked.map(({ rejected }) =>
    rejected?.reason === "time_not_aligned" ? rejected.openTimeMs ?? NaN : NaN
  );
  const opens = [...new Set(shifted.map((timeMs) => floorTime(timeframe, timeMs)))];
  const shifts = shifted.map((timeMs) => timeMs - floorTime(timeframe, timeMs));
  const isAlike = Math.max(...shifts) - Math.min(...shifts) <= 3_600_000;
  return opens.length > 1 && isAlike ? opens.sort((a, b) => a - b) : [];
}

function countOf(timeframe: Timeframe, sinceMs: number, untilMs: number): number {
  let count = 0;
  for (let timeMs = sinceMs; timeMs < untilMs; timeMs = addCandles(timeframe, timeMs, 1)) count++;
  return count;
}
