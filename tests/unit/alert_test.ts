import assert from "node:assert/strict";
import { type Condition, reconcile, subjectName } from "../../lib/market/alert.ts";

const BTC = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" } as const;
const ETH = { exchange: "binance", symbol: "ETH/USDT", timeframe: "1m" } as const;

function condition(subject: typeof BTC | typeof ETH, mayBegin?: boolean): Condition {
  const fields = { ...subject, value: 12, threshold: 5, summary: "too much" };
  return mayBegin === undefined ? fields : { ...fields, mayBegin };
}

/** Runs follow each other as in the daemon: what begins runs from then on, what ends does not. */
function runs(
  holdRuns: number,
  ...found: readonly (readonly Condition[])[]
): readonly { readonly begins: readonly string[]; readonly ends: readonly string[] }[] {
  let held: ReadonlyMap<string, number> = new Map();
  let running: readonly Condition[] = [];
  return found.map((conditions) => {
    const changes = reconcile({ conditions, running, held, holdRuns });
    held = changes.held;
    running = [...running.filter((alert) => !changes.ends.includes(alert)), ...changes.begins];
    return { begins: changes.begins.map(subjectName), ends: changes.ends.map(subjectName) };
  });
}

const NOTHING = { begins: [], ends: [] };
const NAME = "binance BTC/USDT 1m";

Deno.test("an alert begins once, lasts as long as its condition and ends once", () => {
  assert.deepEqual(runs(1, [condition(BTC)], [condition(BTC)], [], []), [
    { begins: [NAME], ends: [] },
    NOTHING,
    { begins: [], ends: [NAME] },
    NOTHING,
  ]);
});

Deno.test("an alert begins only when its condition has held for as many runs in a row as it must", () => {
  const found = [condition(BTC)];
  assert.deepEqual(runs(2, found, [], found, found, []), [
    NOTHING,
    NOTHING,
    NOTHING,
    { begins: [NAME], ends: [] },
    { begins: [], ends: [NAME] },
  ]);
});

Deno.test("one subject's alert says nothing about another's", () => {
  assert.deepEqual(runs(1, [condition(BTC)], [condition(BTC), condition(ETH)], [condition(ETH)]), [
    { begins: [NAME], ends: [] },
    { begins: ["binance ETH/USDT 1m"], ends: [] },
    { begins: [], ends: [NAME] },
  ]);
});

Deno.test("a condition that may not begin an alert keeps one that is running, and counts for no run", () => {
  const quiet = [condition(BTC, false)];
  const loud = [condition(BTC, true)];
  assert.deepEqual(runs(2, loud, quiet, loud, loud, quiet, []), [
    NOTHING,
    NOTHING,
    NOTHING,
    { begins: [NAME], ends: [] },
    NOTHING,
    { begins: [], ends: [NAME] },
  ]);
});

Deno.test("an alert that was running before the first run neither begins again nor is forgotten", () => {
  const running = [{ ...BTC, id: 7 }];
  const found = { running, held: new Map<string, number>(), holdRuns: 2 };
  const kept = reconcile({ ...found, conditions: [condition(BTC)] });
  assert.deepEqual([kept.begins, kept.ends], [[], []]);
  assert.deepEqual(reconcile({ ...found, conditions: [] }).ends, running);
});

Deno.test("an exchange as a whole is another subject than its series", () => {
  assert.equal(subjectName({ exchange: "binance" }), "binance");
  assert.equal(subjectName(BTC), NAME);
});
