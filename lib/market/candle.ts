/** Turns the rows an exchange answered into candles and refuses malformed ones. @module */
import { isAligned, type Timeframe } from "./timeframe.ts";

/**
 * One OHLCV row. Prices and volume are decimal texts exactly as the exchange wrote them: a double would
 * lose digits of `1e-10` or of a 20-digit volume on the way to `numeric`.
 */
export interface Candle {
  /** Open time, UTC, milliseconds since the Unix epoch. */
  readonly openTimeMs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
}

/** Why a row is not a candle. A closed set, because it is also a metric's label. */
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

/** A row that came but failed the checks. It is kept, apart from the candles, as evidence. */
export interface RejectedCandle {
  readonly reason: RejectionReason;
  /** The row as JSON text, cut at {@linkcode ROW_TEXT_MAX} characters. */
  readonly row: string;
  /** Open time in milliseconds, when the row has a readable one. */
  readonly openTimeMs: number | undefined;
}

export type CheckedRow =
  | { readonly candle: Candle; readonly rejected?: undefined }
  | { readonly candle?: undefined; readonly rejected: RejectedCandle };

/** Whole rows are far shorter; anything longer is not worth keeping for evidence. */
export const ROW_TEXT_MAX = 500;

/**
 * Checks one row `[openTimeMs, open, high, low, close, volume]` whose values are numbers or decimal texts.
 *
 * A candle has six finite values, open, high, low and close above zero, volume not below zero,
 * high ≥ max(open, close), low ≤ min(open, close), and opens where its timeframe allows. The tables repeat
 * these rules as CHECK constraints.
 */
export function checkRow(timeframe: Timeframe, row: unknown): CheckedRow {
  if (!Array.isArray(row) || row.length < 6) return refuse("not_six_values", row, undefined);
  const openTimeMs = readTime(row[0]);
  if (openTimeMs === undefined) return refuse("time_not_a_number", row, undefined);
  if (!isAligned(timeframe, openTimeMs)) return refuse("time_not_aligned", row, openTimeMs);

  const open = readDecimal(row[1]);
  const high = readDecimal(row[2]);
  const low = readDecimal(row[3]);
  const close = readDecimal(row[4]);
  const volume = readDecimal(row[5]);
  if (
    open === undefined || high === undefined || low === undefined || close === undefined ||
    volume === undefined
  ) return refuse("not_a_finite_number", row, openTimeMs);

  if (![open, high, low, close].every((price) => signOf(price) > 0)) {
    return refuse("price_not_positive", row, openTimeMs);
  }
  if (signOf(volume) < 0) return refuse("volume_negative", row, openTimeMs);
  if (compareDecimals(high, open) < 0 || compareDecimals(high, close) < 0) {
    return refuse("high_below_body", row, openTimeMs);
  }
  if (compareDecimals(low, open) > 0 || compareDecimals(low, close) > 0) {
    return refuse("low_above_body", row, openTimeMs);
  }
  return { candle: { openTimeMs, open, high, low, close, volume } };
}

/**
 * Orders two decimal texts by their exact values: negative, zero or positive as `a` is below, equal to or
 * above `b`. Doubles decide where they differ, since rounding keeps order; digits decide where they tie.
 */
export function compareDecimals(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  if (difference !== 0) return difference;
  if (a === b) return 0;
  const [x, y] = [exactDecimal(a), exactDecimal(b)];
  const exponent = Math.min(x.exponent, y.exponent);
  const left = x.digits * 10n ** BigInt(x.exponent - exponent);
  const right = y.digits * 10n ** BigInt(y.exponent - exponent);
  return left < right ? -1 : left > right ? 1 : 0;
}

function refuse(reason: RejectionReason, row: unknown, openTimeMs: number | undefined): CheckedRow {
  return { rejected: { reason, row: rowText(row).slice(0, ROW_TEXT_MAX), openTimeMs } };
}

function rowText(row: unknown): string {
  try {
    return JSON.stringify(row, (_key, value) => value === undefined ? null : value) ?? "null";
  } catch {
    // JSON.parse reads lists nested far deeper than JSON.stringify can write: one such row is no reason to
    // lose the page.
    return UNPRINTABLE_ROW;
  }
}

const UNPRINTABLE_ROW = '"unprintable"';

/** The years 1970 to 9999: what both `Date` and `timestamptz` can print. */
const TIME_MS_MAX = 253_402_300_799_999;

function readTime(value: unknown): number | undefined {
  const timeMs = typeof value === "string" && DECIMAL.test(value) ? Number(value) : value;
  if (typeof timeMs !== "number" || !Number.isInteger(timeMs)) return undefined;
  return timeMs >= 0 && timeMs <= TIME_MS_MAX ? timeMs : undefined;
}

/** Longer than any exchange writes; it bounds what `numeric` and BigInt are asked to hold. */
const DECIMAL_TEXT_MAX = 100;

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/;

/** The value as decimal text, or undefined when it is not a finite number. */
function readDecimal(value: unknown): string | undefined {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || text.length > DECIMAL_TEXT_MAX) return undefined;
  return DECIMAL.test(text) && Number.isFinite(Number(text)) ? text : undefined;
}

/** −1, 0 or 1, also for values too small for a double. */
function signOf(decimal: string): number {
  const value = Number(decimal);
  if (value !== 0) return Math.sign(value);
  const { digits } = exactDecimal(decimal);
  return digits > 0n ? 1 : digits < 0n ? -1 : 0;
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
