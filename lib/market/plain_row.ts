/**
 * Reads rows of plain numbers from bytes, without a text for each field: most files of candles have no others, and making
 * such texts costs more than all that is done with them.
 * @module
 */

/** Stands for a line that is to be read as text. */
const ODD_LINE = -1;

/** More columns than any file of candles has. */
const FIELDS_MAX = 64;

/** Longer fields are read as text. */
const LENGTH_MAX = 40;

/** So many digits are an integer of 32 bits, and twice as many two of them. */
const SMALL_DIGITS = 9;

/** Powers of ten that a double holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

const SEPARATORS = ",;|\t";

const [LF, CR, SPACE, QUOTE, POINT, ZERO, NINE, TILDE] = [10, 13, 32, 34, 46, 48, 57, 126] as const;

/** The fields of one line. It is used again for the next line. */
export class PlainRow {
  /** What was read last: whole lines. */
  bytes: Uint8Array = new Uint8Array();
  /** How many fields the line has. */
  width = 0;
  /** Where the line ends: before `\n` or `\r\n`. */
  end = 0;
  /** Where each field begins and ends. */
  readonly starts = new Int32Array(FIELDS_MAX);
  readonly ends = new Int32Array(FIELDS_MAX);
  /** How many decimals a field has that is only digits, or digits with decimals; −1 of others. */
  readonly decimals = new Int32Array(FIELDS_MAX);
  /** What `readNumbers` has read. */
  readonly numbers = new Float64Array(FIELDS_MAX);
  readonly #separator: number;
  /** The last text of each field: that of an instrument is the same in most lines. */
  readonly #texts: string[] = new Array(FIELDS_MAX).fill("");

  private constructor(separator: number) {
    this.#separator = separator;
  }

  /** For lines with this separator; undefined if all of them are to be read as text. */
  static separatedBy(separator: string): PlainRow | undefined {
    return separator.length === 1 && SEPARATORS.includes(separator)
      ? new PlainRow(separator.charCodeAt(0))
      : undefined;
  }

  /**
   * Reads the line that begins at `from`.
   *
   * @param bytes Whole lines, each with `\n` at its end.
   * @returns where that `\n` is, or −1 where the line has quotes, or anything but printable ASCII.
   */
  read(bytes: Uint8Array, from: number): number {
    this.bytes = bytes;
    const separator = this.#separator;
    const { starts, ends, decimals } = this;
    // This runs for each byte of a file, several times: all that it needs is in local variables.
    for (let field = 0, at = from; field < FIELDS_MAX; field++, at++) {
      const start = at;
      let code = bytes[at]!;
      while (code >= ZERO && code <= NINE) code = bytes[++at]!;
      let places = at === start ? -1 : 0;
      if (code === POINT && places === 0) {
        const point = at;
        code = bytes[++at]!;
        while (code >= ZERO && code <= NINE) code = bytes[++at]!;
        places = at - point - 1 || -1;
      }
      while (code !== separator && code !== LF && code !== CR) {
        if (code < SPACE || code > TILDE || code === QUOTE) return ODD_LINE;
        places = -1;
        code = bytes[++at]!;
      }
      starts[field] = start;
      ends[field] = at;
      decimals[field] = at - start > LENGTH_MAX ? -1 : places;
      if (code === separator) continue;
      this.width = field + 1;
      this.end = at;
      if (code === LF) return at;
      return bytes[at + 1] === LF ? at + 1 : ODD_LINE;
    }
    return ODD_LINE;
  }

  /** The value of a field that is only digits, or digits with decimals; NaN of any other. */
  number(field: number): number {
    const [start, end, places] = [this.starts[field]!, this.ends[field]!, this.decimals[field]!];
    if (places < 0) return NaN;
    return end - start <= 2 * SMALL_DIGITS
      ? this.#quotient(start, end, places)
      : this.#longNumber(start, end, places);
  }

  /** Reads fields as `Number` reads their texts. */
  readNumbers(fields: readonly number[]): void {
    for (const at of fields) {
      this.numbers[at] = this.decimals[at]! < 0 ? Number(this.text(at)) : this.number(at);
    }
  }

  /** The text of a field. */
  text(field: number): string {
    const [bytes, start, end] = [this.bytes, this.starts[field]!, this.ends[field]!];
    const last = this.#texts[field]!;
    let at = 0;
    if (last.length === end - start) {
      while (at < last.length && last.charCodeAt(at) === bytes[start + at]) at++;
      if (at === last.length) return last;
    }
    return this.#texts[field] = ascii(bytes, start, end);
  }

  /** Whether two fields are the same text. */
  isSame(one: number, other: number): boolean {
    const [bytes, start, length] = [this.bytes, this.starts[one]!, this.#length(one)];
    if (length !== this.#length(other)) return false;
    const shift = this.starts[other]! - start;
    for (let at = start; at < start + length; at++) {
      if (bytes[at] !== bytes[at + shift]) return false;
    }
    return true;
  }

  #length(field: number): number {
    return this.ends[field]! - this.starts[field]!;
  }

  /**
   * Digits without their point, divided by a power of ten. Where a double holds both exactly, their quotient is the double that
   * is nearest to the decimal number, as `Number` gives it.
   */
  #quotient(start: number, end: number, places: number): number {
    const { bytes } = this;
    // In two halves, because small integers are much quicker than doubles.
    const half = Math.min(end, start + SMALL_DIGITS);
    let [at, digits] = [start, 0];
    for (; at < half; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit >= 0) digits = Math.imul(digits, 10) + digit;
    }
    if (at < end) {
      const whole = digits;
      let count = 0;
      for (digits = 0; at < end; at++) {
        const digit = bytes[at]! - ZERO;
        if (digit < 0) continue;
        digits = Math.imul(digits, 10) + digit;
        count++;
      }
      digits += whole * POWERS[count]!;
    }
    if (digits > Number.MAX_SAFE_INTEGER) return Number(ascii(this.bytes, start, end));
    return places === 0 ? digits : digits / POWERS[places]!;
  }

  /** Zeros behind the decimals do not count: with them, many a volume has more digits than a double. */
  #longNumber(start: number, end: number, places: number): number {
    let [last, left] = [end, places];
    while (left > 0 && this.bytes[last - 1] === ZERO) {
      last--;
      left--;
    }
    if (left === 0 && places > 0) last--;
    return last - start <= 2 * SMALL_DIGITS
      ? this.#quotient(start, last, left)
      : Number(ascii(this.bytes, start, end));
  }
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}
