import assert from "node:assert/strict";
import { type AssumedLimits, candleLimits } from "../../lib/exchange/limits.ts";
import { Capabilities } from "../../lib/archive/learned_limits.ts";
import type { PageVerdict } from "../../lib/market/answer.ts";
import type { Series } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { CapabilityRow } from "../../lib/store/capabilities.ts";
import { ManualClock } from "../support/manual_clock.ts";

const HOURS = spot("1h");
const HOUR_MS = 3_600_000;

interface Scene {
  readonly capabilities: Capabilities;
  readonly clock: ManualClock;
  /** Rows as they were kept, the oldest first. */
  readonly kept: readonly CapabilityRow[];
  /** Tells of a page of `asked` hours, the `index`th back from now, that came cut at so many rows. */
  readonly cut: (rows: number, asked: number, index: number) => void;
  /** Lets the next attempts to keep a row fail. */
  failKeeping: boolean;
}

function scene(limits: AssumedLimits = candleLimits("nowhere", "spot", 1_000)): Scene {
  const clock = new ManualClock();
  const kept: CapabilityRow[] = [];
  const capabilities = new Capabilities("nowhere", {
    limits: () => limits,
    clock,
    keep: (row) => {
      if (made.failKeeping) return Promise.reject(new Error("the database is away"));
      kept.push(row);
      return Promise.resolve();
    },
  });
  const made: Scene = {
    capabilities,
    clock,
    kept,
    failKeeping: false,
    cut: (cutRows, asked, index) => {
      const untilMs = clock.now() - index * asked * HOUR_MS;
      const window = { sinceMs: untilMs - asked * HOUR_MS, untilMs };
      capabilities.learnPage(HOURS, window, { ...PAGE, cutRows });
    },
  };
  return made;
}

const PAGE: PageVerdict = {
  candles: [],
  rejected: [],
  answered: undefined,
  reachFromMs: undefined,
};

const NO_WINDOW = { sinceMs: 0, untilMs: HOUR_MS };

const pageRows = ({ capabilities }: Scene): unknown => capabilities.of(spot("1h")).pageRowsMax;

Deno.test("before the first answer it says what CCXT and the table say, and who says it", () => {
  assert.deepEqual(scene(candleLimits("gemini", "spot", undefined)).capabilities.of(spot("1m")), {
    pageRowsMax: { value: 2_015, source: "table" },
    rowsMaxSeen: 0,
    isSinceHonoured: { value: false, source: "table" },
    isUntilNeeded: false,
    newestCandles: { value: 1_440, source: "table" },
    omitsSilent: undefined,
    learnedAtMs: undefined,
  });
  assert.deepEqual(pageRows(scene()), { value: 1_000, source: "ccxt" });
  assert.deepEqual(pageRows(scene(candleLimits("nowhere", "spot", undefined))), {
    value: 100,
    source: "default",
  });
});

Deno.test("what one class of markets teaches is kept and restored for no other", async () => {
  const made = scene();
  const linear = { ...HOURS, symbol: "BTC/USDT:USDT" };
  const mark = { ...HOURS, symbol: "BTC/USDT:USDT@mark" };
  made.capabilities.learnRows(linear, 700);
  made.capabilities.learnSinceHonoured(mark);
  const facts = (capabilities: Capabilities): unknown =>
    [HOURS, linear, mark, { ...HOURS, symbol: "BTC/USD:BTC" }].map((series) => {
      const { rowsMaxSeen, isSinceHonoured } = capabilities.of(series);
      return [rowsMaxSeen, isSinceHonoured?.value];
    });
  const learned = [[0, undefined], [700, undefined], [0, true], [0, undefined]];
  assert.deepEqual(facts(made.capabilities), learned);
  await made.capabilities.keep();
  assert.deepEqual(made.kept.map(({ marketKind }) => marketKind), ["linear", "linear@mark"]);
  const after = scene();
  after.capabilities.restore(made.kept);
  assert.deepEqual(facts(after.capabilities), learned);
});

Deno.test("two pages of different windows that come cut at one number of rows teach the page limit", () => {
  const made = scene();
  made.cut(200, 1_000, 0);
  assert.deepEqual(pageRows(made), { value: 1_000, source: "ccxt" });
  made.cut(200, 1_000, 1);
  assert.deepEqual(pageRows(made), { value: 200, source: "answers" });
  assert.deepEqual(
    made.capabilities.of(spot("1m")).pageRowsMax.value,
    1_000,
    "of that timeframe only",
  );
});

Deno.test("pages cut by chance teach no page limit", () => {
  const chances: Readonly<Record<string, (made: Scene) => void>> = {
    "one window that all symbols lack the beginning of": (made) => {
      for (let symbol = 0; symbol < 5; symbol++) made.cut(700, 1_000, 3);
    },
    "different numbers": (made) => [200, 201, 200].forEach((rows, i) => made.cut(rows, 1_000, i)),
    "fewer rows than every exchange gives": (made) => [0, 1].forEach((i) => made.cut(49, 1_000, i)),
    "one candle less than asked, whatever is asked": (made) =>
      [1_000, 1_000, 999, 999].forEach((asked, i) => made.cut(asked - 1, asked, i)),
  };
  for (const [chance, happen] of Object.entries(chances)) {
    const made = scene();
    happen(made);
    assert.equal(made.capabilities.of(spot("1h")).pageRowsMax.value, 1_000, chance);
  }
});

Deno.test("a learned page limit is never larger than the one that was known", () => {
  const made = scene(candleLimits("nowhere", "spot", 100));
  for (const index of [0, 1]) made.cut(200, 1_000, index);
  assert.deepEqual(pageRows(made), { value: 100, source: "ccxt" });
});

Deno.test("a candle without volume settles that silence is not left out, a hole only as long as none came", () => {
  const silence = (made: Scene): unknown => made.capabilities.of(spot("1h")).omitsSilent;
  const learn = ({ capabilities }: Scene, omitsSilent: boolean): void =>
    capabilities.learnPage(HOURS, NO_WINDOW, { ...PAGE, omitsSilent });
  const made = scene();
  learn(made, true);
  assert.deepEqual(silence(made), { value: true, source: "answers" });
  learn(made, false);
  learn(made, true);
  assert.deepEqual(silence(made), { value: false, source: "answers" });

  const okx = scene(candleLimits("okx", "spot", 300));
  learn(okx, true);
  assert.deepEqual(silence(okx), { value: false, source: "table" });
  const kucoin = scene(candleLimits("kucoin", "spot", 1_500));
  learn(kucoin, false);
  assert.deepEqual(silence(kucoin), { value: false, source: "answers" });
});

Deno.test("the exchange reaches back as far as the series of it that does so furthest", () => {
  const reach = (made: Scene, ...hours: readonly number[]): unknown => {
    for (const count of hours) {
      made.capabilities.learnReach(HOURS, made.clock.now() - count * HOUR_MS);
    }
    return made.capabilities.of(spot("1h")).newestCandles;
  };
  assert.equal(reach(scene()), undefined);
  assert.deepEqual(reach(scene(), 50, 720, 300), { value: 720, source: "answers" });
  const gate = scene(candleLimits("gate", "spot", 1_000));
  assert.deepEqual(reach(gate, 300), { value: 9_998, source: "table" });
  assert.deepEqual(reach(gate, 12_000), { value: 12_000, source: "answers" });
});

Deno.test("a row is kept when something was learned, and not once a page", async () => {
  const made = scene();
  await made.capabilities.keep();
  assert.equal(made.kept.length, 0);
  for (const rows of [500, 500, 20, 499]) {
    made.capabilities.learnRows(HOURS, rows);
    made.capabilities.learnSinceHonoured(HOURS);
    await made.capabilities.keep();
  }
  assert.deepEqual(made.kept, [{
    exchange: "nowhere",
    marketKind: "spot",
    timeframe: "1h",
    pageRows: 1_000,
    pageRowsSource: "ccxt",
    rowsSeen: 500,
    isSinceHonoured: true,
    isUntilNeeded: false,
    newestCandles: undefined,
    omitsSilent: undefined,
    settleSeconds: undefined,
    settleNeededMs: undefined,
    learnedAtMs: made.clock.now(),
  }]);
});

const DAY_MS = 24 * HOUR_MS;

/** A candle of an hour that closed at some hour, and was changed later. */
function late(hour: number, ageMs: number): Parameters<Capabilities["learnSettling"]>[1] {
  return { sinceMs: (hour - 1) * HOUR_MS, untilMs: hour * HOUR_MS, ageMs };
}

Deno.test("the settling time grows by what two candles have shown, within bounds, for the whole exchange", async () => {
  const made = scene();
  const { capabilities } = made;
  assert.equal(capabilities.settleMs, 120_000);
  capabilities.learnSettling(HOURS, late(1, 60_000));
  capabilities.learnSettling(HOURS, late(2, 60_000));
  assert.equal(capabilities.settleMs, 120_000, "shorter than what is waited for anyway");
  capabilities.learnSettling(HOURS, late(3, 180_400));
  assert.equal(capabilities.settleMs, 120_000, "one candle may have been corrected");
  capabilities.learnSettling(HOURS, late(3, 240_000));
  const minute = { sinceMs: 3 * HOUR_MS - 60_000, untilMs: 3 * HOUR_MS, ageMs: 300_000 };
  capabilities.learnSettling(spot("1m"), minute);
  assert.equal(capabilities.settleMs, 120_000, "the same change, in another timeframe");
  capabilities.learnSettling(HOURS, late(4, 180_400));
  assert.equal(capabilities.settleMs, 181_000, "no longer than both have shown");
  capabilities.learnSettling(spot("1m"), late(5, 150_000));
  assert.equal(capabilities.settleMs, 181_000);
  for (const hour of [6, 7]) capabilities.learnSettling(HOURS, late(hour, 15 * 60_000 + 1));
  assert.equal(capabilities.settleMs, 181_000, "no coverage waits for a correction so late");
  await capabilities.keep();

  const after = scene();
  after.capabilities.restore(made.kept);
  assert.equal(after.capabilities.settleMs, 181_000);
});

Deno.test("a settling time that no candle has needed for a week is forgotten, and learned anew", async () => {
  const made = scene();
  const { capabilities, clock } = made;
  const twice = (ageMs: number): void => {
    for (const hour of [1, 2]) capabilities.learnSettling(HOURS, late(hour, ageMs));
  };
  twice(600_000);
  for (let day = 0; day < 20; day++) {
    clock.set(DAY_MS);
    capabilities.learnSettling(HOURS, late(3 + 24 * day, 590_000));
  }
  assert.equal(capabilities.settleMs, 600_000, "needed each day");
  await capabilities.keep();
  for (let hour = 0; hour < 6 * 24; hour++) {
    clock.set(HOUR_MS);
    capabilities.learnSettling(HOURS, late(hour, 200_000));
  }
  assert.equal(capabilities.settleMs, 600_000, "a week has not passed");
  const after = scene();
  after.clock.set(clock.now() - after.clock.now());
  after.capabilities.restore(made.kept);
  assert.equal(after.capabilities.settleMs, 600_000, "the next process knows when it was needed");
  clock.set(DAY_MS);
  assert.equal(capabilities.settleMs, 120_000, "much less was enough for a week");
  twice(200_000);
  assert.equal(capabilities.settleMs, 200_000);
});

Deno.test("two late changes that lie more than a week apart prove nothing", () => {
  const { capabilities, clock } = scene();
  capabilities.learnSettling(HOURS, late(1, 600_000));
  clock.set(8 * DAY_MS);
  capabilities.learnSettling(HOURS, late(200, 600_000));
  assert.equal(capabilities.settleMs, 120_000);
});

Deno.test("what could not be kept is kept with the next change, and fails nobody", async () => {
  const made = scene();
  made.failKeeping = true;
  made.capabilities.learnRows(HOURS, 500);
  await made.capabilities.keep();
  made.failKeeping = false;
  await made.capabilities.keep();
  assert.equal(made.kept.length, 0, "not before");
  made.capabilities.learnRows(spot("1m"), 7);
  await made.capabilities.keep();
  assert.deepEqual(made.kept.map((row) => [row.timeframe, row.rowsSeen]), [["1h", 500], ["1m", 7]]);
});

Deno.test("what answers have taught is taken over by the next process, what was only assumed is not", async () => {
  const before = scene();
  for (const index of [0, 1]) before.cut(200, 1_000, index);
  before.capabilities.learnRows(HOURS, 1_000);
  before.capabilities.learnRows(spot("1m"), 300);
  before.capabilities.learnReach(HOURS, before.clock.now() - 720 * HOUR_MS);
  await before.capabilities.keep();

  const after = scene(candleLimits("nowhere", "spot", 500));
  after.capabilities.restore(before.kept);
  assert.deepEqual(after.capabilities.of(spot("1h")), before.capabilities.of(spot("1h")));
  assert.deepEqual(after.capabilities.of(spot("1m")).pageRowsMax, { value: 500, source: "ccxt" });
  assert.equal(after.capabilities.of(spot("1m")).rowsMaxSeen, 300);
});

/** A series of a spot market. */
function spot(text: string): Pick<Series, "symbol" | "timeframe"> {
  return { symbol: "BTC/USDT", timeframe: parseTimeframe(text) };
}
