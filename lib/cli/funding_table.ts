/** Funding rates as text: what is stored of each exchange's perpetuals, and which are missing. @module */
import { printable } from "../text/printable.ts";
import type { FundingStatus } from "../serve/funding_status.ts";
import { count, minute, table } from "./text.ts";

const HEAD = ["FUNDING", "PERPETUALS", "RATES", "FIRST", "LAST", "OWED", "MISSING", "EXPLAINED"];

/** One line per exchange; none without perpetuals. */
export function fundingTable(
  funding: readonly FundingStatus[],
  columns: number,
): readonly string[] {
  if (funding.length === 0) return [];
  const rows = [...Map.groupBy(funding, ({ exchange }) => exchange)].map(([exchange, all]) => {
    const sum = (of: (row: FundingStatus) => number): string =>
      count(all.reduce((total, row) => total + of(row), 0));
    const firsts = all.flatMap(({ first }) => first ?? []).sort();
    const lasts = all.flatMap(({ last }) => last ?? []).sort();
    return [
      printable(exchange),
      count(all.length),
      sum((row) => row.rates),
      firsts[0]?.slice(0, 10) ?? "–",
      minute(lasts.at(-1) ?? null),
      sum((row) => row.owed),
      sum((row) => row.missing),
      sum((row) => row.explained),
    ];
  });
  return table(HEAD, rows, { numeric: [1, 2, 5, 6, 7], columns }).split("\n");
}
