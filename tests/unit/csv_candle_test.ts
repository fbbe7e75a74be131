import assert from "node:assert/strict";
import {
  csvFields,
  readColumns,
  readSeparator,
  readTimeText,
} from "../../lib/market/csv_candle.ts";

const TIME_MS = Date.UTC(2024, 0, 31, 12, 30);

Deno.test("a time is understood however people and exchanges write it", () => {
  for (
    const text of [
      "2024-01-31T12:30:00Z",
      "2024-01-31T12:30Z",
      "2024-01-31 12:30:00",
      "2024-01-31 12:30:00.000000",
      "2024-01-31 12:30:00+00:00",
      "2024-01-31 12:30:00 UTC",
      "2024-01-31T14:30:00+02:00",
      "2024-01-31T08:00:00-0430",
      " 1706704200 ",
      "1706704200.0",
      "1706704200000",
      "1706704200000000",
      "1706704200000000000",
    ]
  ) {
    assert.equal(readTimeText(text), TIME_MS, text);
  }
  assert.equal(readTimeText("2024-01-31"), Date.UTC(2024, 0, 31));
  assert.equal(readTimeText("0"), 0);
});

Deno.test("what is not a time is none", () => {
  for (const text of ["", "31.01.2024", "2024-13-01", "2024-01-31T25:00", "noon", "1e12", "-5"]) {
    assert.equal(readTimeText(text), undefined, text);
  }
});

Deno.test("columns are found by their names, in any order and case, and by their places without", () => {
  const columns = readColumns([
    "\uFEFFUnix",
    "Date",
    "Symbol",
    "Open",
    "High",
    "Low",
    "Close",
    "Vol",
  ]);
  assert.deepEqual(
    [columns.time, columns.symbol, columns.exchange, columns.values, columns.hasHeader],
    [1, 2, undefined, [3, 4, 5, 6, 7], true],
  );
  const places = readColumns("1704067200000,1,2,0.5,1.5,10,1704067259999,0,0,0,0,0".split(","));
  assert.deepEqual([places.time, places.values, places.hasHeader], [0, [1, 2, 3, 4, 5], false]);
  assert.throws(
    () => readColumns(["time", "open", "high", "low", "price"]),
    /has no column close, only time, open, high, low, price/,
  );
});

Deno.test("fields are taken out of quotation marks, also with the separator in them", () => {
  assert.deepEqual(csvFields('a,"b,""c""",,"d"', ","), ["a", 'b,"c"', "", "d"]);
  assert.deepEqual(csvFields('"', ","), ['"']);
  assert.deepEqual(csvFields('"a', ","), ['"a']);
  assert.deepEqual(csvFields('"",', ","), ["", ""]);
  assert.equal(readSeparator("time;open;high"), ";");
  assert.equal(readSeparator("time\topen"), "\t");
  assert.equal(readSeparator("time"), ",");
});
