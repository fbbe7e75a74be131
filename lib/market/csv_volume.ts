/** Finds out from the rows which columns of a file count what was traded, and in which unit. @module */
import type { PlainRow } from "./plain_row.ts";

/** Fewer rows with volume prove nothing about its unit. */
const VOLUMES_MIN = 5;

/** Volumes of fewer digits are too coarse to be compared. */
const SLACK_MAX = 1.05;

/** Rounding and a price outside the candle in one row of fifty are forgiven. */
const FIT_SHARE = 0.98;

/**
 * Compares columns that may be volumes: turnover divided by volume is a price between the candle's low and high. That
 * proves which of two is the volume in the base currency.
 */
export class VolumeProof {
  readonly #columns: readonly number[];
  /** Of the row that is added: the values, and how much a step of the last digit changes each. By place in `columns`. */
  readonly #values: Float64Array;
  readonly #steps: Float64Array;
  readonly #couples: CoupleTable;
  /** For each column: rows in which it is a price of the candle, whole numbers, zeros. */
  readonly #looks: readonly { price: number; whole: number; zero: number }[];
  #rows = 0;

  constructor(columns: readonly number[]) {
    this.#columns = columns;
    this.#values = new Float64Array(columns.length);
    this.#steps = new Float64Array(columns.length);
    this.#couples = coupleTable(columns.length);
    this.#looks = columns.map(() => ({ price: 0, whole: 0, zero: 0 }));
  }

  /** How many rows were added that have prices. */
  get rows(): number {
    return this.#rows;
  }

  /** @param row.numbers The fields as numbers, if the caller has them. */
  add(fields: readonly string[], row: {
    readonly low: number;
    readonly high: number;
    readonly numbers?: ArrayLike<number> | undefined;
  }): void {
    const { low, high, numbers } = row;
    if (!(low > 0)) return;
    this.#rows++;
    const columns = this.#columns;
    for (let at = 0; at < columns.length; at++) {
      const column = columns[at]!;
      const text = fields[column];
      const value = numbers?.[column] ?? (text === undefined ? NaN : Number(text));
      this.#look(at, { value, text, low, high });
    }
    this.#compare(low, high);
  }

  /** The same of a row whose numbers were read. `prices` are the positions of the prices. */
  addPlain(row: PlainRow, prices: readonly number[]): void {
    const { numbers } = row;
    // This runs for each row of a file, so it makes no arrays.
    const a = numbers[prices[0]!]!;
    const b = numbers[prices[1]!]!;
    const c = numbers[prices[2]!]!;
    const d = numbers[prices[3]!]!;
    const low = Math.min(a, b, c, d);
    const high = Math.max(a, b, c, d);
    if (!(low > 0)) return;
    this.#rows++;
    for (let at = 0; at < this.#columns.length; at++) {
      const column = this.#columns[at]!;
      const decimals = row.decimals[column]!;
      const value = numbers[column]!;
      if (decimals < 0) {
        this.#look(at, { value, text: row.text(column), low, high });
        continue;
      }
      const looks = this.#looks[at]!;
      if (value >= low && value <= high) looks.price++;
      if (decimals === 0) looks.whole++;
      if (value === 0) looks.zero++;
      this.#values[at] = value;
      this.#steps[at] = value > 0 ? TENTHS[decimals]! / value : 0;
    }
    this.#compare(low, high);
  }

  #look(at: number, { value, text, low, high }: {
    readonly value: number;
    readonly text: string | undefined;
    readonly low: number;
    readonly high: number;
  }): void {
    const looks = this.#looks[at]!;
    if (value >= low && value <= high) looks.price++;
    const decimals = text === undefined ? undefined : plainDecimals(text);
    if (decimals === 0 && !text!.endsWith(".")) looks.whole++;
    if (value === 0) looks.zero++;
    this.#values[at] = value;
    this.#steps[at] = !(value > 0)
      ? 0
      : (decimals === undefined ? unit(text!) : TENTHS[decimals]!) / value;
  }

  /** Each column with each other. This runs for each row of a file, so it touches numbers alone. */
  #compare(low: number, high: number): void {
    const values = this.#values;
    const steps = this.#steps;
    const { rows, fits, least, most, sizeMin, sizeMax } = this.#couples;
    const width = values.length;
    for (let base = 0; base < width; base++) {
      if (!(values[base]! > 0)) continue;
      for (let turnover = 0; turnover < width; turnover++) {
        if (turnover === base || !(values[turnover]! > 0)) continue;
        const slack = 1.002 + steps[base]! + steps[turnover]!;
        if (slack > SLACK_MAX) continue;
        const couple = base * width + turnover;
        const price = values[turnover]! / values[base]!;
        const lowest = low / slack;
        const highest = high * slack;
        rows[couple]!++;
        if (price >= lowest && price <= highest) fits[couple]!++;
        if (price < least[couple]!) least[couple] = price;
        if (price > most[couple]!) most[couple] = price;
        // No size of a contract explains all rows: more of them change nothing.
        if (sizeMin[couple]! > sizeMax[couple]!) continue;
        sizeMin[couple] = Math.max(sizeMin[couple]!, price / highest);
        sizeMax[couple] = Math.min(sizeMax[couple]!, price / lowest);
      }
    }
  }

  /** Columns proved to be the volume in the base currency. */
  bases(): readonly number[] {
    const proved = this.#compared().filter(({ rows, fits, least, most }) =>
      rows >= VOLUMES_MIN && fits >= rows * FIT_SHARE &&
      // Always the same: the size of a contract, which happens to be near the price.
      most > least * 1.000001
    );
    return [...new Set(proved.map(({ base }) => base))];
  }

  /** What the rows prove that a column counts. */
  unitOf(column: number): "base" | undefined {
    return this.bases().includes(column) ? "base" : undefined;
  }

  /** The size of a contract, if the column counts contracts of the other column's currency. */
  contractSize(column: number): number | undefined {
    const sizes = this.#compared()
      .filter(({ base, turnover, rows }) =>
        rows >= VOLUMES_MIN && (base === column || turnover === column)
      )
      .map((couple) => ({ ...couple.sizes, isInverse: couple.turnover === column }))
      .filter(({ min, max }) => min <= max && (min > 1 || max < 1));
    const [found] = sizes;
    if (found === undefined) return undefined;
    const size = Math.sqrt(found.min * found.max);
    return Number((found.isInverse ? 1 / size : size).toPrecision(1));
  }

  /**
   * Whether the turnover divided by the volume is, in most rows that can be compared, no price of the candle. Fewer rows
   * are enough where the one is a price in none and, exchanged, in all.
   */
  isContradicted(base: number, turnover: number): boolean {
    const couples = this.#compared();
    const of = (one: number, other: number): Couple | undefined =>
      couples.find((couple) => couple.base === one && couple.turnover === other);
    const [said, exchanged] = [of(base, turnover), of(turnover, base)];
    if (said === undefined || exchanged === undefined || said.rows === 0) return false;
    return said.rows >= VOLUMES_MIN
      ? said.fits * 2 < said.rows
      : said.fits === 0 && exchanged.fits === exchanged.rows;
  }

  /** Whether nearly all values lie within the candle: an average price, not a volume. */
  isPrice(column: number): boolean {
    return this.#rows > 0 && this.#looksOf(column)!.price >= this.#rows * FIT_SHARE;
  }

  /** Whether both columns have values, so that they could have been compared. */
  hasVolume(base: number, turnover: number): boolean {
    return this.#compared().some((couple) =>
      couple.base === base && couple.turnover === turnover && couple.rows >= VOLUMES_MIN
    );
  }

  isWhole(column: number): boolean {
    return this.#looksOf(column)?.whole === this.#rows;
  }

  /** Whether all values are zero, and those of another column are not. */
  isUnfilled(column: number): boolean {
    const isZero = (one: number): boolean => this.#looksOf(one)?.zero === this.#rows;
    return isZero(column) && this.#columns.some((other) => !isZero(other));
  }

  #compared(): readonly Couple[] {
    const { rows, fits, least, most, sizeMin, sizeMax } = this.#couples;
    const width = this.#columns.length;
    return this.#columns.flatMap((base, baseAt) =>
      this.#columns.flatMap((turnover, turnoverAt) => {
        const at = baseAt * width + turnoverAt;
        return base === turnover ? [] : [{
          base,
          turnover,
          rows: rows[at]!,
          fits: fits[at]!,
          least: least[at]!,
          most: most[at]!,
          sizes: { min: sizeMin[at]!, max: sizeMax[at]! },
        }];
      })
    );
  }

  #looksOf(
    column: number,
  ): { readonly price: number; readonly whole: number; readonly zero: number } | undefined {
    return this.#looks[this.#columns.indexOf(column)];
  }
}

/** Two columns, and how one may follow from the other. */
interface Couple {
  readonly base: number;
  readonly turnover: number;
  /** Rows that were compared, and those in which the quotient is a price of the candle. */
  readonly rows: number;
  readonly fits: number;
  /** The smallest and the greatest quotient. */
  readonly least: number;
  readonly most: number;
  /** What every row allows as the size of a contract. */
  readonly sizes: { readonly min: number; readonly max: number };
}

/** The same of all couples of columns, by `base × columns + turnover`. */
interface CoupleTable {
  readonly rows: Float64Array;
  readonly fits: Float64Array;
  readonly least: Float64Array;
  readonly most: Float64Array;
  readonly sizeMin: Float64Array;
  readonly sizeMax: Float64Array;
}

function coupleTable(width: number): CoupleTable {
  const filled = (value: number): Float64Array => new Float64Array(width * width).fill(value);
  return {
    rows: filled(0),
    fits: filled(0),
    least: filled(Infinity),
    most: filled(0),
    sizeMin: filled(0),
    sizeMax: filled(Infinity),
  };
}

/** How many decimals a text has that is only digits, with a point or without; undefined of any other. */
function plainDecimals(text: string): number | undefined {
  const { length } = text;
  let point = -1;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 48 && code <= 57) continue;
    if (code !== 46 || point >= 0) return undefined;
    point = at;
  }
  if (length === 0 || length > DECIMALS_MAX) return undefined;
  return point < 0 ? 0 : length - point - 1;
}

const DECIMALS_MAX = 100;

/** `10 ** -decimals`. */
const TENTHS = Array.from({ length: DECIMALS_MAX }, (_, decimals) => 10 ** -decimals);

/** The last digit of a decimal text. */
function unit(text: string): number {
  const [, fraction = "", exponent = "0"] =
    /^[^.eE]*\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text.trim()) ?? [];
  return 10 ** (Number(exponent) - fraction.length);
}

/** Whether columns that are said to count trades hold whole numbers. */
export class CountClaim {
  readonly #columns: readonly number[];
  #broken: number | undefined;

  constructor(columns: readonly number[]) {
    this.#columns = columns;
  }

  add(fields: readonly string[]): void {
    if (this.#broken !== undefined) return;
    for (const at of this.#columns) {
      const text = fields[at]!;
      if (plainDecimals(text) !== 0 && !WHOLE.test(text)) this.#broken = at;
    }
  }

  /** The same of a row of numbers. */
  addPlain(row: PlainRow): void {
    if (this.#broken !== undefined) return;
    for (const at of this.#columns) {
      if (row.decimals[at] !== 0 && !WHOLE.test(row.text(at))) this.#broken = at;
    }
  }

  /** A column that holds something else. */
  get broken(): number | undefined {
    return this.#broken;
  }
}

const WHOLE = /^(?:|\s*\d+(?:\.0*)?\s*|-1|nan|null|none|\d+(?:\.\d+)?e\+?\d+)$/i;
