/** Finds out from the rows what the columns of a file hold: their order without names, and the unit of the volume. @module */

/** Positions of open, high, low, close and, if it is known, volume; or why they cannot be told. */
interface RowOrder {
  readonly values?: readonly number[] | undefined;
  readonly why?: string;
}

/** Known orders of the four columns behind the time. Others are not guessed. */
const ORDERS: readonly (readonly number[])[] = [
  // Positions of open, high, low and close. The first is the order of most exchanges, and of this program.
  [1, 2, 3, 4],
  // Coinbase: low, high, open, close.
  [3, 2, 1, 4],
  // Bitfinex, and HTX's files: open, close, high, low.
  [1, 3, 4, 2],
  // HTX: open, close, low, high.
  [1, 4, 3, 2],
];

/** Positions of the prices, in whatever order. */
const PRICES = [1, 2, 3, 4];

/** Fewer neighbours do not tell opens from closes. */
const NEIGHBOURS_MIN = 10;

/** Gathers what rows without column names prove about their order. */
export class OrderProof {
  readonly #fits = ORDERS.map(() => true);
  /** How far each open is from the close before it, and the same with both exchanged. */
  readonly #jumps = ORDERS.map(() => ({ read: 0, exchanged: 0 }));
  #neighbours = 0;
  #last: { readonly timeMs: number; readonly values: readonly number[] } | undefined;

  add(timeMs: number, values: readonly number[]): void {
    const at = (position: number): number => values[position] ?? NaN;
    const last = this.#last;
    this.#last = { timeMs, values };
    for (const [index, [open, high, low, close]] of ORDERS.entries()) {
      if (PRICES.some((one) => at(one) > at(high!) || at(one) < at(low!))) {
        this.#fits[index] = false;
      }
      if (last === undefined || last.timeMs === timeMs) continue;
      const [older, newer] = last.timeMs < timeMs ? [last.values, values] : [values, last.values];
      this.#jumps[index]!.read += Math.abs(newer[open!]! - older[close!]!);
      this.#jumps[index]!.exchanged += Math.abs(newer[close!]! - older[open!]!);
    }
    if (last !== undefined) this.#neighbours++;
  }

  /** The one order that every row allows; opens and closes are told by the steps between candles. */
  order(): RowOrder {
    const fitting = ORDERS.map((values, index) => ({ values, index }))
      .filter(({ index }) => this.#fits[index]);
    if (fitting.length > 1) return { why: "its rows allow several orders of the columns" };
    const [found] = fitting;
    if (found === undefined) return { why: "no known order of the columns fits its rows" };
    const { read, exchanged } = this.#jumps[found.index]!;
    const isUsual = found.index === 0;
    const isProved = this.#neighbours >= NEIGHBOURS_MIN && read * 4 <= exchanged && exchanged > 0;
    if (isProved || (isUsual && read <= exchanged)) return { values: found.values };
    return { why: "open and close cannot be told apart" };
  }
}

/** A share of rows may be wrong: they are rejected one by one, with their reason. */
const WRONG_SHARE_MAX = 0.1;

/** Gathers what rows say against an order of columns that a head, a source or a user claims. */
export class OrderClaim {
  readonly #values: readonly number[];
  #rows = 0;
  #wrong = 0;
  #neighbours = 0;
  /** How far opens are from the closes before them, and the same if both were exchanged. */
  #read = 0;
  #exchanged = 0;
  #last: { readonly timeMs: number; readonly open: number; readonly close: number } | undefined;

  /** @param values Positions of open, high, low and close. */
  constructor(values: readonly number[]) {
    this.#values = values;
  }

  add(timeMs: number, numbers: readonly number[]): void {
    const [open, high, low, close] = this.#values.map((at) => numbers[at] ?? NaN) as [
      number,
      number,
      number,
      number,
    ];
    if (!(open > 0) || !(close > 0)) return;
    this.#rows++;
    if (!(high >= Math.max(open, close) && low <= Math.min(open, close))) this.#wrong++;
    const last = this.#last;
    this.#last = { timeMs, open, close };
    if (last === undefined || last.timeMs === timeMs || Number.isNaN(timeMs)) return;
    const [older, newer] = last.timeMs < timeMs ? [last, this.#last] : [this.#last, last];
    this.#neighbours++;
    this.#read += Math.abs(newer.open - older.close);
    this.#exchanged += Math.abs(newer.close - older.open);
  }

  /** Whether high and low are that, in nearly all rows. */
  get fits(): boolean {
    return this.#wrong <= this.#rows * WRONG_SHARE_MAX;
  }

  /** Whether the steps between candles prove that open is close, and close is open. */
  get isExchanged(): boolean {
    return this.#neighbours >= NEIGHBOURS_MIN && this.#exchanged * 4 <= this.#read && this.#read > 0;
  }
}

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
  readonly #couples: Couple[];
  #rows = 0;
  /** For each column: rows in which it is a price of the candle, whole numbers, zeros. */
  readonly #looks = new Map<number, { price: number; whole: number; zero: number }>();

  constructor(columns: readonly number[]) {
    this.#columns = columns;
    this.#couples = columns.flatMap((base) =>
      columns.filter((other) => other !== base)
        .map((turnover) => ({
          base,
          turnover,
          rows: 0,
          fits: 0,
          least: Infinity,
          most: 0,
          sizes: { min: 0, max: Infinity },
        }))
    );
    for (const column of columns) this.#looks.set(column, { price: 0, whole: 0, zero: 0 });
  }

  add(
    fields: readonly string[],
    { low, high }: { readonly low: number; readonly high: number },
  ): void {
    if (!(low > 0)) return;
    this.#rows++;
    for (const column of this.#columns) {
      const [value, looks] = [Number(fields[column]), this.#looks.get(column)!];
      if (value >= low && value <= high) looks.price++;
      if (/^\d+$/.test(fields[column] ?? "")) looks.whole++;
      if (value === 0) looks.zero++;
    }
    for (const couple of this.#couples) {
      const [base, turnover] = [Number(fields[couple.base]), Number(fields[couple.turnover])];
      if (!(base > 0) || !(turnover > 0)) continue;
      const slack = 1.002 + unit(fields[couple.base]!) / base +
        unit(fields[couple.turnover]!) / turnover;
      if (slack > SLACK_MAX) continue;
      couple.rows++;
      const price = turnover / base;
      couple.least = Math.min(couple.least, price);
      couple.most = Math.max(couple.most, price);
      if (price >= low / slack && price <= high * slack) couple.fits++;
      couple.sizes.min = Math.max(couple.sizes.min, price / (high * slack));
      couple.sizes.max = Math.min(couple.sizes.max, price / (low / slack));
    }
  }

  /** Columns proved to be the volume in the base currency. */
  bases(): readonly number[] {
    const proved = this.#couples.filter(({ rows, fits, least, most }) =>
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
    const sizes = this.#couples
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

  /** Whether nearly all values lie within the candle: an average price, not a volume. */
  isPrice(column: number): boolean {
    return this.#rows > 0 && this.#looks.get(column)!.price >= this.#rows * FIT_SHARE;
  }

  /** Whether both columns have values, so that they could have been compared. */
  hasVolume(base: number, turnover: number): boolean {
    return this.#couples.some((couple) =>
      couple.base === base && couple.turnover === turnover && couple.rows >= VOLUMES_MIN
    );
  }

  isWhole(column: number): boolean {
    return this.#looks.get(column)?.whole === this.#rows;
  }

  /** Whether all values are zero, and those of another column are not. */
  isUnfilled(column: number): boolean {
    const isZero = (one: number): boolean => this.#looks.get(one)?.zero === this.#rows;
    return isZero(column) && this.#columns.some((other) => !isZero(other));
  }
}

/** Two columns, and how one may follow from the other. */
interface Couple {
  readonly base: number;
  readonly turnover: number;
  /** Rows that were compared, and those in which the quotient is a price of the candle. */
  rows: number;
  fits: number;
  /** The smallest and the greatest quotient. */
  least: number;
  most: number;
  /** What every row allows as the size of a contract. */
  readonly sizes: { min: number; max: number };
}

/** The last digit of a decimal text. */
function unit(text: string): number {
  const [, fraction = "", exponent = "0"] =
    /^[^.eE]*\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text.trim()) ?? [];
  return 10 ** (Number(exponent) - fraction.length);
}
