/** What rollups are built from. @module */
import assert from "node:assert/strict";
import { candlesMax, planRollups } from "../../lib/market/rollup.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";

function plan(wanted: string, archived: string): readonly string[] {
  const read = (texts: string) => texts.split(",").map(parseTimeframe);
  const { rollups, refused } = planRollups(read(wanted), read(archived));
  return [
    ...rollups.map((rollup) =>
      `${rollup.timeframe.text} from ${rollup.from?.text ?? "candles"} of ${rollup.base.text}, ` +
      candlesMax(rollup)
    ),
    ...refused.map(({ text }) => `${text} refused`),
  ];
}

Deno.test("each rollup is built from the next finer one that divides it, the finest from candles", () => {
  assert.deepEqual(plan("1d,5m,4h,15m,1h", "1d,1m"), [
    "5m from candles of 1m, 5",
    "15m from 5m of 1m, 15",
    "1h from 15m of 1m, 60",
    "4h from 1h of 1m, 240",
    "1d from 4h of 1m, 1440",
  ]);
  assert.deepEqual(plan("3m,5m,15m,6h,8h", "1m"), [
    "3m from candles of 1m, 3",
    "5m from candles of 1m, 5",
    "15m from 5m of 1m, 15",
    "6h from 15m of 1m, 360",
    "8h from 15m of 1m, 480",
  ]);
});

Deno.test("a rollup is built from the finest archived timeframe that divides it", () => {
  assert.deepEqual(plan("15m,4h", "1h,3m,5m"), [
    "15m from candles of 3m, 5",
    "4h from 15m of 3m, 80",
  ]);
});

Deno.test("rollups of different candles are not built from each other", () => {
  assert.deepEqual(plan("10m,30m", "5m,3m"), [
    "10m from candles of 5m, 2",
    "30m from candles of 3m, 10",
  ]);
});

Deno.test("what nothing archived divides, or what does not divide a day, is refused", () => {
  assert.deepEqual(plan("1m,5m,3d,1w,1M", "1m"), [
    "5m from candles of 1m, 5",
    "1m refused",
    "3d refused",
    "1w refused",
    "1M refused",
  ]);
  assert.deepEqual(plan("5m", "3m,1h"), ["5m refused"]);
});
