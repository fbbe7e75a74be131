/** Reads all rows of a file once, and gathers what they prove of its columns. @module */
import type { CsvColumns } from "../market/csv_candle.ts";
import { OrderClaim, OrderProof, VolumeProof } from "../market/csv_layout.ts";
import { DecimalProof, type NumberStyle, plainNumber } from "../market/csv_number.ts";
import { PLAIN_TIMES, type TimeFormat } from "../market/csv_time_format.ts";
import type { FileHead } from "./file_head.ts";
import type { LineFile } from "./file_lines.ts";
import { failLine, fieldRows, timeText } from "./file_rows.ts";

/** Columns as something claims them, and what the rows say of that. */
export interface Claim {
  readonly columns: CsvColumns;
  readonly order: OrderClaim;
  readonly volumes: VolumeProof;
}

export interface Survey {
  readonly rows: number;
  readonly width: number;
  /** How numbers are written; a text is one that may mean two numbers. */
  readonly numbers: NumberStyle | string;
  /** Of columns without names. */
  readonly order: OrderProof;
  readonly volumes: VolumeProof;
  readonly claims: readonly Claim[];
  readonly last: { readonly number: number; readonly isEnded: boolean } | undefined;
  /** Whether the last field of the last line has as many decimals as any: it was not cut. */
  readonly isLastWhole: boolean;
  /** Whether the seventh column is when the candle closes. */
  readonly hasCloseTime: boolean;
  /** The first field of the first row, if it is no time. */
  readonly noTime: string | undefined;
  /** Columns that hold something else than numbers. */
  readonly words: ReadonlySet<number>;
}

/** Fewer rows do not show how many decimals the file has. */
const ROWS_MIN = 10;

/** Columns of rows that nothing names: time, four prices, and any more. */
const PRICES = [1, 2, 3, 4];

/**
 * One pass over all rows.
 *
 * @param options.claims Columns that the rows may have, by their width. Only those of the head, if that has names.
 */
export async function survey(
  file: LineFile,
  { head, claims, numbers, timeFormat = PLAIN_TIMES }: {
    readonly head: FileHead;
    readonly claims: (width: number) => readonly CsvColumns[];
    readonly numbers: NumberStyle | undefined;
    readonly timeFormat: TimeFormat | undefined;
  },
): Promise<Survey> {
  const decimals = new DecimalProof();
  const order = new OrderProof();
  let claimed: readonly Claim[] = [];
  let volumes = new VolumeProof([]);
  let [rows, width, fractionMax, fraction, hasCloseTime] = [0, 0, 0, 0, true];
  let last: Survey["last"];
  let noTime: string | undefined;
  const words = new Set<number>();
  for await (const { line, fields } of fieldRows(file, head)) {
    if (rows++ === 0) {
      width = head.columns?.width ?? fields.length;
      claimed = (head.columns === undefined ? claims(width) : [head.columns]).map((columns) => ({
        columns,
        order: new OrderClaim(columns.values.slice(0, 4)),
        volumes: new VolumeProof([columns.values[4]!, ...columns.turnovers].filter((at) => at >= 0)),
      }));
      volumes = new VolumeProof(
        Array.from({ length: Math.max(0, width - 5) }, (_, index) => index + 5),
      );
    }
    if (fields.length !== width) {
      failLine(file, line, `it has ${fields.length} fields, ${width} are expected`);
    }
    const mayHaveCommas = head.separator !== "," || line.text.includes('"');
    last = line;
    fraction = /[.,](\d+)$/.exec(line.text)?.[1]?.length ?? 0;
    if (line.isEnded) fractionMax = Math.max(fractionMax, fraction);
    if (numbers === undefined && mayHaveCommas) {
      for (const at of head.columns?.values ?? [...PRICES, 5]) decimals.add(fields[at] ?? "");
    }
    const texts = numbers !== undefined
      ? fields.map((field) => plainNumber(field, numbers) ?? "")
      : decimals.hasCommas
      ? fields.map((field) => field.replace(",", "."))
      : fields;
    const read = texts.map(Number);
    for (const claim of claimed) {
      claim.order.add(openTime(timeText(fields, claim.columns), timeFormat), read);
      claim.volumes.add(texts, prices(claim.columns.values.slice(0, 4), read));
    }
    if (head.columns !== undefined) continue;
    for (const at of PRICES) if (Number.isNaN(read[at])) words.add(at);
    for (let at = 5; at < fields.length; at++) if (Number.isNaN(read[at])) words.add(at);
    volumes.add(texts, prices(PRICES, read));
    const [time, closed] = [timeFormat.read(fields[0] ?? "", undefined), timeFormat.read(fields[6] ?? "", undefined)];
    if (rows === 1 && time === undefined) noTime = fields[0];
    order.add(openTime(fields[0] ?? "", timeFormat), read);
    const isClose = time !== undefined && closed !== undefined && "style" in time && "style" in closed &&
      closed.style === time.style && closed.timeMs > time.timeMs;
    if (!isClose) hasCloseTime = false;
  }
  return {
    rows,
    width,
    numbers: numbers ?? decimals.style(),
    order,
    volumes,
    claims: claimed,
    last,
    isLastWhole: rows > ROWS_MIN && fractionMax > 0 && fraction >= fractionMax,
    hasCloseTime,
    noTime,
    words,
  };
}

/** The lowest and the highest price of a row. */
function prices(
  columns: readonly number[],
  numbers: readonly number[],
): { readonly low: number; readonly high: number } {
  const four = columns.map((at) => numbers[at] ?? NaN);
  return {
    low: four.reduce((a, b) => Math.min(a, b)),
    high: four.reduce((a, b) => Math.max(a, b)),
  };
}

/** NaN where a text is no time. */
function openTime(text: string, format: TimeFormat): number {
  const time = format.read(text, undefined);
  return time === undefined || "times" in time ? NaN : time.timeMs;
}
