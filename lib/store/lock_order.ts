/** The order in which statements lock rows, so that no two of them wait for each other. @module */

/**
 * A statement that locks rows of several of these tables locks them in this order, after the tables of candles. It locks
 * several rows of one table in the order of these columns, by {@linkcode heldRows} or by the order in which it inserts them.
 */
const KEYS = {
  checkpoints: ["exchange", "symbol", "timeframe"],
  gaps: ["exchange", "symbol", "timeframe", "since"],
  listings: ["exchange", "symbol", "since"],
  alerts: ["id"],
  funding_checkpoints: ["exchange", "symbol"],
} as const;

type OrderedTable = keyof typeof KEYS;

/**
 * Selects and locks rows. `from` selects them from the table `as known`; of what it selects besides, `columns` are kept.
 * PostgreSQL looks at a row again that it had to wait for: what is held meets the conditions.
 */
export function heldRows(
  table: OrderedTable,
  { from, columns = [] }: { readonly from: string; readonly columns?: readonly string[] },
): string {
  const keys = KEYS[table].map((key) => `known.${key}`);
  return `select ${[...keys, ...columns].join(", ")} from ${table} as known ${from}
  order by ${keys.join(", ")} for update of known`;
}

/** Whether a row of the table `as known` is one of the rows in `held`. */
export function isHeld(table: OrderedTable, held = "held"): string {
  const keysOf = (row: string): string => KEYS[table].map((key) => `${row}.${key}`).join(", ");
  return `(${keysOf("known")}) = (${keysOf(held)})`;
}
