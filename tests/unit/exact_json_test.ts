import assert from "node:assert/strict";
import { parseExactJson } from "../../lib/exchange/exact_json.ts";

Deno.test("numbers of more digits than a double holds become texts of their own digits", () => {
  for (
    const number of [
      "1234567890.1234567",
      "12345678901234567890",
      "-12345678901234567890.123",
      "0.00000000000000000123",
      "1.2345678901234567e-10",
      "-9007199254740993",
      "1e-324",
      "123E+400",
      "-0.1e-0999",
    ]
  ) {
    const list = JSON.stringify([number]);
    assert.equal(JSON.stringify(parseExactJson(`[${number}]`)), list);
    assert.equal(JSON.stringify(parseExactJson(`[ ${number}\n]`)), list);
    assert.deepEqual(parseExactJson(`{"a":${number},"b":[[${number}],{"c":${number}}]}`), {
      a: number,
      b: [[number], { c: number }],
    });
    assert.equal(parseExactJson(number), number);
  }
});

Deno.test("short numbers stay numbers: times of thirteen digits, prices, exponents", () => {
  const text =
    "[1700000000000,-1700000000000,62000.01,1e-10,1E+5,0,-0.5,123456789012345,1700000000.1234]";
  assert.deepEqual(parseExactJson(text), JSON.parse(text));
  // Beside a long one, too.
  assert.deepEqual(
    parseExactJson(`[[1700000000000,1e-10,123456789012345],12345678901234567890,true,null]`),
    [
      [1_700_000_000_000, 1e-10, 123_456_789_012_345],
      "12345678901234567890",
      true,
      null,
    ],
  );
});

Deno.test("digits inside strings and names are left alone, behind escaped quotes and backslashes too", () => {
  const digits = "12345678901234567890";
  const values = {
    plain: digits,
    [digits]: "a name",
    quoted: `say "${digits}", or 1e-1000`,
    listed: `[${digits}, -${digits}]`,
    backslash: "\\",
    escaped: `\\"${digits}\\\\`,
    lines: `\n${digits}\u0000\u2028`,
    number: 0,
  };
  const text = JSON.stringify(values).replace('"number":0', `"number":${digits}`);
  assert.deepEqual(parseExactJson(text), { ...values, number: digits });
});

Deno.test("what is nested too deep is refused before it is read", () => {
  const nested = (depth: number, core: string): string =>
    '[{"]":'.repeat(depth) + core + "}]".repeat(depth);
  let value = parseExactJson(nested(16, '"[\\"{"'));
  for (let i = 0; i < 16; i++) value = (value as [{ "]": unknown }])[0]["]"];
  assert.equal(value, '["{');
  assert.throws(() => parseExactJson(nested(16, "")), SyntaxError);
  for (const text of [nested(17, "1"), "[".repeat(1_000_000), '{"a":'.repeat(1_000_000)]) {
    assert.throws(() => parseExactJson(text), /nested deeper than 32 levels/);
  }
});

Deno.test("what would become too much is refused: values, entries, texts, names and numbers", () => {
  const budget = (wordsLeft: number, entriesMax = 100): Parameters<typeof parseExactJson>[1] => ({
    bounds: { entriesMax },
    wordsLeft,
    addWords: () => {},
  });
  const long = "9".repeat(70_000);
  for (const text of [`["${long}"]`, `[${long}]`, `{"${long}":1}`, `["\\u0000${long}"]`]) {
    assert.throws(() => parseExactJson(text), /more than 65536 characters/);
  }
  for (const entry of ["0", "[]", "{}", '"ab"', "null", long.slice(0, 1_000)]) {
    const text = `[${Array(90).fill(entry).join(",")}]`;
    assert.throws(() => parseExactJson(text, budget(100)), /too many values/);
    parseExactJson(text, budget(20_000));
    assert.throws(() => parseExactJson(text, budget(20_000, 89)), /more than 89 entries/);
  }
  const names = `{${Array.from({ length: 90 }, (_, at) => `"${at}":0`).join(",")}}`;
  assert.throws(() => parseExactJson(names, budget(20_000, 89)), /more than 89 entries/);
  assert.throws(() => parseExactJson('{"length":4e9}', budget(100)), /more than 100 entries/);
  assert.throws(() => parseExactJson('{"length":"4e9"}', budget(100)), /more than 100 entries/);
  assert.deepEqual(parseExactJson('{"length":100}', budget(100)), { length: 100 });
});

Deno.test("several answers share a budget", () => {
  let left = 100;
  const budget = {
    bounds: { entriesMax: 100 },
    get wordsLeft(): number {
      return left;
    },
    addWords: (words: number): void => void (left -= words),
  };
  const text = "[0,0,0,0,0,0,0,0,0,0]";
  for (let at = 0; at < 3; at++) parseExactJson(text, budget);
  assert.throws(() => parseExactJson(text, budget), /too many values/);
});

Deno.test("a name that means something to an object is a name like any other", () => {
  const text = '{"__proto__":{"a":1},"constructor":"b","toString":null}';
  const parsed = parseExactJson(text);
  assert.equal(JSON.stringify(parsed), text);
  assert.equal(Object.getPrototypeOf(parsed), Object.prototype);
});

Deno.test("a list of markets, too long to be kept whole, means the same", () => {
  const markets = Array.from({ length: 5_000 }, (_, i) => ({
    id: `LONGNAMEDCOIN${i}USDT`,
    text: 'a "b" \\ \u00e9\n€',
    filters: [{ step: "0.00000100" }],
  }));
  assert.deepEqual(parseExactJson(JSON.stringify(markets)), markets);
});

Deno.test("a text that is not JSON is a SyntaxError, with long numbers in it or not", () => {
  const long = "12345678901234567890";
  for (
    const text of [
      "",
      "<html>",
      "[1,2",
      "{",
      `[${long}`,
      `{"a":${long},"b":"${long}`,
      `{"a":${long},"b":"${'\\"'.repeat(100_000)}`,
      `[00${long}]`,
      `[${long}.]`,
      `[+${long}]`,
      `[1.2.3.4.5.6.7.8.9.10.11]`,
      `{${long}:1}`,
      `[${long} ${long}]`,
      `[${long}] x`,
      "[NaN]",
    ]
  ) {
    assert.throws(() => parseExactJson(text), SyntaxError, text.slice(0, 40));
  }
});

Deno.test("JSON without long numbers means what JSON.parse says it does", () => {
  for (let seed = 1; seed <= 1_000; seed++) {
    const value = randomJson(lcg(seed));
    const text = JSON.stringify(value);
    assert.deepEqual(parseExactJson(text), value, `seed ${seed}: ${text}`);
    // The same value on the way that rewrites, which a long number opens.
    const long = "-98765432109876543210.5";
    assert.deepEqual(
      parseExactJson(`{"value":${JSON.stringify(value, null, 1)},"long":${long}}`),
      { value, long },
      `seed ${seed}: ${text}`,
    );
  }
});

/** Values that look like trouble: quotes, backslashes, braces and digits in strings and names. */
function randomJson(random: () => number, depth = 0): unknown {
  const int = (max: number): number => Math.floor(random() * max);
  const text = (): string =>
    Array.from(
      { length: int(12) },
      () =>
        [
          '"',
          "\\",
          "{",
          "[",
          ",",
          ":",
          "e",
          "-",
          ".",
          "\n",
          "\0",
          "\u2028",
          "é",
          "12345678901234567890",
        ][
          int(14)
        ],
    ).join("");
  switch (int(depth > 4 ? 5 : 7)) {
    case 0:
      return text();
    case 1:
      return int(2) === 0;
    case 2:
      return null;
    case 3:
      return int(2) === 0 ? int(1e9) : -(1 + int(1e6)) / 1_000;
    case 4:
      return Number(`${int(1_000)}e${int(30) - 20}`);
    case 5:
      return Array.from({ length: int(5) }, () => randomJson(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: int(5) }, () => [text(), randomJson(random, depth + 1)]),
      );
  }
}

/** Numerical Recipes' generator: the same numbers in every run. */
function lcg(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
