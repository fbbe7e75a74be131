/** The report as text of at most 80 columns. @module */
import type { Completeness } from "../report/completeness.ts";
import type { NamedSeries, Report } from "../report/document.ts";
import { printable } from "../text/printable.ts";
import {
  archiveWords,
  comparisonWords,
  moreWords,
  outlierRate,
  percent,
  priceChange,
  reasonWords,
  revisionWords,
  spanWords,
  stateWords,
  verdictOf,
} from "./report_words.ts";
import { type Paint, painter } from "./terminal.ts";
import { count, cut, minute, table, wrap } from "./text.ts";

const COLUMNS = 80;

/** A terminal shows no more series. */
const SERIES_MAX = 15;

/** The report as text. */
export function renderReport(
  report: Report,
  { paint = painter(false) }: { readonly paint?: Paint } = {},
): string {
  const head = [
    paragraphs(archiveWords(report)),
    paragraphs(verdictOf(report)).map((line) => paint("bold", line)),
  ];
  const blocks: readonly (readonly string[])[] = report.series.length === 0 ? head : [
    ...head,
    [
      "EXCHANGES, WORST FIRST",
      ...completeness("EXCHANGE", report.exchanges, ({ exchange }) => exchange),
    ],
    worstSeries(report),
    gapSums(report),
    longestGaps(report),
    worstDays(report),
    ["REVISIONS", ...paragraphs([revisionWords(report)]), ...revised(report)],
    rejectedRows(report),
    ["PRICES AGAINST THE OTHER EXCHANGES", ...paragraphs(comparisonWords(report))],
    outliers(report),
  ];
  return blocks.filter((block) => block.length > 0).map((block) =>
    block.map((line) => cut(line, COLUMNS)).join("\n")
  ).join("\n\n");
}

function paragraphs(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => wrap(printable(text), COLUMNS));
}

function nameOf({ exchange, symbol, timeframe }: NamedSeries): string {
  return printable(`${exchange} ${symbol} ${timeframe}`);
}

function rows(
  head: readonly string[],
  body: readonly (readonly string[])[],
  numeric: readonly number[],
): readonly string[] {
  return table(head, body, { numeric, columns: COLUMNS }).split("\n");
}

function completeness<Row extends Completeness>(
  what: string,
  all: readonly Row[],
  name: (row: Row) => string,
): readonly string[] {
  return rows(
    [what, "", "THERE", "SHARE", "EXPLAINED", "OWED", "OPEN"],
    all.map((row) => [
      printable(name(row)),
      bar(row),
      count(row.there),
      percent(row.there, row.wanted),
      count(row.explained),
      count(row.owed),
      count(row.missing),
    ]),
    [2, 3, 4, 5, 6],
  );
}

const BAR_CELLS = 6;

/** `########=.`: there, explained, and what is owed or open. */
function bar({ there, explained, wanted }: Completeness): string {
  if (wanted === 0) return " ".repeat(BAR_CELLS);
  const full = Math.floor((there / wanted) * BAR_CELLS);
  const both = Math.floor(((there + explained) / wanted) * BAR_CELLS);
  return "#".repeat(full) + "=".repeat(both - full) + ".".repeat(BAR_CELLS - both);
}

function worstSeries({ series }: Report): readonly string[] {
  const shown = series.slice(0, SERIES_MAX);
  const more = series.length - shown.length;
  return [
    "SERIES, WORST FIRST",
    ...completeness("SERIES", shown, nameOf),
    ...more > 0 ? [moreWords(more, "series")] : [],
    "# there, = explained, . owed or open",
  ];
}

function gapSums({ gaps: { states } }: Report): readonly string[] {
  if (states.length === 0) return ["GAPS", "There are none."];
  return [
    "GAPS",
    ...rows(
      ["WHY", "GAPS", "CANDLES", "TOTAL TIME"],
      states.map(({ state, gaps, candles, seconds }) => [
        stateWords(state),
        count(gaps),
        count(candles),
        spanWords(seconds),
      ]),
      [1, 2, 3],
    ),
  ];
}

function longestGaps({ gaps: { longest } }: Report): readonly string[] {
  if (longest.length === 0) return [];
  return [
    "LONGEST GAPS INSIDE SERIES",
    ...rows(
      ["SERIES", "SINCE", "TIME", "WHY"],
      longest.map((gap) => [
        nameOf(gap),
        minute(gap.since),
        spanWords((Date.parse(gap.until) - Date.parse(gap.since)) / 1000),
        stateWords(gap.state),
      ]),
      [2],
    ),
  ];
}

function worstDays({ days }: Report): readonly string[] {
  if (days.length === 0) return [];
  return [
    "DAYS OF WHICH MOST IS MISSING (of what was answered for)",
    ...rows(
      ["DAY", "THERE", "SHARE", "WHY"],
      days.map(({ day, there, wanted, missing, reasons }) => [
        day,
        count(there),
        percent(there, wanted),
        [missing > 0 ? `${count(missing)} open` : "", reasonWords(reasons)]
          .filter((text) => text !== "").join(", "),
      ]),
      [1, 2],
    ),
  ];
}

function revised({ revisions: { largest } }: Report): readonly string[] {
  if (largest.length === 0) return [];
  return rows(
    ["LARGEST", "TIME", "PRICE", "WAS", "IS", "CHANGE"],
    largest.map((one) => [
      nameOf(one),
      minute(one.time),
      one.field,
      digits(one.older),
      digits(one.newer),
      priceChange(one.percent),
    ]),
    [3, 4, 5],
  );
}

/** As many digits as fit a column. */
function digits(price: string): string {
  return price.length <= 10 ? price : Number(price).toPrecision(6);
}

function rejectedRows({ rejected }: Report): readonly string[] {
  if (rejected.length === 0) return ["REJECTED ROWS", "There are none."];
  return [
    "REJECTED ROWS",
    ...rejected.flatMap(({ reason, rows, times, samples }) => [
      `${reason}: ${count(rows)} ${rows === 1 ? "row" : "rows"}, received ${count(times)} ${
        times === 1 ? "time" : "times"
      }`,
      ...samples.map((sample) => `  ${nameOf(sample)}: ${printable(sample.answered)}`),
    ]),
  ];
}

function outliers({ comparison: { exchanges, worst } }: Report): readonly string[] {
  if (exchanges.length === 0) return [];
  const found = rows(
    ["EXCHANGE", "COMPARED", "OUTLIERS", "SHARE", "CLOSES", "HIGHS", "LOWS"],
    exchanges.map((one) => [
      printable(one.exchange),
      count(one.compared),
      count(one.outliers),
      outlierRate(one),
      count(one.closes),
      count(one.highs),
      count(one.lows),
    ]),
    [1, 2, 3, 4, 5, 6],
  );
  if (worst.length === 0) return found;
  const list = rows(
    ["FURTHEST AWAY", "TIME", "PRICE", "IS", "MEDIAN", "AWAY"],
    worst.map((one) => [
      nameOf(one),
      minute(one.time),
      one.field,
      digits(one.price),
      digits(String(one.median)),
      priceChange(one.percent, { isSigned: true }),
    ]),
    [3, 4, 5],
  );
  return [...found, "", ...list];
}
