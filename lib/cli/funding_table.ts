/** Funding rates as text: what is stored of each exchange's perpetuals, and which are missing. @module */
import { printable } from "../text/printable.ts";
import type { FundingStatus } from "../serve/funding_status.ts";
import type { FundingGapEntry } from "../serve/gap_list.ts";
import { count, minute, table, tableLayout } from "./text.ts";

const HEAD = ["FUNDING", "SYMBOLS", "RATES", "LAST", "OWED", "MISSING", "EXPLAINED"];

/** One line per exchange; none without perpetuals. */
export function fundingTable(
  funding: readonly FundingStatus[],
  columns: number,
): readonly string[] {
  if (funding.length === 0) return [];
  const rows = [...Map.groupBy(funding, ({ exchange }) => exchange)].map(([exchange, all]) => {
    const sum = (of: (row: FundingStatus) => number): string =>
      count(all.reduce((total, row) => total + of(row), 0));
    const lasts = all.flatMap(({ last }) => last ?? []).sort();
    return [
      printable(exchange),
      count(all.length),
      sum((row) => row.rates),
      minute(lasts.at(-1) ?? null),
      sum((row) => row.owed),
      sum((row) => row.missing),
      sum((row) => row.explained),
    ];
  });
  return table(HEAD, rows, { numeric: [1, 2, 4, 5, 6], columns }).split("\n");
}

const GAP_HEAD = ["FUNDING", "SINCE", "UNTIL", "MISSING", "STATE"];

/** Where funding rates are missing, as a table below that of candles; nothing where none are. */
export async function* fundingGapLines(
  pages: AsyncGenerator<readonly FundingGapEntry[], void>,
): AsyncGenerator<string, void> {
  let layout: ReturnType<typeof tableLayout> | undefined;
  for await (const page of pages) {
    const rows = page.map(({ exchange, symbol, since, until, missing, state }) => [
      printable(`${exchange} ${symbol}`),
      minute(since),
      minute(until),
      count(missing),
      state,
    ]);
    if (layout === undefined) {
      layout = tableLayout(GAP_HEAD, rows, { numeric: [3] });
      yield `\n${layout([GAP_HEAD])}\n`;
    }
    yield `${layout(rows)}\n`;
  }
}
