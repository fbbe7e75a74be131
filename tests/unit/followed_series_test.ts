/** What is kept in mind of one who follows a series is bounded, and an id says where to resume. */
import assert from "node:assert/strict";
import type { Candle } from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { followedFrom, FollowedSeries } from "../../lib/serve/followed_series.ts";

const MINUTE_MS = 60_000;
const TIMEFRAME = parseTimeframe("1m");
const BTC = { exchange: "binance", symbol: "BTC/USDT", timeframe: TIMEFRAME };
const NOTHING = { mark: "1", settled: [], provisional: [], candles: [], revisions: [] };

function candleAt(minute: number): Candle {
  const values = { open: "1", high: "1", low: "1", close: "1", volume: "1" };
  return { openTimeMs: minute * MINUTE_MS, ...values };
}

Deno.test("of more than a thousand holes the oldest are given up, and few parts are read at once", () => {
  const followed = new FollowedSeries(TIMEFRAME, { sinceMs: 0, revision: 0 }, { rowsMax: 2 });
  for (let minute = 0; minute < 3_000; minute += 2) {
    followed.take({ ...NOTHING, candles: [candleAt(minute)] }, new Map());
    assert.ok(followed.asked.told.length <= 1_000);
    assert.ok(followed.asked.windows.length <= 8);
  }
  assert.equal(followed.asked.told.length, 1_000);
  assert.ok(followed.asked.windows.some(({ untilMs }) => untilMs === Infinity), "what comes");
  assert.equal(followed.id, "1970-01-01T16:41:00.000Z/0");
});

Deno.test("a candle that is provisional is told again to one who resumes, those of two days ago are not", () => {
  const followed = new FollowedSeries(TIMEFRAME, { sinceMs: 0, revision: 0 }, { rowsMax: 5_000 });
  const candles = Array.from({ length: 3_000 }, (_, minute) => candleAt(minute));
  const provisional = [{ sinceMs: 0, untilMs: 3_000 * MINUTE_MS }];
  const { told } = followed.take({ ...NOTHING, candles, provisional }, new Map());
  assert.ok(told.every(({ isProvisional }) => isProvisional));
  assert.equal(followed.id, "1970-01-01T16:40:00.000Z/0");
  assert.deepEqual(followed.changed({ ...NOTHING, provisional }), []);
  assert.equal(followed.changed(NOTHING).length, 2_000);
});

Deno.test("confirmations are told in parts, and it is not over before the last of them", () => {
  const followed = new FollowedSeries(TIMEFRAME, { sinceMs: 0, revision: 0 }, { rowsMax: 4 });
  const candles = [0, 1, 2].map(candleAt);
  const more = [3, 4, 5].map(candleAt);
  const provisional = [{ sinceMs: 0, untilMs: 6 * MINUTE_MS }];
  followed.take({ ...NOTHING, candles, provisional }, new Map());
  followed.take({ ...NOTHING, candles: more, provisional }, new Map());
  const parts: number[] = [];
  for (let isOver = false; !isOver;) {
    const present = followed.changed(NOTHING).map((timeMs) =>
      [timeMs, { candle: candleAt(timeMs / MINUTE_MS), isProvisional: false }] as const
    );
    assert.notEqual(present.length, 0);
    const taken = followed.take(NOTHING, new Map(present));
    assert.ok(taken.told.every(({ kind }) => kind === "confirmed"));
    parts.push(taken.told.length);
    isOver = taken.isOver;
  }
  assert.deepEqual(parts, [4, 2]);
});

Deno.test("an id that is newer than a restored archive begins with what comes to that", () => {
  const state = { lastMs: 7 * MINUTE_MS, revision: 3, nowMs: 100 * MINUTE_MS };
  const resumed = followedFrom(BTC, "1970-01-01T01:00:00.000Z/9", state);
  assert.deepEqual(resumed, { sinceMs: 8 * MINUTE_MS, revision: 3 });
  assert.deepEqual(followedFrom(BTC, "1970-01-01T00:02:00.000Z/1", state), {
    ...{ sinceMs: 2 * MINUTE_MS, revision: 1 },
  });
});

Deno.test("without an id it begins with the newest candle, or with the last that has closed", () => {
  const state = { lastMs: 7 * MINUTE_MS, revision: 3, nowMs: 100 * MINUTE_MS + 1 };
  for (const id of [undefined, ""]) {
    assert.deepEqual(followedFrom(BTC, id, state), { sinceMs: 7 * MINUTE_MS, revision: 3 });
    assert.deepEqual(followedFrom(BTC, id, { ...state, lastMs: undefined }), {
      ...{ sinceMs: 99 * MINUTE_MS, revision: 3 },
    });
  }
});
