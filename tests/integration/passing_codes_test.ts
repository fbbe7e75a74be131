/** The table of codes that pass, against the classes of CCXT that it is read from. @module */
import assert from "node:assert/strict";
import { PASSING_CODES } from "../../lib/exchange/passing_codes.ts";
import { openCcxt } from "../../lib/exchange/ccxt.ts";
import { TESTED_EXCHANGES } from "../support/tested_exchanges.ts";

for (const [id, codes] of Object.entries(PASSING_CODES)) {
  Deno.test(`${id}: each code that passes is in CCXT's table, under a class that does not say so`, async () => {
    assert.ok(TESTED_EXCHANGES.includes(id), id);
    const classes = new Map<string, Set<string>>();
    const ccxt = await openCcxt(id, { config: {}, spotOnly: true, onCost: () => {} });
    collect((ccxt as unknown as { readonly exceptions: unknown }).exceptions, classes);
    for (const code of Object.keys(codes)) {
      const names = [...classes.get(code) ?? []];
      const misleading = names.filter((name) => MISLEADING.has(name));
      assert.notDeepEqual(misleading, [], `${code} is ${names.join() || "unknown"}`);
    }
  });
}

const MISLEADING = new Set(["ExchangeError", "BadRequest"]);

/** The names of the classes of each code, wherever in the table it is. */
function collect(value: unknown, into: Map<string, Set<string>>): void {
  if (typeof value !== "object" || value === null) return;
  for (const [code, one] of Object.entries(value)) {
    if (typeof one !== "function") collect(one, into);
    else into.set(code, (into.get(code) ?? new Set()).add(one.name));
  }
}
