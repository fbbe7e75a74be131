/** Which errors end the repairs of an exchange. @module */
import assert from "node:assert/strict";
import { FetchError } from "../../lib/exchange/fetch_error.ts";
import { stopsAll } from "../../lib/gap/unasked.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";

const SERIES = {
  exchange: "binance",
  symbol: "BTC/USDT:USDT",
  timeframe: parseTimeframe("1m"),
} as const;

Deno.test("a ban of one kind of markets leaves the others, and a database that is away leaves none", () => {
  const stops = (error: Error, downUntilMs: number | undefined): boolean =>
    stopsAll(error, { exchange: { downUntilMs: () => downUntilMs }, series: SERIES });
  const ban = new FetchError("rate_limited", "Too many requests.");
  assert.deepEqual([stops(ban, undefined), stops(ban, 1_000)], [true, false]);
  const away = new StoreError("unavailable", "Cannot reach the database.");
  assert.deepEqual([stops(away, undefined), stops(away, 1_000)], [true, true]);
  const refusal = new FetchError("permanent", "No such symbol.");
  assert.equal(stops(refusal, undefined), false);
});
