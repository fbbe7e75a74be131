/** Reads all rows of a file once, and gathers what they prove of its columns. @module */
import type { CsvColumns } from "../market/csv_candle.ts";
import { OrderClaim, OrderProof } from "../market/csv_layout.ts";
import { CountClaim, VolumeProof } from "../market/csv_volume.ts";
import { DecimalProof, type NumberStyle, plainNumber } from "../market/csv_number.ts";
import type { TimeStyle } from "../market/csv_time.ts";
import { PLAIN_TIMES, type TimeFormat } from "../market/csv_time_format.ts";
import type { FileHead } from "./file_head.ts";
import type { PlainRow } from "../market/plain_row.ts";
import type { FileLine, LineFile } from "./file_lines.ts";
import { failLine, type FieldRow } from "./file_rows.ts";
import { eachRow } from "./plain_rows.ts";
import { plainMs, plainStyle, timeText } from "./row_time.ts";

/** Columns as something claims them, and what the rows say of that. */
export interface Claim {
  readonly columns: CsvColumns;
  readonly order: OrderClaim;
  readonly volumes: VolumeProof;
  readonly counts: CountClaim;
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
  /** Columns that hold something else than numbers. */
  readonly words: ReadonlySet<number>;
  /** The first field of the first row, if it is no time. */
  readonly noTime: string | undefined;
}

/** Fewer rows do not show how many decimals the file has. */
const ROWS_MIN = 10;

/** Columns of rows that nothing names: time, four prices, and any more. */
const PRICES = [1, 2, 3, 4];

interface SurveyOptions {
  readonly head: FileHead;
  /** Columns that the rows may have, by their width. Only those of the head count, if that has names. */
  readonly claims: (width: number) => readonly CsvColumns[];
  /** Whether a single claim is what the columns are, or the file is refused: then nothing else has to be proved. */
  readonly isClaimed: boolean;
  readonly numbers: NumberStyle | undefined;
  readonly timeFormat: TimeFormat | undefined;
}

/** One pass over all rows. */
export async function survey(
  file: LineFile,
  options: SurveyOptions,
): Promise<Survey> {
  const proof = new SurveyProof(file, options);
  await eachRow(file, options.head, {
    plain: (row, number) => proof.addPlain(row, number),
    text: (row) => proof.add(row),
  });
  return proof.survey();
}

/** Gathers what rows prove. Its `add` runs for each row of a file. */
class SurveyProof {
  readonly #file: LineFile;
  readonly #options: SurveyOptions;
  readonly #timeFormat: TimeFormat;
  readonly #decimals = new DecimalProof();
  readonly #order = new OrderProof();
  readonly #words = new Set<number>();
  #claims: readonly Claim[] = [];
  /** Those of which no two are of the same columns. */
  #different: readonly Claim[] = [];
  /** Whether what the columns are is to be proved without a claim. */
  #isOpen = true;
  /** The columns of which numbers are needed. */
  #needed: readonly number[] = [];
  #volumes = new VolumeProof([]);
  /** Of the row that is added; NaN of columns of which none is needed. */
  #numbers = new Float64Array();
  #rows = 0;
  #width = 0;
  #fraction = 0;
  #fractionMax = 0;
  #hasCloseTime = true;
  #last: Survey["last"];
  #noTime: string | undefined;
  /** The time that was read last: several claims mostly have it in the same column. */
  #time: { readonly text: string; readonly timeMs: number } = { text: "", timeMs: NaN };

  constructor(file: LineFile, options: SurveyOptions) {
    this.#file = file;
    this.#options = options;
    this.#timeFormat = options.timeFormat ?? PLAIN_TIMES;
  }

  add({ line, fields }: FieldRow): void {
    if (this.#rows++ === 0) this.#begin(fields.length);
    if (fields.length !== this.#width) {
      failLine(this.#file, line, this.#otherWidth(fields.length));
    }
    this.#last = line;
    const { text } = line;
    this.#fraction = decimalsBefore(text.length, (at) => text.charCodeAt(at));
    if (line.isEnded) this.#fractionMax = Math.max(this.#fractionMax, this.#fraction);
    const texts = this.#texts(line, fields);
    const numbers = this.#numbers;
    for (const at of this.#needed) numbers[at] = Number(texts[at]);
    for (const { columns, order, volumes, counts } of this.#different) {
      const timeMs = this.#openTime(timeText(fields, columns));
      const { instrument } = columns;
      if (instrument.length === 0) order.add(timeMs, numbers);
      else order.add(timeMs, numbers, instrument.map((at) => fields[at]).join());
      counts.add(texts);
      volumes.add(texts, { ...bounds(columns.values, numbers), numbers });
    }
    if (this.#isOpen) this.#addUnnamed(fields, { texts, numbers });
  }

  #otherWidth(width: number): string {
    const why = `it has ${width} fields, ${this.#width} are expected`;
    const { head } = this.#options;
    if (width === 1) return `${why}. If it is a note, remove the line`;
    return this.#rows === 1 && head.hasNames
      ? `${why}, as ${this.#file.place(head.number)} names them. Leave the names out with ` +
        `--skip-lines ${head.lastLine}, and name all columns with --columns, with a - for each to leave out`
      : why;
  }

  /** The same of a row of numbers. False: it has to be added as text. */
  addPlain(row: PlainRow, number: number): boolean {
    const { numbers } = row;
    const isKnown = this.#rows > 0 && row.width === this.#width && !(this.#isOpen && row.width < 6);
    if (!isKnown || this.#options.numbers !== undefined || !this.#hasPoints(row)) return false;
    this.#rows++;
    this.#last = { number, isEnded: true };
    this.#fraction = decimalsBefore(row.end, (at) => row.bytes[at]!);
    this.#fractionMax = Math.max(this.#fractionMax, this.#fraction);
    row.readNumbers(this.#needed);
    for (const { columns, order, volumes, counts } of this.#different) {
      const timeMs = this.#plainMs(row, columns);
      const { instrument } = columns;
      if (instrument.length === 0) order.add(timeMs, numbers);
      else order.add(timeMs, numbers, instrument.map((at) => row.text(at)).join());
      counts.addPlain(row);
      volumes.addPlain(row, columns.values);
    }
    if (this.#isOpen) this.#addUnnamedPlain(row);
    return true;
  }

  /** Whether all decimal marks are points, those of this row included. */
  #hasPoints(row: PlainRow): boolean {
    const { head } = this.#options;
    if (head.separator === ",") return !this.#decimals.hasCommas;
    for (const at of head.columns?.values ?? [...PRICES, 5]) {
      if (at < 0 || at >= row.width) continue;
      const decimals = row.decimals[at]!;
      if (decimals >= 0) this.#decimals.addPlain(decimals > 0);
      else this.#decimals.add(row.text(at));
    }
    return !this.#decimals.hasCommas;
  }

  survey(): Survey {
    return {
      rows: this.#rows,
      width: this.#width,
      numbers: this.#options.numbers ?? this.#decimals.style(),
      order: this.#order,
      volumes: this.#volumes,
      claims: this.#claims,
      last: this.#last,
      isLastWhole: this.#rows > ROWS_MIN && this.#fractionMax > 0 &&
        this.#fraction >= this.#fractionMax,
      hasCloseTime: this.#hasCloseTime,
      noTime: this.#noTime,
      words: this.#words,
    };
  }

  #begin(width: number): void {
    const { head, claims } = this.#options;
    this.#width = head.columns?.width ?? width;
    this.#numbers = new Float64Array(this.#width).fill(NaN);
    const known = new Map<string, Claim>();
    this.#claims = (head.columns === undefined ? claims(this.#width) : [head.columns]).map(
      (columns) => {
        const [volumes, key] = [
          [columns.values[4]!, ...columns.turnovers],
          JSON.stringify(columns),
        ];
        const claim = known.get(key) ?? {
          columns,
          order: new OrderClaim(columns.values.slice(0, 4)),
          volumes: new VolumeProof(volumes.filter((at) => at >= 0)),
          counts: new CountClaim(columns.counts ?? []),
        };
        known.set(key, claim);
        return claim;
      },
    );
    this.#different = [...known.values()];
    const isClaimed = this.#options.isClaimed && this.#different.length === 1;
    this.#isOpen = head.columns === undefined && !isClaimed;
    this.#needed = this.#isOpen
      ? Array.from({ length: width }, (_, at) => at)
      : this.#different.flatMap(({ columns: { values, turnovers } }) =>
        [...values, ...turnovers].filter((at) => at >= 0)
      );
    this.#volumes = new VolumeProof(
      Array.from({ length: Math.max(0, this.#width - 5) }, (_, index) => index + 5),
    );
  }

  /** The fields, with a decimal point in numbers. */
  #texts({ text }: FileLine, fields: readonly string[]): readonly string[] {
    const { head, numbers } = this.#options;
    if (numbers !== undefined) return fields.map((field) => plainNumber(field, numbers) ?? "");
    if (head.separator !== "," || text.includes('"')) {
      for (const at of head.columns?.values ?? [...PRICES, 5]) this.#decimals.add(fields[at] ?? "");
    }
    return this.#decimals.hasCommas ? fields.map((field) => field.replace(",", ".")) : fields;
  }

  #addUnnamed(
    fields: readonly string[],
    { texts, numbers }: { readonly texts: readonly string[]; readonly numbers: Float64Array },
  ): void {
    for (const at of PRICES) if (Number.isNaN(numbers[at])) this.#words.add(at);
    for (let at = 5; at < fields.length; at++) if (Number.isNaN(numbers[at])) this.#words.add(at);
    this.#volumes.add(texts, { ...bounds(PRICES, numbers), numbers });
    this.#order.add(this.#openTime(fields[0] ?? ""), [...numbers]);
    if (!this.#hasCloseTime) return;
    const timeFormat = this.#timeFormat;
    const time = timeFormat.read(fields[0] ?? "", undefined);
    if (time === undefined && this.#rows === 1) this.#noTime = fields[0];
    const closed = timeFormat.read(fields[6] ?? "", undefined);
    const isClose = time !== undefined && closed !== undefined && "style" in time &&
      "style" in closed && closed.style === time.style && closed.timeMs > time.timeMs;
    if (!isClose) this.#hasCloseTime = false;
  }

  #addUnnamedPlain(row: PlainRow): void {
    const { numbers, width } = row;
    for (const at of PRICES) if (Number.isNaN(numbers[at])) this.#words.add(at);
    for (let at = 5; at < width; at++) if (Number.isNaN(numbers[at])) this.#words.add(at);
    this.#volumes.addPlain(row, PRICES);
    this.#order.add(this.#plainMs(row, FIRST_COLUMN), [...numbers.subarray(0, 5)]);
    if (!this.#hasCloseTime) return;
    const isClose = width > 6 &&
      this.#plainMs(row, SEVENTH_COLUMN) > this.#plainMs(row, FIRST_COLUMN) &&
      this.#plainStyle(row, SEVENTH_COLUMN) === this.#plainStyle(row, FIRST_COLUMN);
    if (!isClose) this.#hasCloseTime = false;
  }

  /** NaN where a row has no time. */
  #plainMs(row: PlainRow, columns: Pick<CsvColumns, "time" | "clock">): number {
    return plainMs(row, { columns, timeFormat: this.#timeFormat, zone: undefined });
  }

  #plainStyle(row: PlainRow, columns: Pick<CsvColumns, "time" | "clock">): TimeStyle | undefined {
    return plainStyle(row, { columns, timeFormat: this.#timeFormat, zone: undefined });
  }

  /** NaN where a text is no time. */
  #openTime(text: string): number {
    if (this.#time.text === text) return this.#time.timeMs;
    const time = this.#timeFormat.read(text, undefined);
    const timeMs = time === undefined || "times" in time ? NaN : time.timeMs;
    this.#time = { text, timeMs };
    return timeMs;
  }
}

const FIRST_COLUMN = { time: 0, clock: undefined };
const SEVENTH_COLUMN = { time: 6, clock: undefined };

/** The lowest and the highest of four prices. */
function bounds(
  [a, b, c, d]: readonly number[],
  numbers: ArrayLike<number>,
): { readonly low: number; readonly high: number } {
  const [open, high, low, close] = [numbers[a!]!, numbers[b!]!, numbers[c!]!, numbers[d!]!];
  return { low: Math.min(open, high, low, close), high: Math.max(open, high, low, close) };
}

/** How many decimals the number has with which a line ends. */
function decimalsBefore(end: number, code: (at: number) => number): number {
  let at = end - 1;
  while (at >= 0 && code(at) >= 48 && code(at) <= 57) at--;
  const isMark = at >= 0 && (code(at) === POINT || code(at) === COMMA);
  return isMark ? end - 1 - at : 0;
}

const [POINT, COMMA] = [46, 44];
