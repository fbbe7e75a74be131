import assert from "node:assert/strict";
import { parseExactJson } from "../../lib/exchange/exact_json.ts";
import { decimals, fc } from "../support/property.ts";

const spaces = fc.stringMatching(/^[ \t\r\n]{0,2}$/);

const numbers = fc.oneof(
  fc.tuple(fc.constantFrom("", "-"), decimals).map((parts) => parts.join("")),
  // Around the lengths at which digits no longer fit into a double, and exponents into its range.
  fc.stringMatching(/^-?(0|[1-9]\d{12,17})(\.\d{1,16})?([eE][+-]?\d{1,4})?$/),
  fc.constantFrom("0.10", "1e-10", "-0", "0.0", "1E400", "1700000000000", "9007199254740993"),
);

const texts = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => JSON.stringify(text)),
  fc.stringMatching(/^[-\d.eE,:[\]{}]{0,20}$/).map((text) => JSON.stringify(text)),
  fc.constantFrom('"__proto__"', '"constructor"', '"\\u0041\\/\\ud800"', '"\\\\"', '"a"'),
);

/**
 * Names without escapes: of some that have them V8 takes another one that came before (`"\\u0000"` for `"\\\\"`), so it is no
 * judge of these.
 */
const names = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => JSON.stringify(text))
    .filter((text) => !text.includes("\\")),
  fc.constantFrom('"__proto__"', '"constructor"', '"a"'),
);

/** JSON as text, with white space, repeated names and numbers that no double holds. */
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.tuple(
    spaces,
    fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      numbers,
      texts,
      fc.constantFrom("true", "false", "null"),
      fc.array(tie("json")).map((values) => `[${values.join(",")}]`),
      fc.array(fc.tuple(spaces, names, spaces, tie("json")))
        .map((entries) =>
          entries.map(([before, name, behind, value]) => `${before}${name}${behind}:${value}`)
        )
        .map((entries) => `{${entries.join(",")}}`),
    ),
    spaces,
  ).map((parts) => parts.join("")),
}));

Deno.test("JSON means what the engine says it does, and a long number is the text it was written as", () => {
  fc.assert(
    fc.property(json, (text) => assert.deepStrictEqual(parseExactJson(text), byEngine(text))),
  );
});

Deno.test("a text with one character too many, too few or another one is JSON only where the engine says so", () => {
  const characters = fc.constantFrom(...'[]{}",:\\-+.eE0123456789 \n\0tfn');
  fc.assert(
    fc.property(json, fc.nat(), fc.nat(1), characters, (text, place, cut, character) => {
      const at = place % (text.length + 1);
      for (const middle of ["", character]) {
        const spoiled = text.slice(0, at) + middle + text.slice(at + cut);
        assert.equal(isJson(parseExactJson, spoiled), isJson(byEngine, spoiled));
      }
    }),
  );
});

/** The engine's own parser, which tells a reviver how a number was written. Several times as slow. */
function byEngine(text: string): unknown {
  const revive = (_name: string, value: unknown, { source = "" }: { source?: string }): unknown => {
    if (typeof value !== "number") return value;
    const [, digits = "", exponent = ""] = /^-?([\d.]+)(?:[eE][+-]?(\d+))?$/.exec(source) ?? [];
    return digits.length > 15 || exponent.length > 2 ? source : value;
  };
  return JSON.parse(text, revive as (name: string, value: unknown) => unknown);
}

function isJson(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch (error) {
    assert.ok(error instanceof SyntaxError, String(error));
    return false;
  }
}
