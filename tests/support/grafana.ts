/** SQL as Grafana's data source for PostgreSQL sends it. @module */
import assert from "node:assert/strict";

/** With a day for the time that is looked at, and two values chosen for each variable. */
export function withoutMacros(text: string): string {
  const plain = text
    .replaceAll(
      /\$__timeFilter\((\w+)\)/g,
      "$1 between '2026-01-01T00:00:00Z' and '2026-01-02T00:00:00Z'",
    )
    .replaceAll("${exchange:sqlstring}", "'binance','kraken'")
    .replaceAll("${timeframe:sqlstring}", "'1m','1d'");
  assert.doesNotMatch(plain, /\$/);
  return plain;
}
