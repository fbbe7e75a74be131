/** Which texts can be symbols, and which of them are chosen without being named. @module */
import assert from "node:assert/strict";
import {
  datedUntilMs,
  isContract,
  isDated,
  isOption,
  isPlainSymbol,
  isSymbol,
  kindOf,
} from "../../lib/market/symbol.ts";

const PLAIN = [
  "BTC/USDT",
  "1000PEPE/USDT:USDT",
  "BTC/USD:BTC-240927",
  "$X.Y/USDC",
  "币安人生/USDT",
];

/** Named as exchanges may name them; some can be taken for others. */
const ODD = [
  "FOO BAR/USDT",
  "O'NEIL/USDT",
  'SAY "HI"/USDT',
  "BACK\\SLASH/USDT",
  "`A`/USDT",
  "<B>X/USDT",
  "A&AMP;/USDT",
  "%41/USDT",
  "{A}/USDT",
  "ВТС/USDT",
  "ＢＴＣ/USDT",
  "BTC\u{a0}X/USDT",
  "ÅÄÖ/USDT",
  "🐸/USDT",
];

const NONE = [
  "BTCUSDT",
  "/USDT",
  "BTC/",
  "",
  "BTC,ETH/USDT",
  "BTC/USDT ETH/USDT",
  "BTC/USDT ",
  " BTC/USDT",
  "BTC\n/USDT",
  "BTC\u{2028}/USDT",
  "BTC\u{1b}[2J/USDT",
  "BTC\u{202e}/USDT",
  "BTC\u{200b}/USDT",
  "BTC\u{0}/USDT",
  `${"X".repeat(96)}/USDT`,
];

Deno.test("a symbol may have spaces, quotes and letters of any script, and no control characters", () => {
  for (const text of [...PLAIN, ...ODD]) assert.equal(isSymbol(text), true, text);
  for (const text of NONE) assert.equal(isSymbol(text), false, JSON.stringify(text));
});

Deno.test("a symbol that may be taken for another one is archived only when it is named", () => {
  for (const text of PLAIN) assert.equal(isPlainSymbol(text), true, text);
  for (const text of [...ODD, ...NONE]) {
    assert.equal(isPlainSymbol(text), false, JSON.stringify(text));
  }
});

Deno.test("a contract names what settles it", () => {
  for (const text of ["BTC/USDT:USDT", "BTC/USD:BTC-240927", "A:B/USDT:USDT"]) {
    assert.equal(isContract(text), true, text);
  }
  for (const text of ["BTC/USDT", "A:B/USDT"]) assert.equal(isContract(text), false, text);
});

Deno.test("the kind of a market follows from what settles it", () => {
  const kinds = {
    "BTC/USDT": "spot",
    "A:B/USDT": "spot",
    "BTC/USDT:USDT": "linear",
    "BTC/USDT:USDT-270326": "linear",
    "BTC/USD:BTC": "inverse",
    "BTC/USD:BTC-240927": "inverse",
  };
  for (const [symbol, kind] of Object.entries(kinds)) assert.equal(kindOf(symbol), kind, symbol);
});

Deno.test("a dated future names the day on which it ends, and an option what it is worth besides", () => {
  const dated = ["BTC/USDT:USDT-240628", "BTC/USD:BTC-240927", "BTC/USD:BTC-240927@mark"];
  const options = ["BTC/USD:BTC-240927-60000-C", "ETH/USDT:USDT-241227-0.5-P"];
  const others = ["BTC/USDT", "BTC/USDT:USDT", "BTC-240628/USDT", "BTC/USDT:USDT@mark"];
  for (const text of dated) assert.deepEqual([isDated(text), isOption(text)], [true, false], text);
  for (const text of options) {
    assert.deepEqual([isDated(text), isOption(text)], [false, true], text);
  }
  for (const text of others) {
    assert.deepEqual([isDated(text), isOption(text)], [false, false], text);
  }
  assert.equal(kindOf("BTC/USD:BTC-240927@mark"), "inverse");
});

Deno.test("the day in the name of a dated future is over at the next midnight", () => {
  assert.equal(datedUntilMs("BTC/USDT:USDT-241231"), Date.UTC(2025, 0, 1));
  assert.equal(datedUntilMs("BTC/USD:BTC-240228@mark"), Date.UTC(2024, 1, 29));
  for (const symbol of ["BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC-241227-60000-C"]) {
    assert.equal(datedUntilMs(symbol), undefined, symbol);
  }
});
