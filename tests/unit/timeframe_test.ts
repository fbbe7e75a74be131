import assert from "node:assert/strict";
import {
  addCandles,
  ceilTime,
  closedUntil,
  countCandles,
  floorTime,
  isAligned,
  nominalMs,
  parseTimeframe,
} from "../../lib/market/timeframe.ts";

const at = (text: string): number => Date.parse(text);
const iso = (timeMs: number): string => new Date(timeMs).toISOString();
const floorOf = (text: string, time: string): string =>
  iso(floorTime(parseTimeframe(text), at(time)));
const ceilOf = (text: string, time: string): string =>
  iso(ceilTime(parseTimeframe(text), at(time)));

Deno.test("every timeframe that CCXT knows is read as count and unit", () => {
  const texts = "1s 5s 1m 3m 5m 15m 30m 45m 1h 2h 4h 6h 8h 12h 1d 2d 3d 5d 1w 2w 1M 3M 6M 1y 9999m";
  for (const text of texts.split(" ")) {
    const timeframe = parseTimeframe(text);
    assert.equal(timeframe.text, text);
    assert.equal(`${timeframe.count}${timeframe.unit}`, text);
  }
});

Deno.test("a text that is no timeframe is refused, and the error shows it", () => {
  const texts = [
    "",
    "m",
    "1",
    "0m",
    "01m",
    "-1m",
    "1.5h",
    "1x",
    "1mm",
    "1 m",
    " 1m",
    "1m\n",
    "10000m",
    "1H",
    "1D",
  ];
  for (const text of [...texts, "１m", "1m\0", "1e2m"]) {
    assert.throws(() => parseTimeframe(text), (error) => {
      assert.ok(error instanceof RangeError);
      assert.ok(error.message.includes(JSON.stringify(text)), error.message);
      return true;
    });
  }
});

Deno.test("a minute and a month differ only in their case and are told apart", () => {
  assert.equal(nominalMs(parseTimeframe("1m")), 60_000);
  assert.equal(nominalMs(parseTimeframe("1M")) * 12, nominalMs(parseTimeframe("1y")));
  // A Gregorian cycle of 400 years has 146,097 days.
  assert.equal(nominalMs(parseTimeframe("1y")) * 400, 146_097 * 86_400_000);
});

Deno.test("seconds to days open on multiples of their length since the epoch, before it too", () => {
  assert.equal(floorOf("1m", "2024-02-29T13:37:59.999Z"), "2024-02-29T13:37:00.000Z");
  assert.equal(floorOf("4h", "2024-02-29T13:37:59.999Z"), "2024-02-29T12:00:00.000Z");
  assert.equal(floorOf("1d", "2024-02-29T23:59:59.999Z"), "2024-02-29T00:00:00.000Z");
  assert.equal(floorOf("3d", "1970-01-06T23:00:00Z"), "1970-01-04T00:00:00.000Z");
  assert.equal(floorOf("1h", "1969-12-31T23:59:59.999Z"), "1969-12-31T23:00:00.000Z");
});

Deno.test("weeks open on Monday 00:00 UTC", () => {
  assert.equal(floorOf("1w", "2024-03-03T23:59:59.999Z"), "2024-02-26T00:00:00.000Z");
  assert.equal(floorOf("1w", "2024-03-04T00:00:00Z"), "2024-03-04T00:00:00.000Z");
  assert.equal(floorOf("1w", "1970-01-01T00:00:00Z"), "1969-12-29T00:00:00.000Z");
  assert.equal(ceilOf("1w", "2023-12-31T00:00:00Z"), "2024-01-01T00:00:00.000Z");
  // Weeks of more than one are counted from the first Monday after the epoch.
  assert.equal(floorOf("2w", "1970-01-18T23:00:00Z"), "1970-01-05T00:00:00.000Z");
  assert.equal(floorOf("2w", "1970-01-19T00:00:00Z"), "1970-01-19T00:00:00.000Z");
});

Deno.test("months, quarters and years open on the first of the calendar, leap years included", () => {
  assert.equal(floorOf("1M", "2024-02-29T23:59:59.999Z"), "2024-02-01T00:00:00.000Z");
  assert.equal(ceilOf("1M", "2024-02-01T00:00:00.001Z"), "2024-03-01T00:00:00.000Z");
  assert.equal(ceilOf("1M", "2024-12-31T23:59:59.999Z"), "2025-01-01T00:00:00.000Z");
  assert.equal(floorOf("3M", "2024-06-30T23:59:59.999Z"), "2024-04-01T00:00:00.000Z");
  assert.equal(ceilOf("3M", "2024-10-02T00:00:00Z"), "2025-01-01T00:00:00.000Z");
  assert.equal(floorOf("1y", "2024-12-31T23:59:59.999Z"), "2024-01-01T00:00:00.000Z");
  assert.equal(floorOf("1M", "1969-12-31T23:59:59.999Z"), "1969-12-01T00:00:00.000Z");
  assert.equal(floorOf("1y", "1969-12-31T23:59:59.999Z"), "1969-01-01T00:00:00.000Z");
});

Deno.test("February has as many days as its year says", () => {
  const day = parseTimeframe("1d");
  const month = parseTimeframe("1M");
  for (
    const [year, days] of [[2023, 28], [2024, 29], [2000, 29], [1900, 28], [2100, 28]] as const
  ) {
    const sinceMs = Date.UTC(year, 1, 1);
    assert.equal(countCandles(day, sinceMs, addCandles(month, sinceMs, 1)), days, String(year));
  }
});

Deno.test("negative counts go back, across years and the epoch", () => {
  const back = (text: string, time: string, count: number): string =>
    iso(addCandles(parseTimeframe(text), at(time), count));
  assert.equal(back("1M", "2024-01-01T00:00:00Z", -1), "2023-12-01T00:00:00.000Z");
  assert.equal(back("1M", "2024-03-01T00:00:00Z", -1), "2024-02-01T00:00:00.000Z");
  assert.equal(back("1M", "2024-01-01T00:00:00Z", -13), "2022-12-01T00:00:00.000Z");
  assert.equal(back("3M", "1970-01-01T00:00:00Z", -1), "1969-10-01T00:00:00.000Z");
  assert.equal(back("1y", "2024-01-01T00:00:00Z", -60), "1964-01-01T00:00:00.000Z");
  assert.equal(back("1w", "2024-01-01T00:00:00Z", -1), "2023-12-25T00:00:00.000Z");
  assert.equal(back("1h", "1970-01-01T00:00:00Z", -25), "1969-12-30T23:00:00.000Z");
  assert.equal(back("1d", "2024-03-01T00:00:00Z", 0), "2024-03-01T00:00:00.000Z");
});

Deno.test("a span that ends before it begins holds no candle", () => {
  for (const text of ["1m", "1w", "1M", "1y"]) {
    const timeframe = parseTimeframe(text);
    const sinceMs = floorTime(timeframe, Date.UTC(2024, 5, 15));
    assert.equal(countCandles(timeframe, sinceMs, sinceMs), 0);
    assert.equal(countCandles(timeframe, sinceMs, addCandles(timeframe, sinceMs, -3)), 0);
  }
});

Deno.test("a time is aligned only when a candle opens exactly there", () => {
  const aligned = (text: string, time: string): boolean =>
    isAligned(parseTimeframe(text), at(time));
  assert.equal(aligned("1m", "2024-01-01T00:01:00Z"), true);
  assert.equal(aligned("1m", "2024-01-01T00:01:00.001Z"), false);
  assert.equal(aligned("1m", "2024-01-01T00:00:59.999Z"), false);
  assert.equal(aligned("1w", "2024-01-01T00:00:00Z"), true);
  assert.equal(aligned("1w", "2024-01-04T00:00:00Z"), false);
  assert.equal(aligned("1M", "2024-02-01T00:00:00Z"), true);
  assert.equal(aligned("3M", "2024-02-01T00:00:00Z"), false);
  // ccxt#15565: a day that opens at midnight in Hong Kong.
  assert.equal(aligned("1d", "2023-12-31T16:00:00Z"), false);
});

Deno.test("a candle is closed from the millisecond its timeframe ends, and no earlier", () => {
  for (
    const [text, since, until] of [
      ["1m", "2024-02-29T23:59:00Z", "2024-03-01T00:00:00Z"],
      ["1d", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"],
      ["1w", "2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z"],
      ["1M", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"],
      ["1y", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"],
    ] as const
  ) {
    const timeframe = parseTimeframe(text);
    assert.equal(closedUntil(timeframe, at(until) - 1), at(since), text);
    assert.equal(closedUntil(timeframe, at(until)), at(until), text);
  }
});
