import assert from "node:assert/strict";
import { parseExactJson } from "../../lib/exchange/exact_json.ts";
import {
  checkRow,
  compareDecimals,
  REJECTION_REASONS,
  ROW_TEXT_MAX,
} from "../../lib/market/candle.ts";
import { floorTime, isAligned } from "../../lib/market/timeframe.ts";
import { decimals, exactly, fc, timeframes, times } from "../support/property.ts";

const signed = fc.tuple(fc.constantFrom("", "-", "+"), decimals).map((parts) => parts.join(""));

Deno.test("decimals are ordered by their exact values, however they are written", () => {
  const sign = (a: bigint, b: bigint): number => a < b ? -1 : a > b ? 1 : 0;
  // Neighbours, which a double takes for the same.
  const near = fc.tuple(signed, fc.nat(9)).map(([text, digit]): [string, string] => {
    const other = text.includes("e") || text.includes("E")
      ? text
      : `${text}${text.includes(".") ? "" : "."}${digit}`;
    return [text, other];
  });
  fc.assert(
    fc.property(fc.oneof(fc.tuple(signed, signed), near), ([a, b]) => {
      assert.equal(Math.sign(compareDecimals(a, b)), sign(exactly(a), exactly(b)));
      assert.equal(Math.sign(compareDecimals(b, a)) + Math.sign(compareDecimals(a, b)), 0);
    }),
    { examples: [[["9007199254740993", "9007199254740992"]], [["-0", "0"]], [["1e-99", "0"]]] },
  );
});

Deno.test("whatever decimals a good row has, they leave as they came, and a row that is not good is refused", () => {
  const prices = fc.tuple(decimals, decimals, decimals, decimals);
  fc.assert(
    fc.property(timeframes, times, prices, decimals, (timeframe, timeMs, prices, volume) => {
      const openTimeMs = floorTime(timeframe, timeMs);
      const [low, open, close, high] = prices.toSorted((a, b) => exactly(a) < exactly(b) ? -1 : 1);
      const { candle, rejected } = checkRow(timeframe, [
        openTimeMs,
        open,
        high,
        low,
        close,
        volume,
      ]);
      if (exactly(low ?? "") === 0n) return assert.equal(rejected?.reason, "price_not_positive");
      assert.deepEqual(candle, { openTimeMs, open, high, low, close, volume });
      for (
        const [row, reason] of [
          [[openTimeMs, open, low, high, close, volume], "high_below_body"],
          [[openTimeMs, open, high, high, close, volume], "low_above_body"],
          [[openTimeMs, open, high, low, close, `-${volume}`], "volume_negative"],
          [[openTimeMs, open, high, low, `-${close}`, volume], "price_not_positive"],
        ] as const
      ) {
        const { rejected, candle } = checkRow(timeframe, row);
        if (candle === undefined) assert.equal(rejected.reason, reason);
        // Where all values are equal, or the volume is zero, the row says the same as before.
        else assert.ok(exactly(low ?? "") === exactly(high ?? "") || reason !== "low_above_body");
      }
    }),
  );
});

/** What JSON cannot say is here too: a row comes from CCXT's code, not from the wire. */
const hostile = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
});

const cells = fc.oneof(
  hostile,
  signed,
  fc.double(),
  times,
  fc.constantFrom("", " ", "1_000", "0x10", "Infinity", "1e999", "1,5", "１", "9".repeat(200), -0),
);

Deno.test("no row, however hostile, makes the check throw, nor passes it with what is no candle", () => {
  const rows = fc.oneof(hostile, fc.array(cells, { maxLength: 8 }));
  fc.assert(fc.property(timeframes, rows, (timeframe, row) => {
    const { candle, rejected } = checkRow(timeframe, row);
    if (candle === undefined) {
      assert.ok(REJECTION_REASONS.includes(rejected.reason));
      assert.ok(typeof rejected.row === "string" && rejected.row.length <= ROW_TEXT_MAX);
      return;
    }
    const { openTimeMs, open, high, low, close, volume } = candle;
    assert.ok(isAligned(timeframe, openTimeMs) && openTimeMs >= 0);
    for (const price of [open, high, low, close]) assert.ok(exactly(price) > 0n);
    for (const price of [open, close]) {
      assert.ok(exactly(low) <= exactly(price) && exactly(price) <= exactly(high));
    }
    assert.ok(volume !== null && exactly(volume) >= 0n);
  }));
});

/** JSON texts with numbers of any length, spaces anywhere, and strings that look like numbers. */
const { json } = fc.letrec<{ json: string }>((tie) => {
  const space = fc.constantFrom("", "", " ", "\n", "\t ");
  const number = signed.map((text) => text.replace("+", "").replace(/^(-?)$/, "0"));
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom('"', "\\", "1234567890123456", "e", "-", "{", "]", "\n") }),
    signed,
    fc.constantFrom("__proto__", "constructor", ""),
  ).map((value) => JSON.stringify(value));
  // The oracle itself, V8, reads {"":0,"\\"":1} wrongly if it has read {"":0,"\\\\":1} before: it takes the backslash of a
  // name of one escaped character for the name.
  const name = text.filter((text) => !/^"\\(?:u[0-9a-f]{4}|.)"$/.test(text));
  const spaced = fc.tuple(space, tie("json"), space).map((parts) => parts.join(""));
  return {
    json: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      number,
      text,
      fc.constantFrom("true", "false", "null"),
      fc.array(spaced, { maxLength: 6 }).map((items) => `[${items.join(",")}]`),
      fc.array(fc.tuple(name, space, spaced), { maxLength: 6 }).map((entries) =>
        `{${entries.map(([name, gap, value]) => `${name}${gap}:${value}`).join(",")}}`
      ),
    ),
  };
});

Deno.test("exact JSON is JSON in all but its numbers, and those are exactly what was written", () => {
  fc.assert(
    fc.property(json, (text) => {
      const numbers: string[] = [];
      // The platform's own reader, which can tell how a number was written.
      const read = (_name: string, value: unknown, context?: { source?: string }): unknown => {
        if (typeof value !== "number") return value;
        numbers.push(context?.source ?? "");
        return numbers.length;
      };
      const plain: unknown = JSON.parse(text, read);
      assertExact(parseExactJson(text), plain, numbers);
    }),
  );
});

Deno.test("what is no JSON is no exact JSON either, and the other way round", () => {
  const broken = fc.tuple(json, fc.nat(), fc.nat(3), fc.constantFrom(...'0123456789eE.+-"\\{[,: '))
    .map(([text, at, length, put]) => {
      const from = at % (text.length + 1);
      return text.slice(0, from) + put + text.slice(from + length);
    });
  fc.assert(fc.property(fc.oneof(broken, fc.string()), (text) => {
    if (isJson(text)) parseExactJson(text);
    else assert.throws(() => parseExactJson(text), SyntaxError);
  }));
});

/** Asserts that two values are the same, where `plain` has in the place of a number its place among `numbers`, from 1. */
function assertExact(exact: unknown, plain: unknown, numbers: readonly string[]): void {
  if (typeof plain === "number") {
    const written = numbers[plain - 1] ?? "";
    assert.ok(typeof exact === "number" || exact === written, `${exact} for ${written}`);
    assert.equal(exactly(String(exact)), exactly(written));
  } else if (typeof plain === "object" && plain !== null) {
    assert.deepEqual(Object.keys(exact as object), Object.keys(plain));
    for (const [name, inner] of Object.entries(plain)) {
      assertExact((exact as Record<string, unknown>)[name], inner, numbers);
    }
  } else {
    assert.equal(exact, plain);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
