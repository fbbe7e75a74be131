/** The page's table of funding rates. @module */
import assert from "node:assert/strict";
import { fundingText, sumsOf } from "../../lib/serve/page/funding.js";
import type { FundingStatus } from "../../lib/serve/funding_status.ts";

const RATES: FundingStatus = {
  exchange: "binance",
  symbol: "BTC/USDT:USDT",
  rates: 180,
  first: "2026-01-01T00:00:00.000Z",
  last: "2026-01-31T08:00:00.000Z",
  intervalSeconds: 28_800,
  owed: 0,
  missing: 0,
  explained: 1,
  lastError: null,
};

Deno.test("the funding rates of an exchange's perpetuals are one row, and those that fail come first", () => {
  const sums = sumsOf([
    RATES,
    { ...RATES, symbol: "ETH/USDT:USDT", last: "2026-01-31T11:00:00.000Z", owed: 3, missing: 2 },
    { ...RATES, symbol: "SOL/USDT:USDT", rates: 0, first: null, last: null },
    { ...RATES, exchange: "okx", lastError: "no such instrument" },
  ]);
  assert.deepEqual(sums.map(({ exchange }) => exchange), ["okx", "binance"]);
  assert.deepEqual(sums[1], {
    exchange: "binance",
    perpetuals: 3,
    rates: 360,
    owed: 3,
    missing: 2,
    explained: 3,
    last: "2026-01-31T11:00:00.000Z",
    failing: [],
  });
});

Deno.test("the page says what is the matter with funding rates: refused, missing, owed, in this order", () => {
  const text = (...rows: readonly Partial<FundingStatus>[]): string | undefined =>
    sumsOf(rows.map((row) => ({ ...RATES, ...row }))).map(fundingText)[0];
  assert.match(
    text({ missing: 1, lastError: "no" }) ?? "",
    /^The rates of BTC\/USDT:USDT are refused/,
  );
  assert.match(text({ lastError: "no" }, { lastError: "no" }) ?? "", /USDT and 1 more are refused/);
  assert.match(text({ missing: 1, owed: 1 }) ?? "", /^What is missing is asked for again/);
  assert.match(text({ owed: 1 }) ?? "", /^What is owed is fetched/);
  assert.equal(text({}), "All rates are there.");
});
