/** A driver that counts rows is told when to begin anew. @module */
import assert from "node:assert/strict";
import { FreshRows } from "../../lib/store/connection/fresh_rows.ts";

Deno.test("before the first row that follows a new connection or an error, a statement is complete", () => {
  const cases: readonly (readonly [sent: string, passed: string])[] = [
    ["R S Z T D D C Z", "R S Z T C D D C Z"],
    ["T D C Z T D D E Z T D D C Z", "T C D C Z T D D E Z T C D D C Z"],
    ["T C Z T D C Z", "T C Z T D C Z"],
    ["E Z E Z T D C T D C Z", "E Z E Z T C D C T D C Z"],
  ];
  for (const [sent, passed] of cases) {
    const bytes = messages(sent);
    for (const partBytes of [bytes.length, 1, 3, 7]) {
      const rows = new FreshRows();
      const out: number[] = [];
      for (let at = 0; at < bytes.length; at += partBytes) {
        out.push(...rows.pass(bytes.subarray(at, at + partBytes)));
      }
      assert.equal(typesOf(out), passed, `in parts of ${partBytes} bytes`);
    }
  }
});

/** Messages of these types. Their bodies look like messages, too. */
function messages(types: string): Uint8Array {
  return Uint8Array.from(
    types.split(" ").flatMap((type, at) => {
      const body = new TextEncoder().encode("DEC".repeat(at));
      return [type.charCodeAt(0), 0, 0, 0, body.length + 4, ...body];
    }),
  );
}

function typesOf(bytes: readonly number[]): string {
  const types: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + bytes[at + 4]!) {
    types.push(String.fromCharCode(bytes[at]!));
  }
  return types.join(" ");
}
