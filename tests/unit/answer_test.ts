import assert from "node:assert/strict";
import {
  type AnsweredPage,
  judgePage,
  MalformedPageError,
  newestTime,
  type PageVerdict,
  provesSinceHonoured,
  SETTLE_MS,
} from "../../lib/market/answer.ts";
import { type Coverage, subtract, unite } from "../../lib/market/coverage.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";

const MINUTE_MS = 60_000;
const MINUTE = parseTimeframe("1m");
const START_MS = Date.UTC(2024, 0, 1);

/** A day later: everything near START_MS has long been closed and settled. */
const NOW_MINUTE = 24 * 60;

/** Rows of an exchange that has answered longer pages before, and of one that has not. */
const SHORTER = 1_000;

const at = (minute: number): number => START_MS + minute * MINUTE_MS;
const w = (since: number, until: number): Window => ({ sinceMs: at(since), untilMs: at(until) });
const row = (minute: number): unknown[] => [at(minute), "10", "12", "9", "11", "5"];
const rows = (...minutes: number[]): unknown[][] => minutes.map(row);
const range = (since: number, until: number): number[] =>
  Array.from({ length: Math.max(0, until - since) }, (_, index) => since + index);

interface Judged {
  readonly stored: readonly number[];
  readonly answered: readonly [number, number] | undefined;
  readonly reachFrom: number | undefined;
}

interface JudgeOptions {
  readonly rowsMaxSeen?: number;
  /** Minutes after START_MS, fractions allowed. */
  readonly now?: number;
  readonly isSinceHonoured?: boolean | undefined;
}

function pageOf(
  window: Window,
  rows: readonly unknown[],
  { rowsMaxSeen = SHORTER, now = NOW_MINUTE, isSinceHonoured }: JudgeOptions = {},
): AnsweredPage {
  const told = { rowsMaxSeen, nowMs: at(now), isSinceHonoured, settleMs: SETTLE_MS };
  return { timeframe: MINUTE, window, rows, ...told };
}

function verdictOf(
  window: Window,
  page: readonly unknown[],
  options: JudgeOptions = {},
): PageVerdict {
  return judgePage(pageOf(window, page, options));
}

/** A verdict in minutes after START_MS. */
function judge(window: Window, page: readonly unknown[], options?: JudgeOptions): Judged {
  const minute = (timeMs: number): number => (timeMs - START_MS) / MINUTE_MS;
  const { candles, answered, reachFromMs } = verdictOf(window, page, options);
  return {
    stored: candles.map(({ openTimeMs }) => minute(openTimeMs)),
    answered: answered && [minute(answered.sinceMs), minute(answered.untilMs)],
    reachFrom: reachFromMs === undefined ? undefined : minute(reachFromMs),
  };
}

Deno.test("a page shorter than the longest answers for its whole window, holes at any place included", () => {
  assert.deepEqual(judge(w(0, 10), rows(3, 4, 7)), {
    stored: [3, 4, 7],
    answered: [0, 10],
    reachFrom: undefined,
  });
});

Deno.test("an empty page answers for its whole window, even the first page of all", () => {
  for (const rowsMaxSeen of [SHORTER, 0]) {
    assert.deepEqual(judge(w(0, 10), [], { rowsMaxSeen }), {
      stored: [],
      answered: [0, 10],
      reachFrom: undefined,
    });
  }
});

Deno.test("a full page that fills its window answers for all of it", () => {
  assert.deepEqual(judge(w(0, 5), rows(...range(0, 5)), { rowsMaxSeen: 5 }).answered, [0, 5]);
});

Deno.test("a full page whose start was moved leaves the missing beginning owed", () => {
  const { answered, stored } = judge(w(0, 10), rows(...range(6, 10)), { rowsMaxSeen: 4 });
  assert.deepEqual([answered, stored], [[6, 10], [6, 7, 8, 9]]);
});

Deno.test("a page cut at a smaller limit than was asked leaves the rest owed", () => {
  assert.deepEqual(judge(w(0, 10), rows(...range(0, 4)), { rowsMaxSeen: 4 }).answered, [0, 4]);
  // One row fewer than the longest page, and the exchange had nothing else.
  assert.deepEqual(judge(w(0, 10), rows(...range(0, 4)), { rowsMaxSeen: 5 }).answered, [0, 10]);
});

Deno.test("a page of as many rows as were asked was cut there, if the first candles of its window are missing", () => {
  // Asked for five, the exchange gave its newest five, the forming one among them.
  const page = rows(...range(6, 11));
  assert.deepEqual(judge(w(5, 10), page, { now: 10.5 }).answered, [6, 8]);
  assert.deepEqual(judge(w(5, 10), rows(...range(7, 11)), { now: 10.5 }).answered, [5, 8]);
});

Deno.test("the first page of all is full however short: nothing is known of the limit yet", () => {
  assert.deepEqual(judge(w(0, 10), rows(4, 6), { rowsMaxSeen: 0 }).answered, [4, 7]);
});

Deno.test("a row beyond the window proves that a full page was not cut on that side", () => {
  assert.deepEqual(judge(w(2, 6), rows(3, 4, 6), { rowsMaxSeen: 3 }), {
    stored: [3, 4],
    answered: [3, 6],
    reachFrom: undefined,
  });
  assert.deepEqual(judge(w(2, 6), rows(1, 3, 4), { rowsMaxSeen: 3 }), {
    stored: [3, 4],
    answered: [2, 5],
    reachFrom: undefined,
  });
  assert.deepEqual(judge(w(2, 6), rows(1, 4, 6), { rowsMaxSeen: 3 }).answered, [2, 6]);
});

Deno.test("a hole at a window's start, at an exchange that jumps over it, is settled by a second ask", () => {
  const jumped = judge(w(0, 10), rows(...range(3, 13)), { rowsMaxSeen: 10 });
  assert.deepEqual([jumped.answered, jumped.stored], [[3, 10], range(3, 10)]);
  assert.deepEqual(judge(w(0, 3), rows(3, 4, 5), { rowsMaxSeen: 10, isSinceHonoured: true }), {
    stored: [],
    answered: [0, 3],
    reachFrom: undefined,
  });
});

Deno.test("an exchange that gives only its newest candles answers for nothing older, and so bounds its reach", () => {
  const newest = rows(...range(NOW_MINUTE - 719, NOW_MINUTE + 1));
  const old = judge(w(0, 720), newest, { rowsMaxSeen: 720, now: NOW_MINUTE + 0.5 });
  assert.deepEqual(old, { stored: [], answered: undefined, reachFrom: NOW_MINUTE - 719 });
  const partly = judge(w(NOW_MINUTE - 800, NOW_MINUTE - 80), newest, {
    rowsMaxSeen: 720,
    now: NOW_MINUTE + 0.5,
  });
  assert.deepEqual(partly.answered, [NOW_MINUTE - 719, NOW_MINUTE - 80]);
  assert.equal(partly.reachFrom, undefined);
});

Deno.test("rows after the window that end long ago are no proof that they were jumped to: the market may be silent", () => {
  assert.deepEqual(judge(w(0, 10), rows(...range(30, 40)), { rowsMaxSeen: 10 }), {
    stored: [],
    answered: undefined,
    reachFrom: 30,
  });
});

Deno.test("a silent window before rows up to now is answered and empty where the page had room for it", () => {
  // Nobody has traded for five minutes, then somebody did: all that comes is the forming candle.
  const silent = { stored: [], answered: [5, 8], reachFrom: undefined };
  assert.deepEqual(judge(w(5, 10), rows(10), { rowsMaxSeen: 720, now: 10.5 }), silent);
  // Fewer rows than asked.
  const verdict = judge(w(0, 100), rows(...range(100, 110)), { rowsMaxSeen: 720, now: 110.5 });
  assert.deepEqual(verdict, { stored: [], answered: [0, 100], reachFrom: undefined });
});

Deno.test("a page of as many rows as asked, all after the window, answers for nothing and was cut there", () => {
  // One more or less is the forming one.
  for (const minutes of [[7, 9, 10], [7, 8, 9, 10], [9, 10]]) {
    const { answered, reachFromMs, isCutAsAsked } = verdictOf(w(0, 3), rows(...minutes), {
      now: 10.5,
    });
    assert.deepEqual([answered, reachFromMs, isCutAsAsked], [undefined, at(minutes[0]!), true]);
  }
  const more = verdictOf(w(0, 3), rows(...range(5, 11)), { now: 10.5 });
  assert.deepEqual([more.answered, more.isCutAsAsked], [undefined, false]);
  assert.deepEqual(judge(w(0, 3), rows(7, 9, 10), { isSinceHonoured: true }).answered, [0, 3]);
});

Deno.test("a page cut at the asked number or at the longest ever, all newest, bounds the exchange's reach", () => {
  // However few, when it never sent more: it may be all that it ever sends.
  assert.equal(judge(w(5, 10), rows(10), { rowsMaxSeen: 0, now: 10.5 }).reachFrom, 10);
  assert.equal(judge(w(5, 10), rows(10), { rowsMaxSeen: 1, now: 10.5 }).reachFrom, 10);
  for (const [rowsMaxSeen, asked] of [[100, 300], [1_000, 150], [0, 40]] as const) {
    const page = rows(...range(NOW_MINUTE - 149, NOW_MINUTE + 1));
    assert.deepEqual(judge(w(0, asked), page, { rowsMaxSeen, now: NOW_MINUTE + 0.5 }), {
      stored: [],
      answered: undefined,
      reachFrom: NOW_MINUTE - 149,
    });
  }
});

Deno.test("where an exchange is known to give what is asked for, rows after the window are never its newest only", () => {
  const page = rows(...range(NOW_MINUTE - 149, NOW_MINUTE + 1));
  const options = { rowsMaxSeen: 100, now: NOW_MINUTE + 0.5, isSinceHonoured: true };
  assert.deepEqual(judge(w(0, 300), page, options), {
    stored: [],
    answered: [0, 300],
    reachFrom: undefined,
  });
  assert.deepEqual(judge(w(0, 1), rows(1), { now: 1.5, isSinceHonoured: true }), {
    stored: [],
    // Not settled yet.
    answered: undefined,
    reachFrom: undefined,
  });
  assert.deepEqual(judge(w(0, 1), rows(3), { now: 3.5, isSinceHonoured: true }).answered, [0, 1]);
});

Deno.test("an answer that ends well before an earlier one proves that since is honoured, a silent market does not", () => {
  const proves = (newest: number, seen: number): boolean =>
    provesSinceHonoured(MINUTE, { newestMs: at(newest), seenMs: at(seen) });
  assert.equal(proves(89, 100), true);
  assert.equal(proves(90, 100), false);
  assert.equal(proves(100, 100), false);
  assert.equal(proves(101, 100), false);
  assert.equal(provesSinceHonoured(MINUTE, { newestMs: at(1), seenMs: -Infinity }), false);
});

Deno.test("the newest time of a page is found in any order, as text too, whatever else is in it", () => {
  assert.equal(newestTime(rows(99, 2, 1)), at(99));
  assert.equal(newestTime([row(1), row(99).with(0, String(at(99)))]), at(99));
  assert.equal(newestTime([null, {}, "html", [], row(1).with(0, "soon"), row(3)]), at(3));
  assert.equal(newestTime([]), undefined);
  assert.equal(newestTime([null, ["soon"]]), undefined);
});

Deno.test("rows outside the window are dropped on both sides", () => {
  assert.deepEqual(judge(w(3, 6), rows(...range(0, 10))).stored, [3, 4, 5]);
});

Deno.test("the forming candle is never stored nor claimed", () => {
  for (const now of [5, 5.5, 5.999]) {
    const { stored, answered } = judge(w(0, 8), rows(...range(0, 6)), { now });
    assert.deepEqual([stored, answered], [range(0, 5), [0, 3]], String(now));
  }
  assert.deepEqual(judge(w(0, 8), rows(...range(0, 6)), { now: 6 }).stored, range(0, 6));
});

Deno.test("a window in which no candle has closed yet is not answered for", () => {
  for (const page of [[], rows(10), rows(10, 11, 12)]) {
    const { stored, answered } = judge(w(10, 13), page, { now: 10.5 });
    assert.deepEqual([stored, answered], [[], undefined]);
  }
});

Deno.test("a candle that closed less than the settling time ago is stored and not claimed", () => {
  const settle = SETTLE_MS / MINUTE_MS;
  const page = rows(...range(0, 10));
  for (const age of [0, 0.02, 0.99 * settle]) {
    const { stored, answered } = judge(w(9, 10), page, { now: 10 + age });
    assert.deepEqual([stored, answered], [[9], undefined], String(age));
  }
  const { stored, answered } = judge(w(9, 10), page, { now: 10 + settle });
  assert.deepEqual([stored, answered], [[9], [9, 10]]);
  // What an exchange has taught counts instead, whether longer or shorter.
  const taught = (settleMs: number, now: number): PageVerdict =>
    judgePage({ ...pageOf(w(0, 10), page, { now }), settleMs });
  assert.deepEqual(taught(5 * MINUTE_MS, 12).answered, w(0, 7));
  assert.deepEqual(taught(10_000, 10.2).answered, w(0, 10));
  assert.equal(taught(5 * MINUTE_MS, 12).candles.length, 10);
});

Deno.test("a candle that is missing is claimed to be so when it has had time to come", () => {
  const settle = SETTLE_MS / MINUTE_MS;
  assert.deepEqual(judge(w(0, 10), rows(...range(0, 10)), { now: 10.02 }).answered, [0, 8]);
  assert.deepEqual(judge(w(0, 10), rows(...range(0, 9)), { now: 10.02 }).answered, [0, 8]);
  assert.deepEqual(judge(w(0, 10), rows(...range(0, 9)), { now: 9.99 + settle }).answered, [0, 9]);
  assert.deepEqual(judge(w(0, 10), rows(...range(0, 9)), { now: 10 + settle }).answered, [0, 10]);
  assert.deepEqual(judge(w(0, 10), [], { now: 10.02 }).answered, [0, 10 - settle]);
  assert.deepEqual(judge(w(9, 10), [], { now: 10.02 }).answered, undefined);
});

Deno.test("a forming row is no proof that the closed one before it will not come", () => {
  assert.deepEqual(judge(w(0, 10), rows(...range(0, 9), 10), { now: 11.5 }).answered, [0, 9]);
});

Deno.test("rows come in any order and leave ascending", () => {
  assert.deepEqual(judge(w(0, 6), rows(5, 3, 4, 0, 2, 1)).stored, range(0, 6));
  assert.deepEqual(judge(w(0, 9), rows(5, 3, 4), { rowsMaxSeen: 3 }).answered, [3, 6]);
});

Deno.test("two different rows of one time make a page that cannot be believed", () => {
  for (const [index, value] of [[1, "10.1"], [2, "13"], [3, "8"], [4, "10.5"], [5, "6"]] as const) {
    const other = row(1).with(index, value);
    assert.throws(
      () => judge(w(0, 3), [row(0), row(1), other, row(2)]),
      (error) =>
        error instanceof MalformedPageError && error.message.includes("2024-01-01T00:01:00"),
    );
  }
});

Deno.test("a row that comes twice with the same values is one candle", () => {
  assert.deepEqual(judge(w(0, 3), rows(0, 1, 1, 0, 2)), {
    stored: [0, 1, 2],
    answered: [0, 3],
    reachFrom: undefined,
  });
});

Deno.test("rejected rows do not stop the page and count as answered for", () => {
  const bad = row(1).with(4, "NaN");
  const verdict = verdictOf(w(0, 4), [row(0), bad, row(2), row(3)]);
  assert.deepEqual(verdict.candles.map(({ openTimeMs }) => openTimeMs), [at(0), at(2), at(3)]);
  assert.deepEqual(verdict.rejected.map(({ reason }) => reason), ["not_a_finite_number"]);
  assert.deepEqual(verdict.answered, w(0, 4));
  // At the edges of a full page, too.
  const edges = [row(2).with(1, "-1"), row(3), row(4).with(5, null)];
  assert.deepEqual(judge(w(0, 9), edges, { rowsMaxSeen: 3 }).answered, [2, 5]);
});

Deno.test("misaligned rows are rejected and prove nothing about where a page begins or ends", () => {
  const late = [at(8) + 1_000, "10", "12", "9", "11", "5"];
  const verdict = verdictOf(w(0, 9), [row(0), row(1), late], { rowsMaxSeen: 3 });
  assert.deepEqual(verdict.rejected.map(({ reason }) => reason), ["time_not_aligned"]);
  assert.deepEqual(verdict.answered, w(0, 2));
});

Deno.test("a page of which no row can be placed in time answers for nothing", () => {
  const misaligned = [at(1) + 1, "10", "12", "9", "11", "5"];
  for (const page of [[misaligned], [row(0).with(0, "soon")], [null, {}, "html"]]) {
    const { candles, rejected, answered, reachFromMs } = verdictOf(w(0, 3), page);
    assert.deepEqual([candles, answered, reachFromMs], [[], undefined, undefined]);
    assert.equal(rejected.length, page.length);
  }
});

Deno.test("a page whose rows are all shifted alike answers for the candles in which they open", () => {
  const shifted = (minute: number, ms: number): unknown[] => row(minute).with(0, at(minute) + ms);
  const alike = [shifted(1, 20_000), shifted(2, 20_000), shifted(4, 20_000)];
  const { candles, answered, rejected } = verdictOf(w(0, 9), alike, { rowsMaxSeen: 3 });
  assert.deepEqual([candles, answered, rejected.length], [[], w(1, 5), 3]);
  const [one, two] = [shifted(1, 20_000), shifted(2, 21_000)];
  for (const page of [[one, two], [one, one], [...alike, row(5).with(0, "soon")]]) {
    assert.equal(verdictOf(w(0, 9), page, { rowsMaxSeen: 3 }).answered, undefined);
  }
});

Deno.test("rejected rows are kept as evidence only of the closed part of the window", () => {
  const bad = (minute: number): unknown[] => row(minute).with(1, "0");
  const page = [bad(0), bad(3), bad(4), bad(5), row(5).with(0, null)];
  const { rejected } = verdictOf(w(2, 8), page, { now: 4.5 });
  assert.deepEqual(rejected.map(({ openTimeMs }) => openTimeMs), [at(3), undefined]);
});

Deno.test("a full page of months ends with the calendar month of its last row", () => {
  const month = (index: number): unknown[] => row(0).with(0, Date.UTC(2024, index));
  const { answered, candles } = judgePage({
    timeframe: parseTimeframe("1M"),
    window: { sinceMs: Date.UTC(2023, 0), untilMs: Date.UTC(2025, 0) },
    rows: [month(-1), month(0), month(1)],
    rowsMaxSeen: 3,
    nowMs: Date.UTC(2026, 0),
    settleMs: SETTLE_MS,
  });
  assert.deepEqual(answered, { sinceMs: Date.UTC(2023, 11), untilMs: Date.UTC(2024, 2) });
  assert.equal(candles.length, 3);
});

Deno.test("a page of old candles, cut shorter than recent ones, leaves owed what is missing at its end", () => {
  const moved = verdictOf(w(0, 1_000), rows(...range(800, 1_000)));
  assert.deepEqual([moved.answered, moved.cutRows], [w(800, 1_000), 200]);
  const short = verdictOf(w(0, 1_000), rows(...range(0, 200)));
  assert.deepEqual([short.answered, short.cutRows], [w(0, 200), 200]);
  // From the middle, with holes of its own that are shorter than what is missing on both sides.
  const middle = verdictOf(w(0, 1_000), rows(...range(300, 400), ...range(450, 600)));
  assert.deepEqual([middle.answered, middle.cutRows], [w(300, 600), 250]);
});

Deno.test("a row beyond the window proves that a page shorter than the longest was not cut on that side", () => {
  const before = verdictOf(w(10, 1_000), rows(3, ...range(800, 1_000)));
  assert.deepEqual([before.answered, before.cutRows], [w(10, 1_000), undefined]);
  const after = verdictOf(w(0, 1_000), rows(...range(0, 200), 1_200));
  assert.deepEqual([after.answered, after.cutRows], [w(0, 1_000), undefined]);
});

Deno.test("a page is believed to be whole where as much is missing between its rows as at its ends", () => {
  const page = rows(...range(50, 200), ...range(250, 950));
  assert.deepEqual(judge(w(0, 1_000), page).answered, [0, 1_000]);
  assert.deepEqual(judge(w(0, 1_001), page).answered, [0, 950]);
});

Deno.test("a page of fewer rows than every exchange gives was not cut, whatever is missing at its ends", () => {
  const { answered, cutRows } = verdictOf(w(0, 1_000), rows(...range(901, 1_000)));
  assert.deepEqual([answered, cutRows], [w(0, 1_000), undefined]);
});

Deno.test("a listing inside a page costs one more ask", () => {
  assert.deepEqual(judge(w(0, 1_000), rows(...range(700, 1_000))).answered, [700, 1_000]);
  for (const page of [[], rows(...range(700, 1_000))]) {
    assert.deepEqual(judge(w(0, 700), page, { isSinceHonoured: true }).answered, [0, 700]);
  }
});

Deno.test("candles that are still on their way are not missing at the end of a page", () => {
  const { answered, cutRows } = verdictOf(w(0, 1_000), rows(...range(0, 998)), { now: 1_000.5 });
  assert.deepEqual([answered, cutRows], [w(0, 998), undefined]);
});

Deno.test("a thin market is not slowed: hardly any of its pages is asked for in two parts", () => {
  let parts = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const random = lcg(seed);
    const density = [0.3, 0.6, 0.95][seed % 3] ?? 1;
    const page = rows(...range(0, 1_000).filter(() => random() < density));
    const [since, until] = judge(w(0, 1_000), page).answered ?? [0, 0];
    if (since !== 0 || until !== 1_000) parts++;
  }
  assert(parts <= 10, `${parts} of 400`);
});

Deno.test("what is missing between rows shows that silence is left out, a candle without volume that it is not", () => {
  const flat = row(4).with(5, "0.000");
  const shown = (...page: readonly unknown[]): boolean | undefined =>
    verdictOf(w(0, 10), page).omitsSilent;
  assert.equal(shown(row(2), row(3), row(4)), undefined);
  assert.equal(shown(row(2), row(4)), true);
  assert.equal(shown(row(2), flat), false);
  // A rejected row is there all the same, and what lies outside the window is not looked at.
  assert.equal(shown(row(2), row(3).with(1, "0"), row(4)), undefined);
  assert.equal(shown(row(8), row(9), row(12)), undefined);
  assert.equal(shown(), undefined);
});

Deno.test("a price that nobody trades tells nothing of how silence is told", () => {
  for (const page of [[row(2), row(4)], [row(2), row(3).with(5, "0")]]) {
    const verdict = judgePage({ ...pageOf(w(0, 10), page), price: "mark" });
    assert.equal(verdict.omitsSilent, undefined);
    assert.deepEqual(verdict.candles.map(({ volume }) => volume), [null, null]);
  }
});

Deno.test("an exchange that is not told the window answers for nothing before its first row", () => {
  const options = { isSinceHonoured: false } as const;
  assert.deepEqual(judge(w(0, 10), rows(6, 8, 12), options), {
    stored: [6, 8],
    answered: [6, 10],
    reachFrom: undefined,
  });
  const nothing = { stored: [], answered: undefined, reachFrom: 6 };
  // However few rows come, and though they end long ago: the market is halted.
  assert.deepEqual(judge(w(0, 6), rows(6, 8, 12), options), nothing);
  assert.deepEqual(judge(w(6, 10), rows(3, 4), options).answered, [6, 10]);
});

/** How an exchange picks rows when more candles lie in the window than its limit. */
const PAGINGS = [
  "from since",
  "oldest in window",
  "newest in window",
  "newest of all",
  "newest of all, at most asked",
] as const;

interface ModelExchange {
  readonly paging: (typeof PAGINGS)[number];
  readonly rowsMax: number;
  /** Rows of a page that begins before {@linkcode OLD_MINUTE}. @default rowsMax */
  readonly oldRowsMax?: number;
  /** @default true */
  readonly isWindowTold?: boolean;
  /** Minutes that have a candle, ascending, into the future. */
  readonly minutes: readonly number[];
}

const OLD_MINUTE = 150;

Deno.test("whatever an exchange's limit, silence and paging, no candle it has is missing under a claim", () => {
  for (let seed = 1; seed <= 600; seed++) {
    const random = lcg(seed);
    const int = intOf(random);
    const paging = PAGINGS[seed % PAGINGS.length] ?? "from since";
    const reachesBack = !paging.startsWith("newest of all");
    // Where hardly anything is traded, the newest candles of all cannot be told from a page that skips.
    const density = [1, 0.9, reachesBack ? 0.3 : 0.95][seed % 3] ?? 1;
    const exchange: ModelExchange = {
      paging,
      // No exchange gives only its newest dozen.
      rowsMax: reachesBack ? int(1, 30) : int(100, 150),
      minutes: range(0, 2_000).filter(() => random() < density),
    };
    const wanted = w(int(0, 200), 400);
    const { covered, stored, reachFrom } = backfill(exchange, wanted, () => int(1, 150));
    const seen = `seed ${seed}: ${Deno.inspect({ ...exchange, minutes: density })}`;
    const claimed = exchange.minutes.filter((minute) =>
      covered.some(({ sinceMs, untilMs }) => at(minute) >= sinceMs && at(minute) < untilMs)
    );
    assert.deepEqual([...stored].sort((a, b) => a - b), claimed, seen);
    if (!reachesBack) continue;
    assert.deepEqual(covered, [wanted], seen);
    assert.equal(reachFrom, undefined, seen);
  }
});

Deno.test("whoever cuts pages of old candles shorter than recent ones hides no candle by that", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const int = intOf(lcg(seed));
    const exchange: ModelExchange = {
      paging: (["from since", "oldest in window", "newest in window"] as const)[seed % 3]!,
      rowsMax: int(150, 400),
      oldRowsMax: int(100, 150),
      minutes: range(0, 2_000),
    };
    const wanted = w(int(0, 100), 400);
    const { covered, stored } = backfill(exchange, wanted, () => int(1, 400));
    assert.deepEqual(covered, [wanted], `seed ${seed}`);
    assert.equal(stored.size, (wanted.untilMs - wanted.sinceMs) / MINUTE_MS, `seed ${seed}`);
  }
});

Deno.test("an exchange that is not told the window hides nothing, however thin its market is", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = lcg(seed);
    const int = intOf(random);
    const density = [1, 0.5, 0.1][seed % 3] ?? 1;
    const minutes = range(0, 2_000).filter(() => random() < density);
    const rowsMax = int(5, 150);
    const exchange: ModelExchange = {
      paging: "newest of all",
      rowsMax,
      isWindowTold: false,
      minutes,
    };
    const { covered, stored } = backfill(exchange, w(int(0, 200), 400), () => int(1, 150));
    const claimed = minutes.filter((minute) =>
      covered.some(({ sinceMs, untilMs }) => at(minute) >= sinceMs && at(minute) < untilMs)
    );
    assert.deepEqual([...stored].sort((a, b) => a - b), claimed, `seed ${seed}`);
  }
});

/** Asks for what is owed, newest first, until nothing is or nothing more can be had; time passes meanwhile. */
function backfill(
  exchange: ModelExchange,
  wanted: Window,
  candlesMax: () => number,
): { covered: Coverage; stored: ReadonlySet<number>; reachFrom: number | undefined } {
  const stored = new Set<number>();
  let covered: Coverage = [];
  let rowsMaxSeen = 0;
  let isSinceHonoured = exchange.isWindowTold ?? true ? undefined : false;
  let seenMs = -Infinity;
  let reachFrom: number | undefined;
  // Everything wanted is final already.
  for (let now = 402.5; now < 1_000; now++) {
    const last = subtract([wanted], covered).at(-1);
    if (last === undefined || last.untilMs <= at(reachFrom ?? -Infinity)) break;
    const sinceMs = Math.max(last.sinceMs, last.untilMs - candlesMax() * MINUTE_MS);
    const window = { sinceMs, untilMs: last.untilMs };
    const page = rows(...answer(exchange, window, now));
    const newestMs = newestTime(page) ?? Infinity;
    if (provesSinceHonoured(MINUTE, { newestMs, seenMs })) isSinceHonoured = true;
    if (Number.isFinite(newestMs)) seenMs = Math.max(seenMs, newestMs);
    const verdict = judge(window, page, { rowsMaxSeen, now, isSinceHonoured });
    rowsMaxSeen = Math.max(rowsMaxSeen, page.length);
    for (const minute of verdict.stored) stored.add(minute);
    if (verdict.answered !== undefined) covered = unite(covered, [w(...verdict.answered)]);
    if (verdict.reachFrom === undefined) continue;
    // As the program does, it asks for a short window long ago before it takes that for proved.
    const longAgo = w(-5_000, -4_950);
    const old = rows(...answer(exchange, longAgo, now));
    const oldestAsk = judge(longAgo, old, { rowsMaxSeen, now, isSinceHonoured });
    if (provesSinceHonoured(MINUTE, { newestMs: newestTime(old) ?? Infinity, seenMs })) {
      isSinceHonoured = true;
    }
    if ((oldestAsk.reachFrom ?? -Infinity) >= verdict.reachFrom) reachFrom = verdict.reachFrom;
  }
  return { covered, stored, reachFrom };
}

/** The minutes that an exchange gives for a window, the forming one among them. */
function answer(
  { paging, rowsMax, oldRowsMax = rowsMax, minutes }: ModelExchange,
  { sinceMs, untilMs }: Window,
  now: number,
): readonly number[] {
  const known = minutes.filter((minute) => minute <= now);
  const fromSince = known.filter((minute) => at(minute) >= sinceMs);
  const inside = fromSince.filter((minute) => at(minute) < untilMs);
  const given = sinceMs < at(OLD_MINUTE) ? oldRowsMax : rowsMax;
  const limit = Math.min(given, (untilMs - sinceMs) / MINUTE_MS);
  switch (paging) {
    case "from since":
      return fromSince.slice(0, limit);
    case "oldest in window":
      return inside.slice(0, limit);
    case "newest in window":
      return inside.slice(-limit);
    case "newest of all":
      return known.slice(-rowsMax);
    case "newest of all, at most asked":
      return known.slice(-limit);
  }
}

/** Whole numbers between bounds, both possible. */
function intOf(random: () => number): (min: number, max: number) => number {
  return (min, max) => min + Math.floor(random() * (max - min + 1));
}

/** Numerical Recipes' generator: the same numbers in every run. */
function lcg(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
