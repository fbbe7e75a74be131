/** Finds out how a file of candles is to be read: by its names, by its rows, or by what the user says. @module */
import { type CsvColumns, csvFields } from "../market/csv_candle.ts";
import { OrderProof, VolumeProof } from "../market/csv_layout.ts";
import { readTimeText } from "../market/csv_time.ts";
import { printable } from "../text/printable.ts";
import { type FileHead, readHead } from "./file_head.ts";
import type { LineFile } from "./file_lines.ts";
import { failLine, fieldPages, type FieldRow, type RowFormat } from "./file_rows.ts";

interface FormatOptions {
  readonly exchange: string | undefined;
  readonly symbol: string | undefined;
  readonly columns: readonly string[] | undefined;
  readonly zoneMs: number | undefined;
}

export interface FileFormat extends RowFormat {
  /** The last line, if it may have been cut within a value; it is left out. */
  readonly cutLine: number | undefined;
}

/** Fewer rows do not show how many decimals the file has. */
const ROWS_MIN = 10;

const EXAMPLE = "--columns time,open,high,low,close,volume, with a - for each column to leave out";

/**
 * Reads a whole file to learn its format.
 *
 * @throws Error when the rows allow more than one reading.
 */
export async function readFormat(file: LineFile, options: FormatOptions): Promise<FileFormat> {
  const head = await readHead(file, options);
  const found = await survey(file, head);
  const refuse = (why: string): never => {
    throw new Error(`Cannot read ${printable(file.path)}: ${printable(why)}. Nothing was stored`);
  };
  if (found.rows === 0) return refuse("it has no rows");
  if (found.commas === "unclear") {
    refuse("1,234 in it may mean 1.234 or 1234. Write numbers with a decimal point");
  }
  const columns = options.columns !== undefined && head.columns !== undefined
    ? head.columns
    : head.columns !== undefined
    ? namedVolume({ head, columns: head.columns, proof: found.volumes }, { ...options, refuse })
    : unnamedColumns(found, options, refuse);
  const isCut = found.last !== undefined && !found.last.isEnded &&
    [...columns.values, columns.time, columns.confirm, columns.provisional, columns.closeTime]
      .includes(found.width - 1) &&
    !found.isLastWhole;
  return {
    head,
    columns,
    hasCommas: found.commas === "decimal",
    zoneMs: options.zoneMs,
    cutLine: isCut ? found.last!.number : undefined,
  };
}

interface Survey {
  readonly rows: number;
  readonly width: number;
  readonly commas: "none" | "decimal" | "unclear";
  readonly order: OrderProof;
  readonly volumes: VolumeProof;
  readonly last: { readonly number: number; readonly isEnded: boolean } | undefined;
  /** Whether the last field of the last line has as many decimals as any: it was not cut. */
  readonly isLastWhole: boolean;
  /** Whether the seventh column is when the candle closes. */
  readonly hasCloseTime: boolean;
  readonly texts: ReadonlySet<number>;
}

/** One pass over all rows. */
async function survey(file: LineFile, head: FileHead): Promise<Survey> {
  const { columns, separator } = head;
  const order = new OrderProof();
  let volumes: VolumeProof | undefined;
  let [rows, width, decimalsMax, decimals, hasCloseTime] = [0, 0, 0, 0, true];
  let [hasCommas, isDecimal, hasPoints] = [false, false, false];
  let last: Survey["last"];
  const texts = new Set<number>();
  const add = ({ line, fields }: FieldRow): void => {
    rows++;
    if (width === 0) width = columns?.width ?? fields.length;
    if (fields.length !== width) {
      failLine(file, line, `it has ${fields.length} fields, ${width} are expected`);
    }
    volumes ??= new VolumeProof(
      columns === undefined
        ? Array.from({ length: Math.max(0, width - 5) }, (_, index) => index + 5)
        : [columns.values[4]!, ...columns.turnovers],
    );
    last = line;
    decimals = decimalsAtEnd(line.text);
    if (line.isEnded) decimalsMax = Math.max(decimalsMax, decimals);
    const prices = columns?.values.slice(0, 4) ?? [1, 2, 3, 4];
    if (separator !== ",") {
      for (const at of [...prices, columns?.values[4] ?? 5]) {
        const value = fields[at]?.trim() ?? "";
        if (value.includes(".")) hasPoints = true;
        const comma = /^[+-]?(\d+),(\d+)$/.exec(value);
        if (comma !== null) hasCommas = true;
        if (comma !== null && (comma[1]!.length > 3 || comma[2]!.length !== 3)) isDecimal = true;
      }
    }
    const numbers = fields.map((field) => Number(hasCommas ? field.replace(",", ".") : field));
    for (const at of prices) if (Number.isNaN(numbers[at])) texts.add(at);
    for (let at = 5; at < fields.length; at++) if (Number.isNaN(numbers[at])) texts.add(at);
    const four = prices.map((at) => numbers[at] ?? NaN);
    volumes.add(fields, {
      low: four.reduce((a, b) => Math.min(a, b)),
      high: four.reduce((a, b) => Math.max(a, b)),
      numbers,
    });
    if (columns !== undefined) return;
    const time = readTimeText(fields[0] ?? "");
    order.add(time?.timeMs ?? NaN, numbers);
    const closed = readTimeText(fields[6] ?? "");
    if (closed === undefined || closed.style !== time?.style || closed.timeMs <= time.timeMs) {
      hasCloseTime = false;
    }
  };
  for await (const page of fieldPages(file, head)) for (const row of page) add(row);
  return {
    rows,
    width,
    commas: !hasCommas ? "none" : isDecimal && !hasPoints ? "decimal" : "unclear",
    order,
    volumes: volumes ?? new VolumeProof([]),
    last,
    isLastWhole: rows > ROWS_MIN && decimalsMax > 0 && decimals >= decimalsMax,
    hasCloseTime,
    texts,
  };
}

/** How many decimals the number has with which a line ends. */
function decimalsAtEnd(text: string): number {
  let at = text.length - 1;
  while (at >= 0 && text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57) at--;
  const isMark = at >= 0 && (text[at] === "." || text[at] === ",");
  return isMark ? text.length - 1 - at : 0;
}

type Refuse = (why: string) => never;

/** The names stand, unless the rows prove that the volume is in another unit. */
function namedVolume(
  { head, columns, proof }: {
    readonly head: FileHead;
    readonly columns: CsvColumns;
    readonly proof: VolumeProof;
  },
  { exchange, symbol, refuse }: FormatOptions & { readonly refuse: Refuse },
): CsvColumns {
  const volume = columns.values[4]!;
  const name = (at: number): string => csvFields(head.text ?? "", head.separator)[at]?.trim() ?? "";
  if (proof.isUnfilled(volume)) {
    refuse(`its volume is zero in all rows. Name the columns with ${EXAMPLE}`);
  }
  const bases = proof.bases();
  if (bases.includes(volume)) return columns;
  const withVolume = (at: number): CsvColumns => ({
    ...columns,
    values: columns.values.with(4, at),
  });
  if (bases.length === 1) return withVolume(bases[0]!);
  const size = proof.contractSize(volume);
  if (size !== undefined && columns.turnovers.length > 0) {
    // As CCXT has it: what an inverse contract's volume is worth in the base currency.
    const [base, settle] = [symbol?.split("/")[0], symbol?.split(":")[1]?.split("-")[0]];
    if (columns.turnovers.length === 1 && base !== undefined && base === settle) {
      return withVolume(columns.turnovers[0]!);
    }
    refuse(
      `its volume counts contracts of ${size}, or lots of another unit, not the base currency. ` +
        `Name the column of the volume with ${EXAMPLE}`,
    );
  }
  if (bases.length === 0 && isTurnoverFirst(exchange) && /^vol$/i.test(name(volume))) {
    refuse(
      `${exchange}'s vol is turnover, and nothing in the file proves another meaning. ` +
        `Name the column of the volume with ${EXAMPLE}`,
    );
  }
  return columns;
}

/** Exchanges whose files have the turnover where others have the volume. */
function isTurnoverFirst(exchange: string | undefined): boolean {
  return exchange !== undefined && /^(?:htx|huobi|gate|gateio)$/.test(exchange);
}

/** Without names: one reading alone must fit. */
function unnamedColumns(
  { order, volumes, texts, width, hasCloseTime }: Survey,
  { exchange, symbol }: FormatOptions,
  refuse: Refuse,
): CsvColumns {
  const ask = (why: string): never =>
    refuse(`it does not name its columns, and ${why}. Name them with ${EXAMPLE}`);
  const { values, why } = width < 6 || [1, 2, 3, 4].some((at) => texts.has(at))
    ? { why: "the first six are not time, prices and volume" }
    : order.order();
  if (values === undefined && isTurnoverFirst(exchange) && width === 6) {
    return refuse(
      "it does not name its columns, and the base volume is not among them if they are time, " +
        "turnover, close, high, low and open, as Gate writes them. To take the turnover as volume: " +
        "--columns time,volume,close,high,low,open",
    );
  }
  if (values === undefined) return ask(why ?? "no order fits");
  const columns: CsvColumns = {
    exchange: undefined,
    instrument: [],
    constant: [],
    base: undefined,
    quote: undefined,
    timeframe: undefined,
    time: 0,
    clock: undefined,
    values: [...values, 5],
    turnovers: [],
    closeTime: hasCloseTime ? 6 : undefined,
    confirm: undefined,
    width,
  };
  const withVolume = (at: number): CsvColumns => ({ ...columns, values: [...values, at] });
  const bases = volumes.bases();
  if (hasCloseTime) {
    // Binance: volume, close time, turnover, trades, and what takers bought, which fits as well.
    if (bases.includes(5) || width < 8) return columns;
    const [base, settle] = [symbol?.split("/")[0], symbol?.split(":")[1]?.split("-")[0]];
    const size = volumes.contractSize(5);
    if (size !== undefined && base !== undefined && base === settle) return withVolume(7);
    return size === undefined && !volumes.hasVolume(5, 7)
      ? columns
      : ask("the sixth is not the volume in the base currency");
  }
  if (bases.length === 1) return withVolume(bases[0]!);
  if (bases.length > 1) return ask("several may be the volume");
  if (isTurnoverFirst(exchange)) return ask(`${exchange} writes the turnover before the volume`);
  if (volumes.isPrice(5)) return ask("the sixth looks like an average price");
  const isClear = Array.from({ length: width - 6 }, (_, index) => index + 6)
    .every((at) => texts.has(at) || volumes.isWhole(at));
  return isClear ? columns : ask("several may be the volume");
}
