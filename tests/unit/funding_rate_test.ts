/** What an answer with funding rates proves, and what it does not. */
import assert from "node:assert/strict";
import {
  type FundingAnswer,
  type FundingRate,
  judgeFunding,
  MalformedFundingError,
  perpetualOf,
  readFundingRows,
  usableRates,
} from "../../lib/market/funding_rate.ts";

const HOUR_MS = 3_600_000;
const STEP_MS = 8 * HOUR_MS;
const START_MS = Date.UTC(2024, 0, 1);
const NOW_MS = START_MS + 100 * STEP_MS;

/** The rates from one to before another, counted from the start. */
function rates(from: number, to: number): readonly FundingRate[] {
  return Array.from({ length: to - from }, (_, at) => ({
    timeMs: START_MS + (from + at) * STEP_MS,
    rate: "0.0001",
  }));
}

/** What is covered of the window from the rate `since` to before the rate `until`, in rates. */
function covered(
  [since, until]: readonly [number, number],
  answer: Partial<FundingAnswer> & Pick<FundingAnswer, "rates">,
): readonly number[] | undefined {
  const window = { sinceMs: START_MS + since * STEP_MS, untilMs: START_MS + until * STEP_MS };
  const { answered } = judgeFunding({ isSinceSent: true, nowMs: NOW_MS, ...answer, window });
  return answered && [
    (answered.sinceMs - START_MS) / STEP_MS,
    Math.floor((answered.untilMs - START_MS) / STEP_MS),
  ];
}

Deno.test("an answer without rates proves that there are none", () => {
  assert.deepEqual(covered([0, 50], { rates: [] }), [0, 50]);
});

Deno.test("an answer covers only the time around its rates", () => {
  assert.deepEqual(covered([0, 50], { rates: rates(0, 50) }), [0, 50]);
  assert.deepEqual(covered([0, 50], { rates: rates(20, 50) }), [20, 50]);
  assert.deepEqual(covered([0, 50], { rates: rates(0, 20) }), [0, 19]);
  assert.deepEqual(covered([0, 50], { rates: rates(0, 20), comes: "oldest" }), [0, 19]);
  assert.deepEqual(covered([0, 50], { rates: rates(20, 50), comes: "oldest" }), [0, 50]);
  assert.deepEqual(covered([0, 50], { rates: rates(20, 40), comes: "newest" }), [20, 50]);
});

Deno.test("an answer that ignores the window covers nothing before its first rate", () => {
  assert.equal(covered([0, 50], { rates: rates(60, 100) }), undefined);
  assert.deepEqual(covered([0, 50], { rates: rates(30, 100), isSinceSent: false }), [30, 50]);
  assert.deepEqual(covered([0, 50], { rates: rates(30, 100), comes: "all" }), [0, 50]);
});

Deno.test("the newest rates before the end of the window say nothing of older ones, until others come than were asked for", () => {
  const judge = (from: number, to: number): ReturnType<typeof judgeFunding> =>
    judgeFunding({
      window: { sinceMs: START_MS, untilMs: START_MS + 50 * STEP_MS },
      rates: rates(from, to),
      ...{ isSinceSent: false, isUntilSent: true, nowMs: NOW_MS },
    });
  const { answered, reachFromMs } = judge(30, 50);
  assert.deepEqual(answered, {
    sinceMs: START_MS + 30 * STEP_MS,
    untilMs: START_MS + 50 * STEP_MS,
  });
  assert.equal(reachFromMs, undefined);
  const ignored = judge(50, 70);
  assert.deepEqual([ignored.answered, ignored.reachFromMs], [
    undefined,
    START_MS + 50 * STEP_MS,
  ]);
});

Deno.test("numbered answers join, and the same one again proves that no older come", () => {
  const joinMs = START_MS + 50 * STEP_MS;
  assert.deepEqual(covered([0, 80], { rates: rates(30, 50), isSinceSent: false, joinMs }), [
    30,
    50,
  ]);
  assert.equal(covered([0, 80], { rates: rates(50, 80), isSinceSent: false, joinMs }), undefined);
  assert.deepEqual(covered([0, 80], { rates: [], isSinceSent: false, joinMs }), [0, 50]);
});

Deno.test("a rate that was due just now is not given up, and one of the future is none", () => {
  const window = { sinceMs: START_MS + 90 * STEP_MS, untilMs: NOW_MS + 1_000 };
  const nowMs = NOW_MS + 1_000;
  const judged = judgeFunding({ window, rates: rates(90, 100), isSinceSent: true, nowMs });
  assert(judged.answered!.untilMs < NOW_MS, "the one of now may still come");
  const all = judgeFunding({ window, rates: rates(90, 102), isSinceSent: true, nowMs });
  assert.equal(all.rates.length, 11);
  assert.equal(all.answered?.untilMs, NOW_MS + 1);
});

Deno.test("rows that are no rates, contradict each other or are another perpetual's are refused", () => {
  const row = (change: object): object => ({
    symbol: "BTC/USDT:USDT",
    timestamp: START_MS,
    fundingRate: "0.0001",
    ...change,
  });
  const read = (...rows: readonly unknown[]): readonly FundingRate[] =>
    usableRates(readFundingRows(rows, "BTC/USDT:USDT"), []);
  const refused: readonly (readonly unknown[])[] = [
    [row({ timestamp: undefined })],
    [row({ timestamp: 1.5 })],
    [row({ fundingRate: undefined })],
    [row({ fundingRate: "NaN" })],
    [row({ fundingRate: "Infinity" })],
    [row({ fundingRate: "" })],
    [row({ fundingRate: "1e-999" })],
    [row({}), row({ fundingRate: "0.0002" })],
    [row({ symbol: "ETH/USDT:USDT" })],
    [null],
  ];
  for (const rows of refused) assert.throws(() => read(...rows), MalformedFundingError);
  assert.deepEqual(
    read(row({ timestamp: START_MS + 1, fundingRate: "-7.6E-5" }), row({}), row({})),
    [{ timeMs: START_MS, rate: "0.0001" }, { timeMs: START_MS + 1, rate: "-7.6E-5" }],
  );
});

Deno.test("a row that stays odd costs its own rate, and not those beside it", () => {
  const symbol = "BTC/USDT:USDT";
  const row = (at: number, fundingRate: string | undefined = "0.0001"): object => ({
    symbol,
    timestamp: START_MS + at,
    fundingRate,
  });
  const read = (rows: readonly object[], before: readonly object[]): readonly number[] =>
    usableRates(readFundingRows(rows, symbol), readFundingRows(before, symbol).odd)
      .map(({ timeMs }) => timeMs - START_MS);
  const odd = [row(0), row(1, ""), row(2), row(3), row(3, "0.0002"), row(4)];
  assert.throws(() => read(odd, []), /a row is no funding rate/);
  assert.deepEqual(read(odd, odd), [0, 2, 4]);
  assert.throws(
    () => read([...odd, row(5, "NaN")], odd),
    /a row is no funding rate/,
    "another one",
  );
  assert.deepEqual(read([row(1, "")], odd), []);
  const most = [row(0), row(1, ""), row(2, "")];
  assert.throws(() => read(most, most), /a row is no funding rate/);
});

Deno.test("only perpetuals have funding rates, whatever price a series is about", () => {
  const symbols = [
    ["BTC/USDT:USDT", "BTC/USDT:USDT"],
    ["BTC/USD:BTC", "BTC/USD:BTC"],
    ["BTC/USDT:USDT@mark", "BTC/USDT:USDT"],
    ["BTC/USDT", undefined],
    ["BTC/USDT:USDT-240628", undefined],
    ["BTC/USD:BTC-240628-50000-C", undefined],
    ["A-B/USDT:USDT", "A-B/USDT:USDT"],
  ] as const;
  for (const [symbol, perpetual] of symbols) assert.equal(perpetualOf(symbol), perpetual, symbol);
});
