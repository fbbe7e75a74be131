/** Turns an exchange's rows into candles and rejects malformed ones. @module */
import type { Price } from "./price.ts";
import { isAligned, type Timeframe } from "./timeframe.ts";

/**
 * One OHLCV row. Prices and volume are decimal texts exactly as the exchange sent them, because a double would lose
 * digits (`1e-10`, 20-digit volumes) before they reach `numeric`.
 */
export interface Candle {
  /** Open time, UTC, milliseconds since the Unix epoch. */
  readonly openTimeMs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  /** Null only where the price is not that of trades: nobody trades a mark price. */
  readonly volume: string | null;
}

/** Why a row is not a candle. A fixed set, because it is also a metric label. */
export const REJECTION_REASONS = [
  "not_six_values",
  "time_not_a_number",
  "time_not_aligned",
  "not_a_finite_number",
  "price_not_positive",
  "volume_negative",
  "high_below_body",
  "low_above_body",
] as const;

export type RejectionReason = (typeof REJECTION_REASONS)[number];

/**
 * Why the answer for a single candle is of no use:
 *
 * - `contradictory`: two rows of it have different values.
 * - `unreadable`: the answer is not JSON.
 */
type AnswerFault = "contradictory" | "unreadable";

/** A row that failed the checks. It is stored apart from the candles, as evidence. */
export interface RejectedCandle {
  readonly reason: RejectionReason | AnswerFault;
  /** The row as JSON text, cut at {@linkcode ROW_TEXT_MAX} characters. */
  readonly row: string;
  /** Open time in milliseconds, when the row has a readable one. */
  readonly openTimeMs: number | undefined;
  /** How many rows of the answer it stands for: of many that are alike only one is kept. @default 1 */
  readonly rows?: number;
}

type CheckedRow =
  | { readonly candle: Candle; readonly rejected?: undefined }
  | {
    readonly candle?: undefined;
    readonly rejected: RejectedCandle & { readonly reason: RejectionReason };
  };

/**
 * The longest text of a rejected row. Less is stored and shown: what is secret in it is found before it is cut, not half of
 * it after.
 */
export const ROW_TEXT_MAX = 4_000;

/**
 * Checks one row `[openTimeMs, open, high, low, close, volume]` whose values are numbers or decimal texts.
 *
 * A candle has six finite values, open, high, low and close > 0, volume ≥ 0, high ≥ max(open, close),
 * low ≤ min(open, close), and an open time aligned to its timeframe. The tables repeat these rules as CHECK constraints.
 *
 * Candles of other prices than `trade` have no volume: whatever stands in its place (nothing, 0, a flag) is left out. A
 * premium is a difference of two prices, which may be zero or negative. Its open may lie outside of high and low: Bybit opens a
 * candle with the last premium of the one before (its documentation's own sample has a low above the open).
 */
export function checkRow(timeframe: Timeframe, row: unknown, price: Price = "trade"): CheckedRow {
  const hasVolume = price === "trade";
  if (!Array.isArray(row) || row.length < (hasVolume ? 6 : 5)) {
    return reject("not_six_values", row, undefined);
  }
  const openTimeMs = readTime(row[0]);
  if (openTimeMs === undefined) return reject("time_not_a_number", row, undefined);
  if (!isAligned(timeframe, openTimeMs)) return reject("time_not_aligned", row, openTimeMs);

  const open = decimalText(row[1]);
  const high = decimalText(row[2]);
  const low = decimalText(row[3]);
  const close = decimalText(row[4]);
  const volume = hasVolume ? decimalText(row[5]) : null;
  if (
    open === undefined || high === undefined || low === undefined || close === undefined ||
    volume === undefined
  ) return reject("not_a_finite_number", row, openTimeMs);
  const reason = brokenRule({ open, high, low, close, volume }, price);
  if (reason !== undefined) return reject(reason, row, openTimeMs);
  return { candle: { openTimeMs, open, high, low, close, volume } };
}

/** Which rule the values of a candle break, if any. For speed, each is converted to a double only once. */
function brokenRule(
  { open, high, low, close, volume }: Omit<Candle, "openTimeMs">,
  price: Price,
): RejectionReason | undefined {
  const [o, h, l, c] = [Number(open), Number(high), Number(low), Number(close)];
  const v = volume === null ? 0 : Number(volume);
  if (
    !Number.isFinite(o) || !Number.isFinite(h) || !Number.isFinite(l) || !Number.isFinite(c) ||
    !Number.isFinite(v)
  ) return "not_a_finite_number";
  if (
    price !== "premium" &&
    (!isPositive(open, o) || !isPositive(high, h) || !isPositive(low, l) || !isPositive(close, c))
  ) return "price_not_positive";
  if (v < 0 || (v === 0 && volume !== null && exactDecimal(volume).digits < 0n)) {
    return "volume_negative";
  }
  const hasOpenInside = price !== "premium";
  if (hasOpenInside && isBelow(high, h, open, o) || isBelow(high, h, close, c)) {
    return "high_below_body";
  }
  if (hasOpenInside && isBelow(open, o, low, l) || isBelow(close, c, low, l)) {
    return "low_above_body";
  }
  return undefined;
}

/**
 * Compares two decimal texts by their exact values. Negative if `a < b`, zero if equal, positive if `a > b`. Doubles are
 * compared first, because rounding keeps the order; if they are equal, the digits are compared.
 */
export function compareDecimals(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  return difference !== 0 || a === b ? difference : compareDigits(a, b);
}

/** Whether a decimal text is exactly zero. */
export function isZero(text: string): boolean {
  return Number(text) === 0 && exactDecimal(text).digits === 0n;
}

/** Whether decimal `a` is below `b`, given the doubles nearest to them. */
function isBelow(a: string, aDouble: number, b: string, bDouble: number): boolean {
  if (aDouble !== bDouble) return aDouble < bDouble;
  return a !== b && compareDigits(a, b) < 0;
}

function compareDigits(a: string, b: string): number {
  const [x, y] = [exactDecimal(a), exactDecimal(b)];
  const exponent = Math.min(x.exponent, y.exponent);
  const left = x.digits * 10n ** BigInt(x.exponent - exponent);
  const right = y.digits * 10n ** BigInt(y.exponent - exponent);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Also correct for values too small for a double. */
function isPositive(text: string, double: number): boolean {
  return double > 0 || (double === 0 && exactDecimal(text).digits > 0n);
}

function reject(reason: RejectionReason, row: unknown, openTimeMs: number | undefined): CheckedRow {
  return { rejected: { reason, row: rowText(row).slice(0, ROW_TEXT_MAX), openTimeMs } };
}

/** A candle that is contradicted by another row of its time. */
export function contradictory(candle: Candle): RejectedCandle {
  const { openTimeMs, open, high, low, close, volume } = candle;
  const row = JSON.stringify([openTimeMs, open, high, low, close, volume]);
  return { reason: "contradictory", row: row.slice(0, ROW_TEXT_MAX), openTimeMs };
}

function rowText(row: unknown): string {
  try {
    return JSON.stringify(row, (_key, value) => value === undefined ? null : value) ?? "null";
  } catch {
    // JSON.parse accepts deeper nesting than JSON.stringify. Such a row must not fail the whole page.
    return UNPRINTABLE_ROW;
  }
}

const UNPRINTABLE_ROW = '"unprintable"';

/** End of the year 9999: both `Date` and `timestamptz` can print times up to here. */
const TIME_MS_MAX = 253_402_300_799_999;

function readTime(value: unknown): number | undefined {
  const timeMs = typeof value === "string" && DECIMAL.test(value) ? Number(value) : value;
  if (typeof timeMs !== "number" || !Number.isInteger(timeMs)) return undefined;
  return timeMs >= 0 && timeMs <= TIME_MS_MAX ? timeMs : undefined;
}

/** Longer than any value an exchange sends. Limits the size of `numeric` and BigInt values. */
const DECIMAL_TEXT_MAX = 100;

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/;

/** The decimal text of a value; undefined when it is not a number. */
function decimalText(value: unknown): string | undefined {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || text.length > DECIMAL_TEXT_MAX) return undefined;
  return isPlainDecimal(text) || DECIMAL.test(text) ? text : undefined;
}

/** Whether a text is `digits.digits`, as nearly all are. Four times as fast as {@linkcode DECIMAL}. */
function isPlainDecimal(text: string): boolean {
  const point = text.indexOf(".");
  if (point <= 0) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code < 48 || code > 57) && at !== point) return false;
  }
  return true;
}

/** A decimal text as `digits × 10^exponent`. */
function exactDecimal(text: string): { readonly digits: bigint; readonly exponent: number } {
  const [mantissa = "", exponentText = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.replace(/^[+-]/, "").split(".");
  const magnitude = BigInt(whole + fraction);
  return {
    digits: mantissa.startsWith("-") ? -magnitude : magnitude,
    exponent: Number(exponentText) - fraction.length,
  };
}

/** Whether two candles have the same values, however many trailing zeros they are written with. */
export function sameCandle(a: Candle, b: Candle): boolean {
  return (["open", "high", "low", "close", "volume"] as const).every((name) => {
    const [one, other] = [a[name], b[name]];
    return one === null || other === null ? one === other : compareDecimals(one, other) === 0;
  });
}
