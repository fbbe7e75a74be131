import assert from "node:assert/strict";
import type { RejectedCandle } from "../../lib/market/candle.ts";
import { keptRejections, rejectedRows } from "../../lib/market/kept_rejections.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";

const MINUTE_MS = 60_000;
const timeframe = parseTimeframe("1m");
const WINDOW = { sinceMs: 0, untilMs: 1_000 * MINUTE_MS };

function row(reason: RejectedCandle["reason"], openTimeMs: number | undefined): RejectedCandle {
  return { reason, row: "[]", openTimeMs };
}

Deno.test("every candle that was rejected keeps a row, however many rows came", () => {
  const rejected = Array.from(
    { length: 5_000 },
    (_, at) => row("volume_negative", (at % 1_000) * MINUTE_MS),
  );
  const kept = keptRejections(rejected, { timeframe, window: WINDOW });
  assert.equal(new Set(kept.map(({ openTimeMs }) => openTimeMs)).size, 1_000);
  assert.equal(kept.length, 1_000);
  assert.equal(rejectedRows(kept), 5_000);
});

Deno.test("rows that belong to no candle are kept as ten examples, and one of every reason", () => {
  const unplaced = Array.from({ length: 5_000 }, () => row("time_not_a_number", undefined));
  const last = [row("not_six_values", undefined), row("time_not_aligned", 7)];
  const kept = keptRejections([...unplaced, ...last], { timeframe, window: WINDOW });
  assert.deepEqual(kept.slice(10), last);
  assert.equal(rejectedRows(kept), 5_002);
});

Deno.test("rows that are shifted alike belong to the candles in which they open", () => {
  const rejected = Array.from(
    { length: 100 },
    (_, at) => row("time_not_aligned", at * MINUTE_MS + 30_000),
  );
  assert.equal(
    keptRejections(rejected, { timeframe, window: WINDOW, isShifted: true }).length,
    100,
  );
  assert.equal(keptRejections(rejected, { timeframe, window: WINDOW }).length, 10);
});
