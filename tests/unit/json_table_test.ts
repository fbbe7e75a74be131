/** JSON as lines of CSV. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { jsonLines } from "../../lib/transfer/json_table.ts";

/** The lines of JSON that comes in pieces of this length. */
async function linesOf(text: string, length = text.length): Promise<readonly string[]> {
  const pieces = function* (): Generator<string, void> {
    for (let at = 0; at < text.length; at += length) yield text.slice(at, at + length);
  };
  const pages = await Array.fromAsync(
    jsonLines(ReadableStream.from(pieces()).values(), {
      onNames: () => {},
      onInstrument: () => {},
    }),
  );
  return pages.flat();
}

const value = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ maxLength: 5 }),
  fc.constantFrom("[", "]", "{", "}", '"', "\\", ",", "\\\\"),
  fc.constant(null),
);
const NAMES = ["time", 'o"pen', "a]b", "c}", "\\"];
const row = fc.tuple(value, value, value, value, value);
const spaces = fc.constantFrom(undefined, 2);

/** As CSV has it. */
function line(values: readonly unknown[]): string {
  return values.map((one) => {
    const text = one === null ? "" : typeof one === "string" ? one : JSON.stringify(one);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",");
}

Deno.test("rows are what JSON.parse gives, however the text is cut into pieces", async () => {
  const rows = fc.array(row, { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(rows, spaces, fc.integer({ min: 1, max: 40 }), async (rows, space, length) => {
      const objects = rows.map((row) =>
        Object.fromEntries(NAMES.map((name, at) => [name, row[at]!]))
      );
      const expected = rows.map(line);
      const inAnswer = { code: 0, msg: "", data: { symbol: "X", list: rows }, more: [1, 2], a: [] };
      assert.deepEqual(await linesOf(JSON.stringify(rows, null, space), length), expected);
      assert.deepEqual(await linesOf(JSON.stringify(inAnswer, null, space), length), expected);
      assert.deepEqual(
        await linesOf(JSON.stringify(objects, null, space), length),
        [line(NAMES), ...expected],
      );
      assert.deepEqual(
        await linesOf(objects.map((one) => JSON.stringify(one)).join("\n"), length),
        [line(NAMES), ...expected],
      );
    }),
  );
});

Deno.test("a text that was cut anywhere in a list of rows gives no line, or an error", async () => {
  const text = JSON.stringify([[1.5, "a]"], [2.25, "b"], [3, "\\"]]);
  for (let length = 1; length < text.length; length++) {
    await assert.rejects(linesOf(text.slice(0, length)), Error, text.slice(0, length));
  }
});

Deno.test("numbers keep the digits that a double does not have", async () => {
  const digits = "12345678901234567890.12345678901234567890";
  assert.deepEqual(await linesOf(`[[1,${digits}],[2,1.10]]`), [`1,${digits}`, "2,1.10"]);
  assert.deepEqual(await linesOf(`[{"a":1,"b":${digits}},{"b":1e-7,"a":0.10}]`), [
    "a,b",
    `1,${digits}`,
    "0.10,1e-7",
  ]);
});
