import assert from "node:assert/strict";
import { atMost, mergeReasons, sumReasons } from "../../lib/market/gap_reasons.ts";

Deno.test("reasons explain no more candles than are missing", () => {
  const reasons = { no_trades: 5, exchange_outage: 3 } as const;
  assert.deepEqual(atMost(100, reasons), reasons);
  assert.deepEqual(atMost(6, reasons), { no_trades: 5, exchange_outage: 1 });
  assert.deepEqual(atMost(5, reasons), { no_trades: 5 });
  assert.deepEqual(atMost(0, reasons), {});
});

Deno.test("reasons inside and outside of coverage add up, and one that explains nothing is left out", () => {
  const all = mergeReasons({ retention: 2, rejected: 1 }, { retention: 3, before_listing: 0 });
  assert.deepEqual(all, { retention: 5, rejected: 1 });
  assert.equal(sumReasons(all), 6);
});
