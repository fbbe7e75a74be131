/** Values of typed columns as text. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readTimeText } from "../../lib/market/csv_time.ts";
import {
  bigEndian,
  clockText,
  dateText,
  decimalText,
  singleText,
  timestampText,
} from "../../lib/transfer/table_cell.ts";

Deno.test("a time is read back as it was stored, whatever its unit", () => {
  const time = fc.integer({ min: Date.UTC(2009, 1), max: Date.UTC(2099, 0) });
  fc.assert(fc.property(time, fc.boolean(), (timeMs, isUtc) => {
    const ms = BigInt(timeMs);
    const texts = [
      timestampText(ms, "milli", isUtc),
      timestampText(ms * 1_000n, "micro", isUtc),
      timestampText(ms * 1_000_000n, "nano", isUtc),
    ];
    for (const text of texts) assert.equal(readTimeText(text)?.timeMs, timeMs, text);
  }));
});

Deno.test("a time that milliseconds cannot say, or that they say like seconds, is written as text", () => {
  const second = 1_709_251_200n;
  assert.equal(timestampText(second, "second", true), "1709251200000");
  assert.equal(
    timestampText(second * 1_000_000n + 1n, "micro", true),
    "2024-03-01T00:00:00.000001Z",
  );
  assert.equal(
    timestampText(second * 1_000_000_000n + 1n, "nano", true),
    "2024-03-01T00:00:00.000000001Z",
  );
  // Seconds that were stored as milliseconds: as a number they would be read as seconds again.
  assert.equal(timestampText(second, "milli", true), "1970-01-20T18:47:31.200Z");
  assert.equal(timestampText(-1n, "milli", false), "1969-12-31T23:59:59.999");
  assert.equal(timestampText(second, "second", false), "2024-03-01T00:00:00");
  assert.equal(dateText(19_783), "2024-03-01");
  assert.equal(clockText(86_340_000n, "milli"), "23:59:00");
  assert.throws(() => timestampText(2n ** 62n, "milli", true), /a time that no calendar has/);
});

Deno.test("decimals keep all their digits", () => {
  assert.equal(decimalText(-1n, 8), "-0.00000001");
  assert.equal(decimalText(12345678901234567890123456789n, 10), "1234567890123456789.0123456789");
  assert.equal(decimalText(0n, 2), "0.00");
  assert.equal(decimalText(5n, 0), "5");
  assert.equal(decimalText(5n, -2), "500");
  assert.equal(bigEndian(Uint8Array.of(0xff, 0xfe)), -2n);
  assert.equal(bigEndian(Uint8Array.of(0, 0xfe)), 254n);
});

Deno.test("a number of 32 bits is written with the digits that read it back", () => {
  assert.equal(singleText(Math.fround(0.1)), "0.1");
  assert.equal(singleText(Math.fround(1e-7)), "1e-7");
  fc.assert(fc.property(fc.float({ noNaN: true }), (value) => {
    assert.equal(Math.fround(Number(singleText(value))), value === 0 ? 0 : value);
  }));
});
