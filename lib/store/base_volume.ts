/** The volume of a candle in the base currency, for statements that read candles of one symbol. @module */

/** Joins to a FROM clause with the candles `as candle` what their volumes count. `symbol` is the statement's parameter. */
export function unitsOf(symbol: string): string {
  return `left join titan10_volume_units(${symbol}) as unit
    on unit.exchange = candle.exchange and candle.time >= unit.since and candle.time < unit.until`;
}

/** A spot series that was only ever imported has no listing: files are taken with the base volume. */
const HAS_NO_LISTING = "unit.exchange is null and position(':' in candle.symbol) = 0";

/** The base volume; null where it does not follow exactly from the candle. See sql/0043. */
export const BASE_VOLUME =
  `candle.volume * case when ${HAS_NO_LISTING} then 1 else unit.factor end`;

/** What the volume counts; null where that is not known. */
export const VOLUME_UNIT = `case when ${HAS_NO_LISTING} then 'base' else unit.volume_unit end`;
