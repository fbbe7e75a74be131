/** Candles of one series as columns of bytes: what is sent to the database, without an object for each. @module */
import type { Candle } from "./candle.ts";
import type { PlainRow } from "./plain_row.ts";
import { isAligned, type Timeframe } from "./timeframe.ts";

/** Candles for which there is room at first. */
const ROWS_MIN = 64;

/** Bytes of a column at first, for each candle. */
const VALUE_BYTES = 16;

const [COMMA, ZERO] = [44, 48] as const;

/** A time in milliseconds is written in two halves, which are small integers. */
const DIGITS = 7;
const TEN_MILLION = 10 ** DIGITS;
const LENGTH_MAX = 2 * DIGITS + 1;

const VALUES = ["open", "high", "low", "close", "volume"] as const;

const decoder = new TextDecoder();

/**
 * Whether the values of a row, in this order, are those of a candle of trades: what `checkRow` takes as one. It never says so
 * of a row that `checkRow` rejects; a few that it takes are left to it, such as two prices that differ by less than a double.
 */
export function isPlainCandle(row: PlainRow, values: readonly number[]): boolean {
  // This runs for each row of a file, so it makes no arrays.
  const open = values[0]!;
  const high = values[1]!;
  const low = values[2]!;
  const close = values[3]!;
  const { numbers, decimals } = row;
  if (
    decimals[open]! < 0 || decimals[high]! < 0 || decimals[low]! < 0 || decimals[close]! < 0 ||
    decimals[values[4]!]! < 0
  ) return false;
  row.readNumbers(values);
  const o = numbers[open]!;
  const h = numbers[high]!;
  const l = numbers[low]!;
  const c = numbers[close]!;
  // A price that is zero as a double may still be a positive number. No number of so few digits is infinite.
  return o > 0 && l > 0 && c > 0 &&
    (h > o || (h === o && row.isSame(high, open))) &&
    (h > c || (h === c && row.isSame(high, close))) &&
    (l < o || (l === o && row.isSame(low, open))) &&
    (l < c || (l === c && row.isSame(low, close)));
}

/** Ascending candles, one of each time. */
export class CandleRun {
  readonly timeframe: Timeframe;
  #count = 0;
  #times: Float64Array<ArrayBuffer>;
  readonly #timeTexts: Column;
  readonly #columns: readonly Column[];

  /** @param like A run of about as many candles that are as long. */
  constructor(timeframe: Timeframe, like?: CandleRun) {
    this.timeframe = timeframe;
    this.#times = new Float64Array(like?.length ?? 0);
    this.#timeTexts = new Column(like === undefined ? undefined : like.#timeTexts);
    this.#columns = VALUES.map((_, at) =>
      new Column(like === undefined ? undefined : like.#columns[at])
    );
  }

  /** A run of candles that are objects. */
  static of(timeframe: Timeframe, candles: readonly Candle[]): CandleRun {
    const run = new CandleRun(timeframe);
    for (const candle of candles) {
      run.#addTime(candle.openTimeMs);
      VALUES.forEach((name, at) => run.#columns[at]!.addText(candle[name] ?? NOTHING));
    }
    return run;
  }

  get length(): number {
    return this.#count;
  }

  /** The open times. Milliseconds. */
  get times(): Float64Array {
    return this.#times.subarray(0, this.#count);
  }

  get firstMs(): number {
    return this.#count === 0 ? Infinity : this.#times[0]!;
  }

  get lastMs(): number {
    return this.#count === 0 ? -Infinity : this.#times[this.#count - 1]!;
  }

  /**
   * Takes a row, if {@linkcode isPlainCandle} says that it is a candle, and if it opens after all others.
   *
   * @returns whether it was taken.
   */
  add(row: PlainRow, timeMs: number, values: readonly number[]): boolean {
    if (!(timeMs > this.lastMs) || !isAligned(this.timeframe, timeMs)) return false;
    if (!isPlainCandle(row, values)) return false;
    this.#addTime(timeMs);
    for (let at = 0; at < VALUES.length; at++) this.#columns[at]!.addField(row, values[at]!);
    return true;
  }

  candle(at: number): Candle {
    const text = (column: number): string => this.#columns[column]!.text(at, at + 1);
    const volume = text(4);
    return {
      openTimeMs: this.#times[at]!,
      open: text(0),
      high: text(1),
      low: text(2),
      close: text(3),
      volume: volume === NOTHING ? null : volume,
    };
  }

  /** Those of which the open time is wanted. */
  only(isWanted: (openTimeMs: number) => boolean): CandleRun {
    const { times } = this;
    if (times.every(isWanted)) return this;
    const wanted = [...times.keys()].filter((at) => isWanted(times[at]!));
    return CandleRun.of(this.timeframe, wanted.map((at) => this.candle(at)));
  }

  /** The values from one candle to another, separated by commas: open, high, low, close, volume. */
  texts(from: number, to: number): readonly string[] {
    return this.#columns.map((column) => column.text(from, to));
  }

  /** The same of the open times. */
  timesText(from: number, to: number): string {
    return this.#timeTexts.text(from, to);
  }

  #addTime(timeMs: number): void {
    if (this.#count === this.#times.length) {
      const grown = new Float64Array(Math.max(ROWS_MIN, this.#count * 2));
      grown.set(this.#times);
      this.#times = grown;
    }
    this.#times[this.#count++] = timeMs;
    this.#timeTexts.addWhole(timeMs);
  }
}

/** How a statement is told that there is no value. */
const NOTHING = "NULL";

/** The texts of one value, with a comma behind each. */
class Column {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;
  #ends: Int32Array<ArrayBuffer>;
  #count = 0;

  constructor(like: Column | undefined) {
    this.#bytes = new Uint8Array(like === undefined ? 0 : like.#length);
    this.#ends = new Int32Array(like === undefined ? 0 : like.#count);
  }

  addField(row: PlainRow, field: number): void {
    const { bytes } = row;
    const start = row.starts[field]!;
    const end = row.ends[field]!;
    this.#grow(end - start + 1);
    const target = this.#bytes;
    let to = this.#length;
    for (let at = start; at < end; at++) target[to++] = bytes[at]!;
    this.#end(to);
  }

  addText(text: string): void {
    this.#grow(text.length + 1);
    let to = this.#length;
    for (let at = 0; at < text.length; at++) this.#bytes[to++] = text.charCodeAt(at);
    this.#end(to);
  }

  /** A whole number. */
  addWhole(value: number): void {
    if (!(value >= TEN_MILLION && value < TEN_MILLION * TEN_MILLION)) {
      return this.addText(String(value));
    }
    this.#grow(LENGTH_MAX);
    const high = Math.floor(value / TEN_MILLION);
    let left = value - high * TEN_MILLION;
    let at = this.#length + digitsOf(high) + DIGITS;
    const end = at;
    for (let count = 0; count < DIGITS; count++) {
      this.#bytes[--at] = ZERO + left % 10;
      left = Math.floor(left / 10);
    }
    for (left = high; left > 0; left = Math.floor(left / 10)) this.#bytes[--at] = ZERO + left % 10;
    this.#end(end);
  }

  text(from: number, to: number): string {
    if (to <= from) return "";
    const start = from === 0 ? 0 : this.#ends[from - 1]! + 1;
    return decoder.decode(this.#bytes.subarray(start, this.#ends[to - 1]!));
  }

  #grow(bytes: number): void {
    if (this.#count === this.#ends.length) {
      const grown = new Int32Array(Math.max(ROWS_MIN, this.#count * 2));
      grown.set(this.#ends);
      this.#ends = grown;
    }
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(
      Math.max(this.#length + bytes, this.#bytes.length * 2, this.#ends.length * VALUE_BYTES),
    );
    grown.set(this.#bytes);
    this.#bytes = grown;
  }

  #end(at: number): void {
    this.#ends[this.#count++] = at;
    this.#bytes[at] = COMMA;
    this.#length = at + 1;
  }
}

function digitsOf(value: number): number {
  let digits = 0;
  for (let left = value; left > 0; left = Math.floor(left / 10)) digits++;
  return digits;
}
