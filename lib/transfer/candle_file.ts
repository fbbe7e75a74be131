/**
 * Reads candles from a file in two passes: the first judges the file as a whole, the second gives its rows. What one
 * reading alone does not explain is refused before anything is stored.
 * @module
 */
import { type Series, seriesName } from "../market/series.ts";
import { printable } from "../text/printable.ts";
import type { FilePiece, FileRow } from "./candle_import.ts";
import { type FormatOptions, readFormat } from "./file_format.ts";
import { checkVolume, type Group } from "./file_group.ts";
import type { LineFile } from "./file_lines.ts";
import type { RowNames, SeriesFlags } from "./file_series.ts";
import { checkOtherTimes } from "./other_times.ts";
import { pickedPages, pickedPieces, wholePages } from "./picked_rows.ts";
import { readGroups } from "./series_groups.ts";
import { understand, type UnderstoodFile } from "./understood_file.ts";

export interface FileOptions extends SeriesFlags, FormatOptions {}

/** A file that was judged. */
export interface CandleFile {
  /** Of which its rows are, each once. */
  readonly series: readonly Series[];
  readonly rows: () => AsyncGenerator<FileRow, void>;
  /** The same rows, those together that were read together: candles that need no further check as columns. */
  readonly pieces: () => AsyncGenerator<readonly FilePiece[], void>;
  /** The last line, where it may have been cut within a value: it is left out. */
  readonly cutLine: number | undefined;
  readonly understood: UnderstoodFile;
}

/**
 * Judges a file.
 *
 * @throws Error that says why the file, or which line of it, cannot be what it is meant to be.
 */
export async function readCandleFile(file: LineFile, options: FileOptions): Promise<CandleFile> {
  const format = await readFormat(file, options);
  await checkOtherTimes(file, format);
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
  const rows = (): AsyncGenerator<FileRow, void> => oneByOne(pickedPages(file, format, picked));
  return {
    series: [...picked.values()].map(({ series }) => series),
    rows,
    pieces: () => pickedPieces(file, format, picked),
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
