/** Which CCXT class inherits from which: what is known of a class holds for the classes that inherit from it. @module */

/** Class → the class it inherits from, in CCXT 4.5.84. All others are their own. A test compares this with CCXT. */
const PARENTS: Readonly<Record<string, string>> = {
  bequant: "hitbtc",
  binancecoinm: "binance",
  binanceus: "binance",
  binanceusdm: "binance",
  bybiteu: "bybit",
  bybitid: "bybit",
  fmfwio: "hitbtc",
  gateeu: "gate",
  kucoinfutures: "kucoin",
  myokx: "okx",
  okxus: "okx",
};

/** An exchange's class in CCXT and those it inherits from, nearest first: `["bequant", "hitbtc"]`. */
export function classesOf(exchange: string): readonly string[] {
  const classes = [exchange];
  for (
    let id: string | undefined = exchange;
    id !== undefined && Object.hasOwn(PARENTS, id);
    id = PARENTS[id]
  ) {
    classes.push(PARENTS[id] ?? id);
  }
  return classes;
}

/**
 * The row of the exchange's class in a table of facts, or that of the nearest class it inherits from. With `hasOwn`,
 * because an id such as `constructor` is a property of every object.
 */
export function factOf<T>(table: Readonly<Record<string, T>>, exchange: string): T | undefined {
  const id = classesOf(exchange).find((id) => Object.hasOwn(table, id));
  return id === undefined ? undefined : table[id];
}
