/**
 * Reads candles from a file in two passes: the first judges the file as a whole, the second gives its rows. What one
 * reading alone does not explain is refused before anything is stored.
 * @module
 */
import { csvFields } from "../market/csv_candle.ts";
import { readTimeText } from "../market/csv_time.ts";
import { isOtherCoin } from "../market/instrument.ts";
import { type Series, seriesName } from "../market/series.ts";
import { printable } from "../text/printable.ts";
import type { FileRow } from "./candle_import.ts";
import { type FileFormat, readFormat } from "./file_format.ts";
import type { LineFile } from "./file_lines.ts";
import { tablePages, type TableRow } from "./file_rows.ts";
import { type RowNames, type SeriesFlags, seriesOf } from "./file_series.ts";
import { MarkMemory, SeriesEvidence, Spacing } from "./series_evidence.ts";

interface FileOptions extends SeriesFlags {
  /** Names of the columns, instead of the file's. */
  readonly columns?: readonly string[] | undefined;
  /** How far times without a time zone are ahead of UTC. Milliseconds. */
  readonly zoneMs?: number | undefined;
}

/** A file that was judged. */
interface CandleFile {
  readonly rows: () => AsyncGenerator<FileRow, void>;
  /** The same rows, those together that were read together. */
  readonly pages: () => AsyncGenerator<readonly FileRow[], void>;
  /** The last line, where it may have been cut within a value: it is left out. */
  readonly cutLine: number | undefined;
}

/** Rows with the same names. */
interface Group {
  readonly names: RowNames;
  readonly series: Series;
  readonly isMeant: boolean;
  readonly evidence: SeriesEvidence;
  readonly spacing: Spacing;
  /** What columns say that a file of one series has once. */
  readonly constants: Map<number, string>;
  /** Of the last candle, when it had not closed. */
  openMs: number | undefined;
}

/** More than any exchange has symbols. */
const GROUPS_MAX = 10_000;

/**
 * Judges a file.
 *
 * @throws Error that says why the file, or which line of it, cannot be what it is meant to be.
 */
export async function readCandleFile(file: LineFile, options: FileOptions): Promise<CandleFile> {
  const format = await readFormat(file, {
    exchange: options.exchange,
    symbol: options.symbol,
    columns: options.columns,
    zoneMs: options.zoneMs,
  });
  const groups = await readGroups(file, format, options);
  const picked = pick(groups, options);
  const isNewest = (group: Group): boolean =>
    [...picked.values()].every(({ evidence }) => evidence.lastMs <= group.evidence.lastMs);
  for (const group of picked.values()) {
    group.openMs = group.evidence.judge({
      writtenMs: isNewest(group) ? file.writtenMs : undefined,
      spacing: group.spacing,
      isNamed: group.names.timeframe === group.series.timeframe.text,
    });
  }
  const pages = (): AsyncGenerator<readonly FileRow[], void> => pickedPages(file, format, picked);
  return {
    rows: async function* () {
      for await (const page of pages()) yield* page;
    },
    pages,
    cutLine: format.cutLine,
  };
}

async function* pickedPages(
  file: LineFile,
  format: FileFormat,
  picked: ReadonlyMap<string, Group>,
): AsyncGenerator<readonly FileRow[], void> {
  for await (const page of wholePages(file, { ...format, isJudged: true })) {
    const rows: FileRow[] = [];
    for (const row of page) {
      const group = picked.get(groupKey(row, format));
      if (group === undefined) continue;
      const { series, openMs } = group;
      const state = row.timeMs === openMs || isUnconfirmed(row, format)
        ? "unclosed"
        : row.isBlank
        ? "blank"
        : "candle";
      rows.push({ series, row: [row.timeMs, ...row.values], state });
    }
    yield rows;
  }
}

async function readGroups(
  file: LineFile,
  format: FileFormat,
  options: FileOptions,
): Promise<ReadonlyMap<string, Group>> {
  const groups = new Map<string, Group>();
  const spacings = new Map<string, Spacing>();
  const memory = new MarkMemory();
  const constants = constantColumns(format);
  const { closeTime } = format.columns;
  const add = (row: TableRow): void => {
    const key = groupKey(row, format);
    let group = groups.get(key);
    if (group === undefined) {
      if (groups.size === GROUPS_MAX) {
        throw new Error(`Cannot read ${printable(file.path)}: it holds too many instruments`);
      }
      const names = namesOf(file, row, format);
      const { series, isMeant } = seriesOf(names, options);
      const { timeframe } = series;
      const unit = names.timeframe ?? timeframe.text;
      const spacing = spacings.get(unit) ?? new Spacing(timeframe);
      spacings.set(unit, spacing);
      const [evidence, constants] = [
        new SeriesEvidence(series, memory, file.place),
        new Map<number, string>(),
      ];
      group = { names, series, isMeant, evidence, spacing, constants, openMs: undefined };
      groups.set(key, group);
    }
    group.spacing.add(row.timeMs);
    if (!group.isMeant) return;
    for (const at of constants) checkConstant(group, { at, row, format });
    const closeMs = closeTime === undefined
      ? undefined
      : readTimeText(row.fields[closeTime]!, format.zoneMs)?.timeMs;
    group.evidence.add({
      line: row.line.number,
      timeMs: row.timeMs,
      values: row.values,
      isLeftOut: row.isBlank || isUnconfirmed(row, format),
      closeMs,
    });
  };
  for await (const page of wholePages(file, format)) for (const row of page) add(row);
  return groups;
}

/** The groups to import: one for each series. */
function pick(
  groups: ReadonlyMap<string, Group>,
  { symbol, instrument }: SeriesFlags,
): ReadonlyMap<string, Group> {
  const picked = new Map<string, Group>();
  const bySeries = new Map<string, Group>();
  for (const [key, group] of groups) {
    if (!group.isMeant) continue;
    picked.set(key, group);
    const name = seriesName(group.series);
    const other = bySeries.get(name);
    bySeries.set(name, group);
    if (other === undefined) continue;
    throw new Error(
      `Cannot import candles of ${
        printable(name)
      }: the file holds several series that may be meant, ${
        quoted([other.names, group.names])
      }. Pick one instrument with --instrument. Nothing was stored`,
    );
  }
  if (picked.size > 0) return picked;
  const all = [...groups.values()].map(({ names }) => names);
  if (all.length === 0) throw new Error("Cannot import candles: the file has no whole row");
  throw new Error(
    `Cannot import candles of ${symbol ?? instrument}: the file holds ${
      quoted(all)
    }, which is another series. If one is meant all the same, pick it with --instrument. ` +
      "Nothing was stored",
  );
}

function quoted(names: readonly RowNames[]): string {
  const texts = names.map(({ exchange, instruments, timeframe }) =>
    [exchange, ...instruments, timeframe].filter((text) => text !== undefined).join(" ")
  );
  const more = texts.length > 3 ? ` and ${texts.length - 3} more` : "";
  return printable(texts.slice(0, 3).map((text) => text.slice(0, 60)).join(" and ") + more);
}

/** All rows but one that was cut. */
async function* wholePages(
  file: LineFile,
  format: FileFormat,
): AsyncGenerator<readonly TableRow[], void> {
  const { cutLine } = format;
  for await (const page of tablePages(file, format)) {
    yield cutLine === undefined ? page : page.filter(({ line }) => line.number !== cutLine);
  }
}

function namesOf(
  file: LineFile,
  { fields, line }: TableRow,
  { columns, head }: FileFormat,
): RowNames {
  const text = (at: number | undefined): string | undefined =>
    at === undefined ? undefined : fields[at]!.trim();
  const instruments = columns.instrument.map((at) => fields[at]!.trim());
  return {
    exchange: text(columns.exchange),
    instruments: head.instrument === undefined ? instruments : [head.instrument],
    timeframe: text(columns.timeframe),
    place: file.place(line.number),
  };
}

function groupKey({ fields }: TableRow, { columns }: FileFormat): string {
  const { exchange, instrument, timeframe } = columns;
  // This runs for each row: most files name nothing in their rows.
  if (exchange === undefined && timeframe === undefined) {
    if (instrument.length === 0) return "";
    if (instrument.length === 1) return fields[instrument[0]!]!;
  }
  return [exchange, ...instrument, timeframe].map((at) => at === undefined ? "" : fields[at])
    .join("\n");
}

/** Columns that must not change: those with a known name, and texts that nobody knows. */
function constantColumns({ head, columns }: FileFormat): readonly number[] {
  const { exchange, instrument, timeframe, time, clock, closeTime, confirm, provisional } = columns;
  const known = [exchange, ...instrument, timeframe, time, clock, closeTime, confirm, provisional]
    .concat(columns.values);
  const names = head.text === undefined ? [] : csvFields(head.text, head.separator);
  return Array.from({ length: columns.width }, (_, at) => at)
    .filter((at) =>
      !known.includes(at) && !/time|date|source|day|comment|note/i.test(names[at] ?? "")
    );
}

function checkConstant(
  { constants, evidence, series }: Group,
  { at, row, format }: { readonly at: number; readonly row: TableRow; readonly format: FileFormat },
): void {
  const own = row.fields[at]!;
  // Nearly all are numbers, which say nothing here.
  const isNumber = own.charCodeAt(0) >= 48 && own.charCodeAt(0) <= 57;
  if (isNumber && !format.columns.constant.includes(at)) return;
  const text = own.trim();
  if (!format.columns.constant.includes(at) && !/^\p{L}[\p{L}\p{N}]*[^\s]*$/u.test(text)) return;
  if (/^(?:nan|null|none|n\/?a|inf|true|false)$/i.test(text)) return;
  const known = constants.get(at);
  const coin = coinOf(format, at, series);
  if (coin !== undefined && isOtherCoin(text, coin)) {
    evidence.doubt(
      `${evidence.place(row.line.number)} is of ${
        printable(JSON.stringify(text.slice(0, 40)))
      }, not of ${coin}`,
    );
  }
  if (known === undefined) constants.set(at, text);
  else if (known !== text) {
    evidence.doubt(
      `column ${at + 1} says ${printable(JSON.stringify(known.slice(0, 40)))} and, in ` +
        `${evidence.place(row.line.number)}, ${printable(JSON.stringify(text.slice(0, 40)))}: ` +
        "the file holds several instruments. Leave the rows of one",
    );
  }
}

/** The base or quote that a column should name, if it is one that names one. */
function coinOf({ columns }: FileFormat, at: number, { symbol }: Series): string | undefined {
  const [base, rest = ""] = symbol.split("/");
  if (columns.base === at) return base;
  return columns.quote === at ? rest.split(":")[0] : undefined;
}

const NOT_CONFIRMED = /^(?:0|0\.0|false|f|no|n)$/i;
const PROVISIONAL = /^(?:1|1\.0|true|t|yes|y)$/i;

function isUnconfirmed({ fields }: TableRow, { columns }: FileFormat): boolean {
  if (columns.confirm === undefined && columns.provisional === undefined) return false;
  const says = (at: number | undefined, text: RegExp): boolean =>
    at !== undefined && text.test(fields[at]!.trim());
  return says(columns.confirm, NOT_CONFIRMED) || says(columns.provisional, PROVISIONAL);
}
