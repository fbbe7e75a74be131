import assert from "node:assert/strict";
import { answerTime } from "../../lib/market/answer_time.ts";

const NOW_MS = Date.UTC(2024, 0, 1, 12);
const HOUR_MS = 3_600_000;

Deno.test("a clock that agrees with the answer's date, or is behind it, is believed", () => {
  for (const dateMs of [undefined, NOW_MS, NOW_MS + HOUR_MS]) {
    assert.equal(answerTime(NOW_MS, { dateMs, newestMs: undefined }), NOW_MS);
  }
});

Deno.test("an answer does not speak of what comes after its date", () => {
  for (const aheadMs of [1_000, HOUR_MS]) {
    const dateMs = NOW_MS - aheadMs;
    assert.equal(answerTime(NOW_MS, { dateMs, newestMs: undefined }), dateMs);
    assert.equal(answerTime(NOW_MS, { dateMs, newestMs: dateMs - 60_000 }), dateMs);
  }
});

Deno.test("rows newer than the date show that the date is wrong, and rows of the future show nothing", () => {
  const dateMs = 0;
  assert.equal(answerTime(NOW_MS, { dateMs, newestMs: NOW_MS - 30_000 }), NOW_MS - 30_000);
  assert.equal(answerTime(NOW_MS, { dateMs, newestMs: NOW_MS + HOUR_MS }), NOW_MS);
});
