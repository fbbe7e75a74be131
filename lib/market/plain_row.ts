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

  /** Reads fields into `numbers`, as `Number` reads their texts. */
  readNumbers(fields: readonly number[]): void {
    for (let at = 0; at < fields.length; at++) this.readNumber(fields[at]!);
  }

  /** The same of one field. It returns nothing: a number that is returned may need memory of its own. */
  readNumber(field: number): void {
    const start = this.starts[field]!;
    const end = this.ends[field]!;
    const places = this.decimals[field]!;
    if (places < 0) this.numbers[field] = Number(this.text(field));
    else if (end - start <= 2 * SMALL_DIGITS) this.#readDigits(field, end, places);
    else this.#readLong(field, end, places);
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
    const { bytes } = this;
    const start = this.starts[one]!;
    const length = this.#length(one);
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
  #readDigits(field: number, end: number, places: number): void {
    const { bytes } = this;
    const start = this.starts[field]!;
    // In two halves, because small integers are much quicker than doubles.
    const half = Math.min(end, start + SMALL_DIGITS);
    let digits = 0;
    let at = start;
    for (; at < half; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit >= 0) digits = Math.imul(digits, 10) + digit;
    }
    let all = digits;
    if (at < end) {
      let count = 0;
      for (digits = 0; at < end; at++) {
        const digit = bytes[at]! - ZERO;
        if (digit < 0) continue;
        digits = Math.imul(digits, 10) + digit;
        count++;
      }
      all = all * POWERS[count]! + digits;
    }
    if (all > Number.MAX_SAFE_INTEGER) this.numbers[field] = Number(ascii(bytes, start, end));
    else this.numbers[field] = places === 0 ? all : all / POWERS[places]!;
  }

  /** Zeros behind the decimals do not count: with them, many a volume has more digits than a double. */
  #readLong(field: number, end: number, places: number): void {
    let last = end;
    let left = places;
    while (left > 0 && this.bytes[last - 1] === ZERO) {
      last--;
      left--;
    }
    if (left === 0 && places > 0) last--;
    const start = this.starts[field]!;
    if (last - start <= 2 * SMALL_DIGITS) this.#readDigits(field, last, left);
    else this.numbers[field] = Number(ascii(this.bytes, start, end));
  }
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}
