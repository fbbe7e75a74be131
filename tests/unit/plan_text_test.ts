import assert from "node:assert/strict";
import { render } from "../../lib/cli/plan.ts";
import type { PlanEntry } from "../../lib/fetch/plan.ts";

const ENTRY: PlanEntry = {
  exchange: "binance",
  timeframe: "1m",
  series: 2,
  candles: 20_160,
  pages: 22,
  seconds: 3_720,
  bytes: 3_487_680,
  impossible: 0,
  reachFrom: null,
};

Deno.test("a plan says what is owed, and how long and how big it is at least", () => {
  const text = render({ entries: [ENTRY], problems: [], seconds: 3_720, bytes: 3_487_680 });
  assert.match(text, /^binance +1m +2 +20,160 +22 +1 h 2 min +3\.\d MB$/m);
  assert.match(text, /^At least 1 h 2 min for all exchanges side by side, and 3\.\d MB on disk$/m);
});

Deno.test("a plan of which every exchange is away does not promise to take no time", () => {
  const problems = [{ exchange: "binance", problem: "no such host" }];
  assert.equal(
    render({ entries: [], problems, seconds: 0, bytes: 0 }),
    "nothing could be planned",
  );
});
