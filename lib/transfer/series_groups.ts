/** Reads all rows of a file into groups of one series each, and gathers what they prove. @module */
import { isPlainCandle } from "../market/candle_run.ts";
import { symbolOf } from "../market/market_name.ts";
import type { PlainRow } from "../market/plain_row.ts";
import { priceOf } from "../market/price.ts";
import { printable } from "../text/printable.ts";
import type { FileFormat } from "./file_format.ts";
import { checkConstant, checkName, checkSpan, constantColumns, type Group } from "./file_group.ts";
import type { LineFile } from "./file_lines.ts";
import { type RowReader, rowReader, type TableRow } from "./file_rows.ts";
import { type RowNames, type SeriesFlags, seriesOf } from "./file_series.ts";
import { eachRow } from "./plain_rows.ts";
import { checkConfirm, closesAt, groupKey, isUnconfirmed, opensAt } from "./row_facts.ts";
import { Spacing } from "./row_spacing.ts";
import { MarkMemory, SeriesEvidence } from "./series_evidence.ts";

/** More than any exchange has symbols. */
const GROUPS_MAX = 10_000;

/** @throws Error */
export async function readGroups(
  file: LineFile,
  format: FileFormat,
  options: SeriesFlags,
): Promise<ReadonlyMap<string, Group>> {
  const groups = new Groups(file, format, options);
  const read = rowReader(file, format);
  await eachRow(file, format.head, {
    plain: (row, number) => groups.addPlain(row, { number, read }),
    text: (row) => {
      const whole = read.text(row);
      if (row.line.number !== format.cutLine) groups.add(whole);
    },
  });
  return groups.all;
}

class Groups {
  readonly all = new Map<string, Group>();
  readonly #file: LineFile;
  readonly #format: FileFormat;
  readonly #options: SeriesFlags;
  readonly #spacings = new Map<string, Spacing>();
  readonly #memory = new MarkMemory();
  readonly #constants: readonly number[];
  /** Of the row that is added: one for all. */
  readonly #time = {
    line: 0,
    timeMs: NaN,
    isLeftOut: false,
    closeMs: undefined as number | undefined,
  };

  constructor(file: LineFile, format: FileFormat, options: SeriesFlags) {
    this.#file = file;
    this.#format = format;
    this.#options = options;
    this.#constants = constantColumns(format);
  }

  add(row: TableRow): void {
    const format = this.#format;
    const key = groupKey(row, format);
    let group = this.all.get(key);
    if (group === undefined) {
      group = this.#begin(row);
      this.all.set(key, group);
    }
    const line = row.line.number;
    const timeMs = opensAt(row.timeMs, format, group.series.timeframe);
    group.spacing.add(timeMs);
    if (!group.isMeant) return;
    for (const at of this.#constants) {
      checkConstant(group, { at, own: row.fields[at]!, line, format });
    }
    checkConfirm(group, { row, line, format });
    checkSpan(group, { line, timeMs, format });
    group.evidence.add({
      line,
      timeMs,
      values: row.values,
      isLeftOut: row.isBlank || isUnconfirmed(row, format),
      closeMs: closesAt(row, format),
    });
  }

  /** The same of a row of numbers. False: it has to be added as text. */
  addPlain(
    row: PlainRow,
    { number: line, read }: { readonly number: number; readonly read: RowReader },
  ): boolean {
    const format = this.#format;
    const { values } = format.columns;
    const closeMs = read.plain(row);
    if (Number.isNaN(closeMs) || !isPlainCandle(row, values)) return false;
    const group = this.all.get(groupKey(row, format));
    if (group === undefined || !group.isTraded) return false;
    const timeMs = opensAt(closeMs, format, group.series.timeframe);
    group.spacing.add(timeMs);
    if (!group.isMeant) return true;
    for (const at of this.#constants) {
      // Numbers say nothing there.
      if (row.decimals[at]! >= 0 && !format.columns.constant.includes(at)) continue;
      checkConstant(group, { at, own: row.text(at), line, format });
    }
    checkConfirm(group, { row, line, format });
    checkSpan(group, { line, timeMs, format });
    const time = this.#time;
    time.line = line;
    time.timeMs = timeMs;
    time.isLeftOut = isUnconfirmed(row, format);
    time.closeMs = closesAt(row, format);
    group.evidence.addPlain(time, row, values);
    return true;
  }

  #begin(row: TableRow): Group {
    const [file, format, options] = [this.#file, this.#format, this.#options];
    if (this.all.size === GROUPS_MAX) {
      throw new Error(`Cannot read ${printable(file.path)}: it holds too many instruments`);
    }
    const names = namesOf(file, row, format);
    const { series, isMeant } = seriesOf(names, options);
    const { timeframe } = series;
    if (isMeant) checkName(file, format, { series, knownExchanges: options.knownExchanges });
    const unit = names.timeframe ?? timeframe.text;
    const spacing = this.#spacings.get(unit) ?? new Spacing(timeframe);
    this.#spacings.set(unit, spacing);
    return {
      names,
      series,
      isMeant,
      isTraded: priceOf(series.symbol) === "trade",
      evidence: new SeriesEvidence(series, this.#memory, file.place),
      spacing,
      constants: new Map(),
      openMs: undefined,
    };
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
