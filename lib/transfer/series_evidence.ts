/** Gathers what a file's rows of one series prove, and refuses those that cannot be that series. @module */
import { checkRow, type RejectedCandle } from "../market/candle.ts";
import { hasSpacedThousands } from "../market/csv_number.ts";
import { type Price, priceOf } from "../market/price.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { PlainRow } from "../market/plain_row.ts";
import { addCandles, countCandles, isAligned, nominalMs } from "../market/timeframe.ts";
import { printable } from "../text/printable.ts";
import { duration, type Spacing } from "./row_spacing.ts";

/** A row of one series. */
interface EvidenceRow extends RowTime {
  readonly values: readonly string[];
}

interface RowTime {
  readonly line: number;
  readonly timeMs: number;
  /** Whether the row is left out: it has no values, or its candle had not closed. */
  readonly isLeftOut: boolean;
  /** When the candle closes, as the file says it; undefined if it does not. */
  readonly closeMs: number | undefined;
}

/** Rows that fail the checks are kept apart; where more do, the columns are not what they are called. */
const REJECTED_SHARE_MAX = 0.1;

/** What makes readable numbers of a row's values, where that is known. The row is JSON, which may have been cut. */
function advice(row: string): string {
  const values = [...row.matchAll(/"([^"\\]*)"/g)].map(([, value]) => value!);
  if (values.some(hasSpacedThousands)) {
    return ". If these are marks between thousands, say the decimal mark with --decimal . or --decimal ,";
  }
  const isNumber = (text: string): boolean => text.trim() !== "" && Number.isFinite(Number(text));
  return values.length === 5 && values.slice(0, 4).every(isNumber) && !isNumber(values[4]!)
    ? ". Where prices stand, a volume is needed: write 0 where nothing was traded, or remove these rows"
    : "";
}

/** Candles of one block of the map of times. */
const BLOCK = 4096;

/** 128 million candles: their marks take half a gigabyte. */
const BLOCKS_MAX = 32_768;

/** The memory for the marks of one file. Its series share it, however many they are. */
export class MarkMemory {
  #blocksLeft: number;

  constructor(blocksMax: number = BLOCKS_MAX) {
    this.#blocksLeft = blocksMax;
  }

  /** A block of marks; undefined when there is no more. */
  take(): Uint32Array | undefined {
    if (this.#blocksLeft === 0) return undefined;
    this.#blocksLeft--;
    return new Uint32Array(BLOCK);
  }
}

export class SeriesEvidence {
  readonly #series: Series;
  readonly #price: Price;
  readonly #memory: MarkMemory;
  /** The first thing that is wrong, with its line. */
  #fault: string | undefined;
  #rows = 0;
  /** Rows whose prices differ: only they tell one column from another. */
  #told = 0;
  /** Whether a row has a volume. */
  #hasVolume = false;
  readonly #rejected: { rows: number; example: RejectedCandle | undefined } = {
    rows: 0,
    example: undefined,
  };
  #lastMs = -Infinity;
  readonly #closes: { rows: number; line: number; atMs: number; lengthMs: number } = {
    rows: 0,
    line: 0,
    atMs: 0,
    lengthMs: 0,
  };
  #hasCloses = false;
  /** A mark of each candle's values by its time: two rows of one time must say the same. */
  readonly #marks = new Map<number, Uint32Array>();

  /** @param place How people find a line. */
  constructor(
    series: Series,
    memory: MarkMemory,
    readonly place: (line: number) => string = (line) => `line ${line}`,
  ) {
    this.#series = series;
    this.#price = priceOf(series.symbol);
    this.#memory = memory;
  }

  get lastMs(): number {
    return this.#lastMs;
  }

  add(row: EvidenceRow): void {
    if (!this.#addTime(row)) return;
    const { line, timeMs } = row;
    this.#addMark(row, markOf(row.values));
    const [open, high, low, close] = row.values;
    if (high !== open || low !== open || close !== open) this.#told++;
    if (Number(row.values[4]) !== 0) this.#hasVolume = true;
    const price = this.#price;
    if (price !== "trade" && Number(row.values[4]) > 0) {
      this.#fault = `${this.place(line)} has a volume of ${
        row.values[4]
      }: nobody trades a ${price} price`;
      return;
    }
    const { rejected } = checkRow(this.#series.timeframe, [timeMs, ...row.values], price);
    if (rejected === undefined) return;
    this.#rejected.rows++;
    this.#rejected.example ??= rejected;
  }

  /** The same of a candle of trades: see `isPlainCandle`. */
  addPlain(time: RowTime, row: PlainRow, values: readonly number[]): void {
    if (!this.#addTime(time)) return;
    this.#addMark(time, plainMark(row, values));
    const open = values[0]!;
    if (
      !row.isSame(values[1]!, open) || !row.isSame(values[2]!, open) ||
      !row.isSame(values[3]!, open)
    ) this.#told++;
    if (row.numbers[values[4]!] !== 0) this.#hasVolume = true;
  }

  /** Whether the row's values count. */
  #addTime(row: RowTime): boolean {
    if (this.#fault !== undefined) return false;
    const { timeframe } = this.#series;
    const { timeMs, line } = row;
    this.#rows++;
    if (!isAligned(timeframe, timeMs)) {
      this.#fault =
        `${this.place(line)} opens at ${iso(timeMs)}, where no candle of ${timeframe.text} opens ` +
        "(time_not_aligned): the file has another timeframe, or its times another time zone. " +
        "Say the zone with --timezone, or --time-is close if they are when candles close";
      return false;
    }
    this.#lastMs = Math.max(this.#lastMs, timeMs);
    if (row.closeMs !== undefined) this.#addClose(row, row.closeMs);
    return !row.isLeftOut;
  }

  /** Notes that a row cannot belong to this series. */
  doubt(why: string): void {
    this.#fault ??= why;
  }

  /**
   * The open time of a last candle that had not closed when the file was written, if there is one.
   *
   * @throws Error when these rows cannot be candles of the series.
   */
  judge({ writtenMs, isNamed, spacing }: {
    readonly writtenMs: number | undefined;
    /** Whether the file itself names the timeframe. */
    readonly isNamed: boolean;
    /** Of all rows of the file, other instruments included. */
    readonly spacing: Spacing;
  }): number | undefined {
    const { timeframe } = this.#series;
    const lastMs = this.#lastMs;
    const closes = this.#closes;
    const isLastOpen = this.#fault === undefined && closes.rows === 1 && closes.atMs === lastMs &&
      this.#rows > 1 &&
      closes.lengthMs < nominalMs(timeframe);
    if (closes.rows > 0 && !isLastOpen) {
      this.refuse(
        `the close time in ${this.place(closes.line)} says that a candle is ${
          duration(closes.lengthMs)
        } long: ` +
          `the file's timeframe is not ${timeframe.text}`,
      );
    }
    if (this.#fault !== undefined) this.refuse(this.#fault);
    const { rows, example } = this.#rejected;
    if (rows === this.#rows || (rows > 1 && rows > this.#told * REJECTED_SHARE_MAX)) {
      this.refuse(
        `${rows} of its ${this.#rows} rows fail the checks, such as ${printable(example!.row)} (${
          example!.reason
        })${advice(example!.row)}`,
      );
    }
    if (this.#told > 0 && !this.#hasVolume && priceOf(this.#series.symbol) === "trade") {
      this.refuse(
        "it has no volume in any row, though its prices move: these are not the prices of trades. Those of a contract's " +
          "mark, index and premium have a symbol of their own, such as BTC/USDT:USDT@mark. Set it with --symbol",
      );
    }
    if (!isNamed && !this.#hasCloses) {
      const why = spacing.longerTimeframe();
      if (why !== undefined) this.refuse(why);
    }
    if (isLastOpen) return lastMs;
    const isForming = writtenMs !== undefined && writtenMs >= lastMs &&
      writtenMs < addCandles(timeframe, lastMs, 1);
    return isForming ? lastMs : undefined;
  }

  /** @throws Error always. */
  refuse(why: string): never {
    throw new Error(
      `Cannot import candles of ${printable(seriesName(this.#series))}: ${why}. Nothing was stored`,
    );
  }

  #addClose({ timeMs, line }: RowTime, closeMs: number): void {
    const { timeframe } = this.#series;
    this.#hasCloses = true;
    const earlyMs = addCandles(timeframe, timeMs, 1) - closeMs;
    if (earlyMs >= 0 && earlyMs <= Math.min(1_000, nominalMs(timeframe) / 2)) return;
    // The newest of several may be one that was still open.
    if (this.#closes.rows === 0 || timeMs > this.#closes.atMs) {
      this.#closes.line = line;
      this.#closes.atMs = timeMs;
      this.#closes.lengthMs = closeMs - timeMs;
    }
    this.#closes.rows++;
  }

  #addMark({ timeMs, line }: RowTime, mark: number): void {
    const index = countCandles(this.#series.timeframe, 0, timeMs);
    const block = Math.floor(index / BLOCK);
    let marks = this.#marks.get(block);
    if (marks === undefined) {
      marks = this.#memory.take();
      if (marks === undefined) {
        this.#fault = `the file has too many candles, or too far apart, at ${
          this.place(line)
        }. Split it into several files`;
        return;
      }
      this.#marks.set(block, marks);
    }
    const at = Math.floor(index - block * BLOCK);
    const known = marks[at]!;
    marks[at] = mark;
    if (known === 0 || known === mark) return;
    this.#fault =
      `${this.place(line)} is a second row for ${iso(timeMs)}, with other values: the file holds ` +
      "several instruments, or revised candles. Leave one of each";
  }
}

/** A hash (FNV-1a) that is never 0. */
function markOf(values: readonly string[]): number {
  let hash: number = FNV_BASIS;
  for (const value of values) {
    for (let at = 0; at < value.length; at++) {
      hash = Math.imul(hash ^ value.charCodeAt(at), FNV_PRIME);
    }
    hash = Math.imul(hash ^ COMMA, FNV_PRIME);
  }
  return (hash >>> 0) || 1;
}

/** The same of fields. */
function plainMark({ bytes, starts, ends }: PlainRow, values: readonly number[]): number {
  let hash: number = FNV_BASIS;
  for (let value = 0; value < values.length; value++) {
    const end = ends[values[value]!]!;
    for (let at = starts[values[value]!]!; at < end; at++) {
      hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
    }
    hash = Math.imul(hash ^ COMMA, FNV_PRIME);
  }
  return (hash >>> 0) || 1;
}

const [FNV_BASIS, FNV_PRIME, COMMA] = [0x811c9dc5, 0x01000193, 44] as const;

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
