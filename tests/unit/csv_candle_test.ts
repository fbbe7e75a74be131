import assert from "node:assert/strict";
import { csvFields, readColumns, readSeparator } from "../../lib/market/csv_candle.ts";
import { readTimeText, readZone } from "../../lib/market/csv_time.ts";

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
      "1.706704200000000000e+09",
      "31.01.2024 12:30",
      "2024.01.31 12:30:00",
    ]
  ) {
    assert.equal(readTimeText(text)?.timeMs, TIME_MS, text);
  }
  assert.equal(readTimeText("2024-01-31")?.timeMs, Date.UTC(2024, 0, 31));
  assert.equal(readTimeText("0")?.timeMs, 0);
  assert.equal(readTimeText("2024-03-02 11-PM")?.timeMs, Date.UTC(2024, 2, 2, 23));
  assert.equal(readTimeText("2024-03-02 12-AM")?.timeMs, Date.UTC(2024, 2, 2));
  assert.equal(readTimeText("1706704200000000001")?.timeMs, TIME_MS + 1e-6);
});

Deno.test("only a text that names no zone is moved by the user's", () => {
  const zoneMs = readZone("+02:00")!;
  assert.equal(zoneMs, 7_200_000);
  assert.equal(readTimeText("2024-01-31 14:30", zoneMs)?.timeMs, TIME_MS);
  assert.equal(readTimeText("2024-01-31T12:30Z", zoneMs)?.timeMs, TIME_MS);
  assert.equal(readTimeText("1706704200", zoneMs)?.timeMs, TIME_MS);
  assert.deepEqual(["-0430", "UTC", "+15:00", "CET"].map(readZone), [
    -16_200_000,
    0,
    undefined,
    undefined,
  ]);
});

Deno.test("what is not a time is none", () => {
  for (
    const text of [
      ...["", "2024-13-01", "2024-01-31T25:00", "2024-01-31T24:00", "noon", "-5", "01/02/2024"],
      ...["2024-02-30", "2023-02-29", "2024-04-31 10:00", "31.02.2024", "2024-03-02 13-PM"],
      ...["2024-01-31 12:30 EST", "12:30"],
    ]
  ) {
    assert.equal(readTimeText(text), undefined, text);
  }
});

Deno.test("columns are found by their names, in any order and case", () => {
  const columns = readColumns([
    "\uFEFFUnix",
    "Date",
    "Symbol",
    "Open",
    "High",
    "Low",
    "Close",
    "Vol",
  ], undefined);
  assert.deepEqual(
    [columns.time, columns.instrument, columns.exchange, columns.values, columns.width],
    [0, [2], undefined, [3, 4, 5, 6, 7], 8],
  );
  assert.throws(
    () => readColumns(["time", "open", "high", "low", "price"], undefined),
    /has no column close, only time, open, high, low, price/,
  );
  assert.throws(
    () => readColumns("date,open,high,low,close,close,volume".split(","), undefined),
    /two columns are named close: the file holds several instruments/,
  );
});

Deno.test("the volume is the column of the base currency, whatever else is named so", () => {
  const volume = (head: string, symbol?: string): number | undefined =>
    readColumns(`time,open,high,low,close,${head}`.split(","), symbol).values[4];
  assert.equal(volume("Volume USDT,Volume BTC", "BTC/USDT"), 6);
  assert.equal(volume("Volume_(BTC),Volume_(Currency)", "BTC/USD"), 5);
  assert.equal(volume("<TICKVOL>,<VOL>"), 6);
  assert.equal(volume("quote_volume,base_volume"), 6);
  assert.equal(volume("vol,vol_ccy,vol_quote", "BTC/USDT"), 5);
  assert.equal(volume("vol,vol_ccy,vol_quote", "BTC/USDT:USDT"), 6);
  for (const head of ["tick_volume", "Volume ETH,Volume USDT", "quote_volume", "trades"]) {
    assert.throws(() => volume(head, "BTC/USDT"), /has no column volume/, head);
  }
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
