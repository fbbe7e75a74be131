import assert from "node:assert/strict";
import { csvField, spreadsheetField } from "../../lib/transfer/candle_csv.ts";

Deno.test("a field of CSV is in quotes only where it must be", () => {
  assert.equal(csvField("BTC/USDT"), "BTC/USDT");
  assert.equal(csvField('a,"b"\n'), '"a,""b""\n"');
  assert.equal(csvField("=1+1"), "=1+1", "a formula is data, unless it is asked for otherwise");
});

Deno.test("what a spreadsheet would calculate has an apostrophe before it", () => {
  for (
    const text of ["=1+1", "+cmd|' /C calc'!A0", "-1+2", "@SUM(A1)", " \t=1", "＝1", "-", "+1-1"]
  ) {
    assert.equal(spreadsheetField(text).replaceAll('"', ""), `'${text}`);
  }
  assert.equal(spreadsheetField('=HYPERLINK("x")'), `"'=HYPERLINK(""x"")"`);
});

Deno.test("numbers and names stay as they are for a spreadsheet", () => {
  for (const text of ["-1", "+2.5", "-1e-8", "1", "BTC/USDT", "2024-03-01T00:00:00Z", "", "a=b"]) {
    assert.equal(spreadsheetField(text), text);
  }
});
