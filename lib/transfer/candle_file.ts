/**
 * Reads candles from a file in two passes: the first judges the file as a whole, the second gives its rows. What one
 * reading alone does not explain is refused before anything is stored.
 * @module
 */
import { symbolOf } from "../market/market_name.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles, floorTime, isAligned, type Timeframe } from "../market/timeframe.ts";
import { printable } from "../text/printable.ts";
import type { FileRow } from "./candle_import.ts";
import { type FileFormat, type FormatOptions, readFormat } from "./file_format.ts";
import type { LineFile } from "./file_lines.ts";
import { tablePages, type TableRow } from "./file_rows.ts";
import { type RowNames, type SeriesFlags, seriesOf } from "./file_series.ts";
import {
  checkConstant,
  checkName,
  checkSpan,
  checkVolume,
  constantColumns,
  type Group,
} from "./file_group.ts";
import { understand, type UnderstoodFile } from "./understood_file.ts";
import { MarkMemory, SeriesEvidence, Spacing } from "./series_evidence.ts";

export interface FileOptions extends SeriesFlags, FormatOptions {}

/** A file that was judged. */
export interface CandleFile {
  /** Of which its rows are, each once. */
  readonly series: readonly Series[];
  readonly rows: () => AsyncGenerator<FileRow, void>;
  /** The same rows, those together that were read together. */
  readonly pages: () => AsyncGenerator<readonly FileRow[], void>;
  /** The last line, where it may have been cut within a value: it is left out. */
  readonly cutLine: number | undefined;
  readonly understood: UnderstoodFile;
}

/** More than any exchange has symbols. */
const GROUPS_MAX = 10_000;

/**
 * Judges a file.
 *
 * @throws Error that says why the file, or which line of it, cannot be what it is meant to be.
 */
export async function readCandleFile(file: LineFile, options: FileOptions): Promise<CandleFile> {
  const format = await readFormat(file, options);
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
  for (const { series } of picked.values()) checkVolume(file, format, series);
  const pages = (): AsyncGenerator<readonly FileRow[], void> => pickedPages(file, format, picked);
  const rows = (): AsyncGenerator<FileRow, void> => oneByOne(pages());
  return {
    series: [...picked.values()].map(({ series }) => series),
    rows,
    pages,
    cutLine: format.cutLine,
    understood: await understand(format, {
      table: oneByOne(wholePages(file, { ...format, isJudged: true })),
      rows: rows(),
    }),
  };
}

async function* oneByOne<T>(pages: AsyncGenerator<readonly T[], void>): AsyncGenerator<T, void> {
  for await (const page of pages) yield* page;
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
      const timeMs = opensAt(row, format, series.timeframe);
      const state = timeMs === openMs || isUnconfirmed(row, format)
        ? "unclosed"
        : row.isBlank
        ? "blank"
        : "candle";
      rows.push({ series, row: [timeMs, ...row.values], state, line: row.line.number });
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
      if (isMeant) checkName(file, format, { series, knownExchanges: options.knownExchanges });
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
    const timeMs = opensAt(row, format, group.series.timeframe);
    group.spacing.add(timeMs);
    if (!group.isMeant) return;
    for (const at of constants) checkConstant(group, { at, row, format });
    checkConfirm(group, row, format);
    checkSpan(group, { line: row.line.number, timeMs, format });
    group.evidence.add({
      line: row.line.number,
      timeMs,
      values: row.values,
      isLeftOut: row.isBlank || isUnconfirmed(row, format),
      closeMs: closeTime === undefined ? undefined : readClose(row.fields[closeTime]!, format),
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
  { columns, head, source }: FileFormat,
): RowNames {
  const text = (at: number | undefined): string | undefined =>
    at === undefined ? undefined : fields[at]!.trim();
  const instruments = columns.instrument.map((at) => fields[at]!.trim());
  const { preset, names } = source;
  const [instrument] = instruments;
  return {
    exchange: text(columns.exchange),
    instruments: head.instrument === undefined ? instruments : [head.instrument],
    symbol: preset === undefined || instrument === undefined
      ? undefined
      : symbolOf(instrument, preset),
    candidates: source.candidates,
    file: {
      exchange: names.exchange ?? preset?.exchange,
      symbol: names.symbol,
      timeframe: names.timeframe,
    },
    timeframe: text(columns.timeframe),
    place: file.place(line.number),
  };
}

function groupKey({ fields }: TableRow, { columns }: FileFormat): string {
  const { exchange, instrument, timeframe } = columns;
  // This runs for each row: most files name nothing in their rows, or only the instrument.
  if (exchange === undefined && timeframe === undefined) {
    if (instrument.length === 0) return "";
    if (instrument.length === 1) return fields[instrument[0]!]!;
  }
  return [exchange, ...instrument, timeframe].map((at) => at === undefined ? "" : fields[at])
    .join("\n");
}

/** How files say that a candle has closed, or has not. Blank says neither. */
const CONFIRMS = /^(?:|[01]|[01]\.0|true|t|yes|y|false|f|no|n|nan|null|none)$/i;
const NOT_CONFIRMED = /^(?:0|0\.0|false|f|no|n)$/i;
const PROVISIONAL = /^(?:1|1\.0|true|t|yes|y)$/i;

function isUnconfirmed({ fields }: TableRow, { columns }: FileFormat): boolean {
  if (columns.confirm === undefined && columns.provisional === undefined) return false;
  const says = (at: number | undefined, text: RegExp): boolean =>
    at !== undefined && text.test(fields[at]!.trim());
  return says(columns.confirm, NOT_CONFIRMED) || says(columns.provisional, PROVISIONAL);
}

/** A column that is called so and says something else would make whole candles of forming ones. */
function checkConfirm({ evidence }: Group, row: TableRow, { columns }: FileFormat): void {
  const at = columns.confirm;
  if (at === undefined || CONFIRMS.test(row.fields[at]!.trim())) return;
  evidence.doubt(
    `${evidence.place(row.line.number)} says ${
      printable(JSON.stringify(row.fields[at]!.slice(0, 40)))
    } where it should say whether its candle has closed, as 1 or 0. Name the columns with --columns`,
  );
}

/** When a row's candle opens: one timeframe earlier, if the file's times are those of the close. */
function opensAt({ timeMs }: TableRow, { timeIs }: FileFormat, timeframe: Timeframe): number {
  if (timeIs !== "close") return timeMs;
  if (isAligned(timeframe, timeMs)) return addCandles(timeframe, timeMs, -1);
  // Some write the last second, or the last millisecond, before the close.
  const openMs = floorTime(timeframe, timeMs);
  return addCandles(timeframe, openMs, 1) - timeMs <= 1000 ? openMs : timeMs;
}

function readClose(text: string, { timeFormat, zone }: FileFormat): number | undefined {
  const time = timeFormat.read(text, zone);
  return time === undefined || "times" in time ? undefined : time.timeMs;
}
