import assert from "node:assert/strict";
import {
  besidePolls,
  type Capacity,
  capacityOf,
  capacityProblem,
  isOverdrawn,
} from "../../lib/market/capacity.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";

const MINUTE_MS = 60_000;

/** So many symbols, each in these timeframes, at one pace. */
function of(
  symbols: number,
  timeframes: readonly string[],
  { requestMs = 1000, tickMs = MINUTE_MS, settleMs = 2 * MINUTE_MS } = {},
): Capacity {
  const series = Array.from({ length: symbols }, (_, i) => `Q${i}/USD`).flatMap((symbol) =>
    timeframes.map((text) => ({ symbol, timeframe: parseTimeframe(text), requestMs }))
  );
  return capacityOf("kraken", series, { tickMs, settleMs });
}

Deno.test("ninety symbols of 1m at a second each need ninety seconds of every minute", () => {
  const capacity = of(90, ["1m"]);
  assert.equal(capacity.pollsAMinute, 90);
  assert.equal(capacity.secondsAMinute, 90);
  assert.equal(capacity.symbolsMax, 55);
  assert.equal(
    capacityProblem(capacity),
    "90 symbols of 1m at 1 s a request need 90 s of every minute, so polls are skipped; at most 55 " +
      "fit. Reduce the symbols or timeframes of kraken, set the first field of POLL_CRON to */2, or, where the " +
      "exchange allows more, set a lower rateLimit in its options",
  );
});

Deno.test("as many as are said to fit are no problem, and one more is", () => {
  for (const timeframes of [["1m"], ["1m", "5m"], ["1m", "1h", "1d"], ["1s", "15m"]]) {
    for (const requestMs of [20, 334, 1000, 6000]) {
      const { symbolsMax } = of(1, timeframes, { requestMs });
      const context = `${symbolsMax} symbols of ${timeframes} at ${requestMs} ms`;
      assert(symbolsMax > 0, context);
      assert.equal(capacityProblem(of(symbolsMax, timeframes, { requestMs })), undefined, context);
      assert.match(
        capacityProblem(of(symbolsMax + 1, timeframes, { requestMs })) ?? "",
        new RegExp(`at most ${symbolsMax} fit`),
      );
      assert.equal(of(3 * symbolsMax, timeframes, { requestMs }).symbolsMax, symbolsMax, context);
    }
  }
});

Deno.test("what takes more than leaves a share for backfill, and less than all, is told as such", () => {
  const capacity = of(57, ["1m"]);
  assert.equal(isOverdrawn(capacity), false);
  assert.match(
    capacityProblem(capacity) ?? "",
    /need 57 s of every minute, which leaves too little for backfill; at most 55 fit/,
  );
});

Deno.test("a candle longer than a tick is polled when it closes and when it is final", () => {
  assert.equal(of(1, ["5m"]).pollsAMinute, 2 / 5);
  assert.equal(of(1, ["1d"]).pollsAMinute, 2 / 1440);
  // It is final in the very tick in which the next one closes.
  assert.equal(of(1, ["2m"]).pollsAMinute, 1 / 2);
  assert.equal(of(1, ["5m"], { settleMs: 5 * MINUTE_MS }).pollsAMinute, 1 / 5);
});

Deno.test("no series is polled twice in one tick, however rare the ticks are", () => {
  assert.equal(of(1, ["1m"], { tickMs: 5 * MINUTE_MS }).pollsAMinute, 1 / 5);
  assert.equal(of(1, ["1s"], { tickMs: 2_000 }).pollsAMinute, 30);
  assert.equal(of(1, ["1m"], { tickMs: Infinity }).pollsAMinute, 0);
});

Deno.test("the cheapest symbols are counted as those that fit", () => {
  const timeframe = parseTimeframe("1m");
  const cheap = ["A/USD", "B/USD", "C/USD"].map((symbol) => ({
    symbol,
    timeframe,
    requestMs: 5_000,
  }));
  const dear = ["D/USD", "E/USD"].map((symbol) => ({ symbol, timeframe, requestMs: 25_000 }));
  const capacity = capacityOf("binance", [...dear, ...cheap], {
    tickMs: MINUTE_MS,
    settleMs: 2 * MINUTE_MS,
  });
  assert.deepEqual([capacity.secondsAMinute, capacity.symbolsMax], [65, 4]);
});

Deno.test("rarer polls are advised where they help, and not where the pace is too slow for all", () => {
  assert.match(
    capacityProblem(of(300, ["1m"])) ?? "",
    /set the first field of POLL_CRON to \*\/10,/,
  );
  assert.doesNotMatch(capacityProblem(of(9_000, ["1m"])) ?? "", /POLL_CRON/);
});

Deno.test("a backfill beside the polls takes longer by their share, and has no end without one", () => {
  assert.equal(besidePolls(100, of(30, ["1m"])), 200);
  assert.equal(besidePolls(100, of(60, ["1m"])), Infinity);
  assert.equal(besidePolls(0, of(90, ["1m"])), 0);
});

Deno.test("an exchange without series needs nothing", () => {
  const capacity = of(0, ["1m"]);
  assert.deepEqual([capacity.secondsAMinute, capacityProblem(capacity)], [0, undefined]);
});
