/** Rows that PostgreSQL writes as one text, read field by field. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fieldsOfRow } from "../../lib/store/row_text.ts";

Deno.test("a row is read as it was written: null, the empty text and every character", () => {
  assert.deepEqual(fieldsOfRow("()", 0), []);
  assert.deepEqual(fieldsOfRow("()", 1), [null]);
  assert.deepEqual(fieldsOfRow('("")', 1), [""]);
  assert.deepEqual(fieldsOfRow('(1,,"",a)', 4), ["1", null, "", "a"]);
  assert.deepEqual(fieldsOfRow(String.raw`("a ""b"" \\ c","(1,""x y"")",)`, 3), [
    String.raw`a "b" \ c`,
    '(1,"x y")',
    null,
  ]);
});

Deno.test("any row that is written by PostgreSQL's rules is read back", () => {
  const text = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: fc.constantFrom('"', "\\", ",", "(", ")", " ", "\n", "a") }),
  );
  const row = fc.array(fc.option(text, { nil: null }), { minLength: 1, maxLength: 6 });
  fc.assert(fc.property(row, (fields) => {
    assert.deepEqual(fieldsOfRow(written(fields), fields.length), fields);
  }));
});

/** As `record_out` does it (`src/backend/utils/adt/rowtypes.c`). */
function written(fields: readonly (string | null)[]): string {
  const texts = fields.map((field) => {
    if (field === null) return "";
    const needsQuotes = field === "" || /["\\(),\s]/.test(field);
    return needsQuotes ? `"${field.replace(/["\\]/g, "$&$&")}"` : field;
  });
  return `(${texts.join(",")})`;
}
