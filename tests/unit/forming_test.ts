import assert from "node:assert/strict";
import { FormingCandles } from "../../lib/live/forming.ts";
import type { ToldCandle } from "../../lib/live/whole_candles.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";

const MINUTE_MS = 60_000;
const OPEN_MS = Date.UTC(2024, 2, 15, 12);
const SERIES = { exchange: "kraken", symbol: "BTC/USD", timeframe: parseTimeframe("1m") } as const;

function told(openMs: number, price: string, receivedMs: number): ToldCandle {
  return {
    ...{ series: SERIES, connection: 1, isClosed: undefined, isSnapshot: true },
    ...{ exchangeMs: undefined, receivedMs, row: [openMs, price, price, price, price, "1"] },
  };
}

Deno.test("the candle that forms is the newest that was told, with its last values, until it has closed", () => {
  const candles = new FormingCandles();
  const priceAt = (nowMs: number): string | undefined => candles.of(SERIES, nowMs)?.candle.close;
  assert.equal(priceAt(OPEN_MS), undefined);
  candles.note(told(OPEN_MS, "5", OPEN_MS + 1_000));
  candles.note(told(OPEN_MS, "6", OPEN_MS + 2_000));
  candles.note(told(OPEN_MS - MINUTE_MS, "1", OPEN_MS + 3_000));
  candles.note(told(OPEN_MS, "-1", OPEN_MS + 4_000));
  candles.note(told(OPEN_MS + 60 * MINUTE_MS, "9", OPEN_MS + 5_000));
  assert.equal(priceAt(OPEN_MS + 6_000), "6");
  assert.equal(candles.of(SERIES, OPEN_MS + 6_000)?.toldMs, OPEN_MS + 2_000);
  assert.equal(priceAt(OPEN_MS + MINUTE_MS + 4_000), "6", "its last message may come late");
  assert.equal(priceAt(OPEN_MS + MINUTE_MS + 6_000), undefined);
  candles.note(told(OPEN_MS + MINUTE_MS, "7", OPEN_MS + MINUTE_MS));
  assert.equal(priceAt(OPEN_MS + MINUTE_MS), "7");
  candles.leave(SERIES);
  assert.equal(priceAt(OPEN_MS + MINUTE_MS), undefined);
});
