/** Patterns of file names. @module */
import assert from "node:assert/strict";
import { hasWildcard, wildcard } from "../../lib/text/wildcard.ts";

const MATCHES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["*.zip", ["a.zip", "BTC USDT.zip", "é\n.zip"], ["a.zip2", ".hidden.zip", "azip"]],
  ["BTC?USDT-1m-*.csv", ["BTC_USDT-1m-2024.csv", "BTC💰USDT-1m-.csv"], ["BTCUSDT-1m-2024.csv"]],
  ["[A-C]*.csv", ["A.csv", "CX.csv"], ["D.csv", "a.csv"]],
  ["[!A-C]*.csv", ["D.csv"], ["A.csv"]],
  ["[]x].csv", ["].csv", "x.csv"], ["y.csv"]],
  ["{BTC,ETH*}-1[hm].csv", ["BTC-1h.csv", "ETHW-1m.csv"], ["XRP-1h.csv", "BTC-1d.csv"]],
  ["{a,b{c,d}}", ["a", "bc", "bd"], ["b", "ac"]],
  [".*", [".env"], ["env"]],
  ["a+(b)$.csv*", ["a+(b)$.csv.gz"], ["aab.csv"]],
  // What is not closed, and what is no range, stands for itself.
  ["a[b*.csv", ["a[bc.csv"], ["ab.csv"]],
  ["a{b*.csv", ["a{bc.csv"], ["ab.csv"]],
  ["a[z-a].csv", ["a[z-a].csv"], ["ab.csv"]],
  ["[\\]^-].csv", ["\\^-].csv"], []],
];

for (const [pattern, matching, others] of MATCHES) {
  Deno.test(`${pattern} matches the names that a shell would expand it to`, () => {
    for (const name of matching) assert.match(name, wildcard(pattern));
    for (const name of others) assert.doesNotMatch(name, wildcard(pattern));
  });
}

Deno.test("a name has wildcards only if a pattern may be meant", () => {
  assert.deepEqual(["a*", "a?", "[a]", "{a}", "a-b.csv", "a]b"].map(hasWildcard), [
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
});
