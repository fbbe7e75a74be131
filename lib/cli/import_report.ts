/** What came of an import of files: for people, and as JSON. @module */
import { seriesName } from "../market/series.ts";
import { printable } from "../text/printable.ts";
import type { LeftOutFiles } from "../transfer/file_list.ts";
import {
  type ImportSum,
  ROW_COUNTS,
  type RowCounts,
  type SeriesReport,
  TOLD_MAX,
  type ToldPlace,
} from "./import_sum.ts";
import { count, minute } from "./text.ts";

/** Of more series, only the sum is shown; --json has all. */
const SERIES_SHOWN = 10;

const WORDS: Readonly<Record<(typeof ROW_COUNTS)[number], string>> = {
  added: "added",
  same: "already stored",
  replaced: "replaced: the older values are in candle_revisions",
  conflicts: "stored with other values, which were kept: see import_conflicts",
  rejected: "rejected: see rejected_candles",
  unclosed: "not closed, only just, or provisional: left out",
  blank: "without values: no candle",
  expired: "of time that RETENTION has dropped: left out",
  outside: "outside of --since and --until: left out",
};

/** For people. Of one table that was taken it says no more than of its series. */
export function importText(sum: ImportSum): string {
  const isMany = sum.files > 1 || sum.tables + sum.refusals > 1;
  const { series, total } = sum;
  return [
    ...(series.length > SERIES_SHOWN ? [] : series.map(({ report }) => seriesText(report))),
    ...(isMany ? [sumText(sum)] : []),
    ...knownText(sum),
    ...(isMany ? cutText(sum) : []),
    ...placesText("stored with other values", sum.conflicts, total.conflicts),
    ...placesText("rejected", sum.rejected, total.rejected),
    ...refusedText(sum),
    ...leftOutText(sum.leftOut),
  ].join("\n");
}

/** For programs. */
export function importDocument(sum: ImportSum): unknown {
  const { files, tables, known, total, conflicts, rejected, refusals, cut, leftOut } = sum;
  return {
    series: sum.series.map(({ report, tables }) => ({ ...documentOf(report), tables })),
    files,
    tables,
    known,
    total,
    conflicts,
    rejected,
    refusals,
    refused: sum.refused.map(({ path, reason }) => ({ file: path, reason })),
    cut,
    leftOut,
  };
}

/** The sentence on the only table's last line, where it was left out. */
export function onlyCutText({ cut: [only], tables }: ImportSum): string | undefined {
  if (only === undefined || tables > 1) return undefined;
  return `${only.place.charAt(0).toUpperCase()}${
    only.place.slice(1)
  } is the last line and has no line ` +
    "end. It may be incomplete and was left out";
}

function sumText({ files, tables, series, total }: ImportSum): string {
  const parts = [
    named(files, "file"),
    ...(tables === files ? [] : [`${named(tables, "table")} taken`]),
    `${count(series.length)} series`,
    named(total.rows, "row"),
  ];
  return [`In all: ${parts.join(", ")}`, ...countLines(total)].join("\n");
}

function knownText({ known }: ImportSum): readonly string[] {
  if (known === 0) return [];
  const what = known === 1 ? "1 table was" : `${count(known)} tables were`;
  return [`${what} imported before as a whole, and not again: --again imports all anew`];
}

function cutText({ cut, cuts }: ImportSum): readonly string[] {
  if (cuts === 0) return [];
  return [
    `${named(cuts, "last line")} without a line end may be incomplete, and left out:`,
    ...cut.map(({ file, place }) => `  ${printable(file)}, ${place}`),
    ...moreText(cuts),
  ];
}

function refusedText({ refused, refusals }: ImportSum): readonly string[] {
  if (refusals === 0) return [];
  return [
    `${count(refusals)} refused, and nothing of ${refusals === 1 ? "it" : "them"} stored:`,
    ...refused.slice(0, TOLD_MAX).map(({ path, reason }) => `  ${refusalText(path, reason)}`),
    ...moreText(refusals),
  ];
}

/** One refused file. Most reasons name it. */
export function refusalText(path: string, reason: string): string {
  const [name, why] = [printable(path), printable(reason)];
  return why.includes(name) ? why : `${name}: ${why}`;
}

/** Files whose first rows were found: there may be more. */
function placesText(
  what: string,
  places: readonly ToldPlace[],
  total: number,
): readonly string[] {
  if (places.length === 0) return [];
  return [
    `First of the ${count(total)} ${what}:`,
    ...places.map(({ file, place, series, time, reason }) => {
      const at = time === null ? "" : ` ${minute(time)}`;
      const why = reason === what ? "" : `: ${reason}`;
      return `  ${printable(file)}, ${place}: ${printable(series)}${at}${why}`;
    }),
  ];
}

function moreText(total: number): readonly string[] {
  return total <= TOLD_MAX ? [] : [`  and ${count(total - TOLD_MAX)} more`];
}

export function leftOutText({ count: total, first }: LeftOutFiles): readonly string[] {
  if (total === 0) return [];
  const more = total > first.length ? ` and ${count(total - first.length)} more` : "";
  return [
    `${named(total, "file")} left out, as no candles are expected in ${
      total === 1 ? "it" : "them"
    }: ` +
    `${first.map(printable).join(", ")}${more}`,
  ];
}

function seriesText(report: SeriesReport): string {
  const { series, rows, firstMs, lastMs } = report;
  const span = firstMs === undefined ? "" : `, ${minute(iso(firstMs))} to ${minute(iso(lastMs))}`;
  return [
    `${printable(seriesName(series))}: ${named(rows, "row")}${span}`,
    ...countLines(report),
    ...(report.owed === 0 ? [] : [
      `  ${count(report.owed)} in between ${
        report.owed === 1 ? "is" : "are"
      } lacking, and owed by the exchange;`,
      "  --complete says that they do not exist",
    ]),
  ].join("\n");
}

function countLines(counts: RowCounts): readonly string[] {
  return ROW_COUNTS.filter((name) => counts[name] > 0)
    .map((name) => `  ${count(counts[name])} ${WORDS[name]}`);
}

function documentOf(
  { series, firstMs, lastMs, ...counts }: SeriesReport,
): Record<string, unknown> {
  const { exchange, symbol, timeframe } = series;
  return {
    exchange,
    symbol,
    timeframe: timeframe.text,
    ...counts,
    first: iso(firstMs),
    last: iso(lastMs),
  };
}

function named(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

function iso(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}
