/** Finds out from the rows which columns of a file hold the prices. @module */

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
  /** Rows whose high or low is far from the other prices, and those whose open is the close though it moved. */
  readonly #odd = ORDERS.map(() => ({ far: 0, flat: 0 }));
  #rows = 0;
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
    this.#rows++;
    // This runs for each row of a file, so it makes no arrays.
    for (let index = 0; index < ORDERS.length; index++) {
      const [open, high, low, close] = ORDERS[index] as RowPrices;
      if (this.#fits[index] === true && !isWithin(values, high, low)) this.#fits[index] = false;
      if (this.#fits[index] === true) {
        const odd = this.#odd[index]!;
        if (isFar(values[open]!, values[high]!, values[low]!, values[close]!)) odd.far++;
        if (values[open] === values[close] && values[high]! > values[low]!) odd.flat++;
      }
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
    if (isOdd(this.#rows, this.#odd[found.index]!)) return { why: ODD };
    const { read, exchanged } = this.#jumps[found.index]!;
    const isUsual = found.index === 0;
    const isProved = this.#neighbours >= NEIGHBOURS_MIN && read * 4 <= exchanged && exchanged > 0;
    if (isProved || (isUsual && read <= exchanged)) return { values: found.values };
    return { why: "open and close cannot be told apart" };
  }
}

/** A share of rows may be wrong: they are rejected one by one, with their reason. */
const WRONG_SHARE_MAX = 0.1;

/** What columns are said to be that {@linkcode OrderClaim.isOdd}. */
export const ODD =
  "most of its highs or lows are far from its opens and closes, or its opens are its closes: " +
  "not all of these columns are prices of candles";

/** In most candles of whatever market, high and low are nearer to open and close than that. */
const FAR = 2;
const PLAUSIBLE_MIN = 20;
const FAR_SHARE = 0.8;
/** Prices that move seldom end where they began. */
const FLAT_SHARE = 0.95;

/** A file of all markets of an exchange has some thousands. */
const INSTRUMENTS_MAX = 10_000;

interface Neighbour {
  timeMs: number;
  open: number;
  close: number;
}

/** Gathers what rows say against an order of columns that a head, a source or a user claims. */
export class OrderClaim {
  readonly #values: readonly number[];
  #rows = 0;
  #wrong = 0;
  #neighbours = 0;
  /** How far opens are from the closes before them, and the same if both were exchanged. */
  #read = 0;
  #exchanged = 0;
  /** The last row of each instrument of the file. */
  readonly #last = new Map<string, Neighbour>();
  /** Rows whose high or low is far from the other prices, and those whose open is the close though it moved. */
  readonly #odd = { far: 0, flat: 0 };

  /** @param values Positions of open, high, low and close. */
  constructor(values: readonly number[]) {
    this.#values = values;
  }

  add(timeMs: number, numbers: ArrayLike<number>, instrument = ""): void {
    // This runs for each row of a file, so it makes no arrays.
    const values = this.#values;
    const open = numbers[values[0]!] ?? NaN;
    const high = numbers[values[1]!] ?? NaN;
    const low = numbers[values[2]!] ?? NaN;
    const close = numbers[values[3]!] ?? NaN;
    if (!(open > 0) || !(close > 0)) return;
    this.#rows++;
    if (!(high >= Math.max(open, close) && low <= Math.min(open, close))) this.#wrong++;
    if (isFar(open, high, low, close)) this.#odd.far++;
    if (open === close && high > low) this.#odd.flat++;
    const last = this.#last.get(instrument);
    if (last === undefined) {
      if (this.#last.size < INSTRUMENTS_MAX) this.#last.set(instrument, { timeMs, open, close });
      return;
    }
    const { timeMs: lastMs, open: lastOpen, close: lastClose } = last;
    last.timeMs = timeMs;
    last.open = open;
    last.close = close;
    if (lastMs === timeMs || Number.isNaN(timeMs)) return;
    const isNewer = lastMs < timeMs;
    this.#neighbours++;
    this.#read += Math.abs(isNewer ? open - lastClose : lastOpen - close);
    this.#exchanged += Math.abs(isNewer ? close - lastOpen : lastClose - open);
  }

  /** Whether high and low are that, in nearly all rows. */
  get fits(): boolean {
    return this.#wrong <= this.#rows * WRONG_SHARE_MAX;
  }

  /** Whether most highs or lows are no prices of the same thing as opens and closes, or nearly all opens are the closes. */
  get isOdd(): boolean {
    return isOdd(this.#rows, this.#odd);
  }

  /** Whether the steps between candles prove that open is close, and close is open. */
  get isExchanged(): boolean {
    return this.#neighbours >= NEIGHBOURS_MIN && this.#exchanged * 4 <= this.#read &&
      this.#read > 0;
  }
}

function isFar(open: number, high: number, low: number, close: number): boolean {
  return high > Math.max(open, close) * FAR || low * FAR < Math.min(open, close);
}

function isOdd(
  rows: number,
  { far, flat }: { readonly far: number; readonly flat: number },
): boolean {
  return rows >= PLAUSIBLE_MIN && (far > rows * FAR_SHARE || flat > rows * FLAT_SHARE);
}
