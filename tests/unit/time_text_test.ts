/** Times as a server writes them. @module */
import assert from "node:assert/strict";
import { readTime } from "../../lib/store/connection/time_text.ts";

const TIMES: Readonly<Record<string, string>> = {
  "2024-02-29 23:59:59.999999+00": "2024-02-29T23:59:59.999Z",
  "2024-12-11 10:00:00.5+05:45": "2024-12-11T04:15:00.500Z",
  "2024-01-01 00:00:00-03": "2024-01-01T03:00:00.000Z",
  "1969-12-31 23:59:59.001+00": "1969-12-31T23:59:59.001Z",
  "2024-12-11 10:00:00": "2024-12-11T10:00:00.000Z",
  "2024-12-11": "2024-12-11T00:00:00.000Z",
  "10000-01-01 00:00:00+00": "+010000-01-01T00:00:00.000Z",
};

for (const [text, iso] of Object.entries(TIMES)) {
  Deno.test(`${text} is ${iso}`, () => assert.equal(readTime(text).toISOString(), iso));
}

for (
  const text of [
    "11.12.2024 10:00:00 UTC",
    "12/11/2024",
    "Wed Dec 11 10:00:00 2024 UTC",
    "infinity",
    "",
  ]
) {
  Deno.test(`${JSON.stringify(text)} is refused instead of guessed`, () => {
    assert.throws(() => readTime(text), /Cannot read a time of the server: ".*" is not ISO/);
  });
}
