/** Gives the rows of a judged file that are to be imported. @module */
import { CandleRun } from "../market/candle_run.ts";
import type { PlainRow } from "../market/plain_row.ts";
import type { FilePiece, FileRow } from "./candle_import.ts";
import type { FileFormat } from "./file_format.ts";
import type { Group } from "./file_group.ts";
import type { LineFile } from "./file_lines.ts";
import { maxFields, type RowReader, rowReader, tablePages, type TableRow } from "./file_rows.ts";
import { rowBlocks } from "./plain_rows.ts";
import { groupKey, isUnconfirmed, opensAt } from "./row_facts.ts";

/** All rows but one that was cut. */
export async function* wholePages(
  file: LineFile,
  format: FileFormat,
): AsyncGenerator<readonly TableRow[], void> {
  const { cutLine } = format;
  for await (const page of tablePages(file, format)) {
    yield cutLine === undefined ? page : page.filter(({ line }) => line.number !== cutLine);
  }
}

/** The rows of the groups. */
export async function* pickedPages(
  file: LineFile,
  format: FileFormat,
  picked: ReadonlyMap<string, Group>,
): AsyncGenerator<readonly FileRow[], void> {
  for await (const page of wholePages(file, { ...format, isJudged: true })) {
    const rows: FileRow[] = [];
    for (const row of page) {
      const group = picked.get(groupKey(row, format));
      if (group !== undefined) rows.push(fileRow(row, group, format));
    }
    yield rows;
  }
}

function fileRow(row: TableRow, { series, openMs }: Group, format: FileFormat): FileRow {
  const timeMs = opensAt(row.timeMs, format, series.timeframe);
  const state = timeMs === openMs || isUnconfirmed(row, format)
    ? "unclosed"
    : row.isBlank
    ? "blank"
    : "candle";
  return { series, row: [timeMs, ...row.values], state, line: row.line.number };
}

/** The same rows: runs of candles as columns, and whatever needs a further check by itself. */
export async function* pickedPieces(
  file: LineFile,
  format: FileFormat,
  picked: ReadonlyMap<string, Group>,
): AsyncGenerator<readonly FilePiece[], void> {
  const pieces = new Pieces(format, picked);
  const read = rowReader(file, { ...format, isJudged: true });
  const blocks = rowBlocks(file, format.head, {
    plain: (row) => pieces.addPlain(row, read),
    text: (row) => {
      const whole = read.text(row);
      if (row.line.number !== format.cutLine) pieces.add(whole);
    },
    max: maxFields({ ...format, isJudged: true }),
  });
  for await (const _ of blocks) yield pieces.take();
}

/** Of one block of rows. */
class Pieces {
  readonly #format: FileFormat;
  readonly #picked: ReadonlyMap<string, Group>;
  #pieces: FilePiece[] = [];
  /** The runs that are not ended yet. */
  readonly #runs = new Map<Group, CandleRun>();
  /** The last run of each: the next one is about as long. */
  readonly #last = new Map<Group, CandleRun>();
  /** Groups whose rows are not ascending: runs of them would be too short. */
  readonly #unordered = new Set<Group>();

  constructor(format: FileFormat, picked: ReadonlyMap<string, Group>) {
    this.#format = format;
    this.#picked = picked;
  }

  add(row: TableRow): void {
    const group = this.#picked.get(groupKey(row, this.#format));
    if (group === undefined) return;
    this.#endRun(group);
    this.#pieces.push(fileRow(row, group, this.#format));
  }

  /** Takes a candle. False: the row has to be added as text. */
  addPlain(row: PlainRow, read: RowReader): boolean {
    const format = this.#format;
    const timeMs = read.plain(row);
    if (Number.isNaN(timeMs)) return false;
    const group = this.#picked.get(groupKey(row, format));
    if (group === undefined) return true;
    if (!group.isTraded || this.#unordered.has(group) || isUnconfirmed(row, format)) return false;
    const openMs = opensAt(timeMs, format, group.series.timeframe);
    if (openMs === group.openMs) return false;
    let run = this.#runs.get(group);
    if (run === undefined) {
      run = new CandleRun(group.series.timeframe, this.#last.get(group));
      this.#runs.set(group, run);
    }
    if (openMs <= run.lastMs) this.#unordered.add(group);
    return run.add(row, openMs, format.columns.values);
  }

  take(): readonly FilePiece[] {
    for (const group of this.#runs.keys()) this.#endRun(group);
    this.#unordered.clear();
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  #endRun(group: Group): void {
    const run = this.#runs.get(group);
    if (run === undefined) return;
    this.#runs.delete(group);
    this.#last.set(group, run);
    if (run.length > 0) this.#pieces.push({ series: group.series, run });
  }
}
