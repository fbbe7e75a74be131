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

type RowPrices = readonly [open: number, high: number, low: number, close: number];

/** Whether no price is seen to lie outside of the two that are meant to bound them. */
function isWithin(values: readonly number[], high: number, low: number): boolean {
  const [highest, lowest] = [values[high]!, values[low]!];
  for (const at of PRICES) {
    const price = values[at]!;
    if (price > highest || price < lowest) return false;
  }
  return true;
}

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
    const last = this.#last;
    this.#last = { timeMs, values };
    const isNeighbour = last !== undefined && last.timeMs !== timeMs;
    const [older, newer] = !isNeighbour
      ? [values, values]
      : last.timeMs < timeMs
      ? [last.values, values]
      : [values, last.values];
    // This runs for each row of a file, so it makes no arrays.
    for (let index = 0; index < ORDERS.length; index++) {
      const [open, high, low, close] = ORDERS[index] as RowPrices;
      if (this.#fits[index] === true && !isWithin(values, high, low)) this.#fits[index] = false;
      if (!isNeighbour) continue;
      const jumps = this.#jumps[index]!;
      jumps.read += Math.abs(newer[open]! - older[close]!);
      jumps.exchanged += Math.abs(newer[close]! - older[open]!);
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
    const [openAt, highAt, lowAt, closeAt] = this.#values as RowPrices;
    const [open, close] = [numbers[openAt] ?? NaN, numbers[closeAt] ?? NaN];
    const [high, low] = [numbers[highAt] ?? NaN, numbers[lowAt] ?? NaN];
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
    return this.#neighbours >= NEIGHBOURS_MIN && this.#exchanged * 4 <= this.#read &&
      this.#read > 0;
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

  /** @param row.numbers The fields as numbers, if the caller has them. */
  add(fields: readonly string[], row: {
    readonly low: number;
    readonly high: number;
    readonly numbers?: readonly number[] | undefined;
  }): void {
    const { low, high, numbers } = row;
    if (!(low > 0)) return;
    this.#rows++;
    const [columns, values, steps] = [this.#columns, this.#values, this.#steps];
    for (let at = 0; at < columns.length; at++) {
      const column = columns[at]!;
      const text = fields[column];
      const value = numbers?.[column] ?? (text === undefined ? NaN : Number(text));
      const looks = this.#looks[at]!;
      if (value >= low && value <= high) looks.price++;
      const decimals = text === undefined ? undefined : plainDecimals(text);
      if (decimals === 0 && !text!.endsWith(".")) looks.whole++;
      if (value === 0) looks.zero++;
      values[at] = value;
      steps[at] = !(value > 0)
        ? 0
        : (decimals === undefined ? unit(text!) : TENTHS[decimals]!) / value;
    }
    this.#compare(low, high);
  }

  /** Each column with each other. This runs for each row of a file, so it touches numbers alone. */
  #compare(low: number, high: number): void {
    const [values, steps] = [this.#values, this.#steps];
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
        const [lowest, highest] = [low / slack, high * slack];
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
