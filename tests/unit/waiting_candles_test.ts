import assert from "node:assert/strict";
import { WaitingCandles } from "../../lib/live/waiting_candles.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { StreamedCandle } from "../../lib/store/streamed_write.ts";
import { fc } from "../support/property.ts";

function streamed(symbol: string, minute: number, price: number): StreamedCandle {
  const text = String(price);
  const prices = { open: text, high: text, low: text, close: text, volume: "1" };
  return {
    series: { exchange: "kraken", symbol, timeframe: parseTimeframe("1m") },
    candle: { openTimeMs: minute * 60_000, ...prices },
    marketId: undefined,
  };
}

function textOf({ series, candle }: StreamedCandle): string {
  return `${series.symbol} ${candle.openTimeMs / 60_000} ${candle.close}`;
}

Deno.test("of a candle the newest values wait, also where older ones come back from a write that failed", () => {
  const candles = new WaitingCandles();
  for (const price of [1, 2]) assert.ok(candles.put(streamed("BTC/USD", 0, price)));
  const taken = candles.take();
  assert.deepEqual(taken.map(textOf), ["BTC/USD 0 2"]);
  assert.ok(candles.put(streamed("BTC/USD", 0, 3)));
  for (const one of taken) candles.settle(one, { isAgain: true });
  assert.deepEqual(candles.take().map(textOf), ["BTC/USD 0 3"]);
});

Deno.test("a series of which too many wait takes no other's place", () => {
  const candles = new WaitingCandles();
  const accepted = [1, 2, 3, 4, 5, 6].map((minute) => candles.put(streamed("BTC/USD", minute, 1)));
  assert.deepEqual(accepted, [true, true, true, true, false, false]);
  assert.ok(candles.put(streamed("ETH/USD", 6, 1)));
  candles.leave(streamed("BTC/USD", 1, 1).series);
  assert.deepEqual(candles.take().map(textOf), ["ETH/USD 6 1"]);
});

Deno.test("whatever comes and whatever becomes of writes, no more than four of a series wait and are written", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({
        ...{ put: fc.constantFrom("A", "B"), minute: fc.nat(9), price: fc.nat(5) },
      }),
      fc.constant("take" as const),
      fc.record({ isAgain: fc.boolean() }),
    ),
    { maxLength: 80, size: "max" },
  );
  fc.assert(fc.property(steps, (all) => {
    const candles = new WaitingCandles();
    /** What is neither stored nor refused, by series and minute, and what of it is being written. */
    const owed = new Map<string, string>();
    const writing: StreamedCandle[] = [];
    for (const step of all) {
      if (step === "take") writing.push(...candles.take());
      else if ("put" in step) {
        const one = streamed(step.put, step.minute, step.price);
        const key = `${step.put} ${step.minute}`;
        if (candles.put(one)) owed.set(key, textOf(one));
        else assert.ok([...owed.keys()].some((name) => name.startsWith(step.put)));
      } else {
        const one = writing.shift();
        if (one === undefined) continue;
        candles.settle(one, step);
        const key = `${one.series.symbol} ${one.candle.openTimeMs / 60_000}`;
        const isElsewhere = writing.some((other) =>
          other.series.symbol === one.series.symbol &&
          other.candle.openTimeMs === one.candle.openTimeMs
        );
        if (!step.isAgain && !isElsewhere && owed.get(key) === textOf(one)) owed.delete(key);
      }
      const taken = candles.take();
      for (const symbol of ["A", "B"]) {
        const held = [...writing, ...taken].filter(({ series }) => series.symbol === symbol);
        assert.ok(held.length <= 4, `${held.length} of ${symbol}`);
      }
      for (const one of taken) candles.settle(one, { isAgain: true });
    }
    for (const one of writing) candles.settle(one, { isAgain: true });
    assert.equal(candles.isEmpty, owed.size === 0 && candles.take().length === 0);
  }));
});
