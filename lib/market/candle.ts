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

  if (!isPositive(open) || !isPositive(high) || !isPositive(low) || !isPositive(close)) {
    return refuse("price_not_positive", row, openTimeMs);
  }
  if (volume.value < 0 || (volume.value === 0 && exactDecimal(volume.text).digits < 0n)) {
    return refuse("volume_negative", row, openTimeMs);
  }
  if (compare(high, open) < 0 || compare(high, close) < 0) {
    return refuse("high_below_body", row, openTimeMs);
  }
  if (compare(low, open) > 0 || compare(low, close) > 0) {
    return refuse("low_above_body", row, openTimeMs);
  }
  return {
    candle: {
      openTimeMs,
      open: open.text,
      high: high.text,
      low: low.text,
      close: close.text,
      volume: volume.text,
    },
  };
}

/** Orders two decimal texts by their exact values: negative, zero or positive as `a` is below, equal to or above `b`. */
export function compareDecimals(a: string, b: string): number {
  return compare({ text: a, value: Number(a) }, { text: b, value: Number(b) });
}

/** A decimal as it was written, and the double nearest to it: read once, it is compared several times. */
interface Decimal {
  readonly text: string;
  readonly value: number;
}

/** Doubles decide where they differ, since rounding keeps order; digits decide where they tie. */
function compare(a: Decimal, b: Decimal): number {
  if (a.value !== b.value) return a.value - b.value;
  if (a.text === b.text) return 0;
  const [x, y] = [exactDecimal(a.text), exactDecimal(b.text)];
  const exponent = Math.min(x.exponent, y.exponent);
  const left = x.digits * 10n ** BigInt(x.exponent - exponent);
  const right = y.digits * 10n ** BigInt(y.exponent - exponent);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Also of values too small for a double. */
function isPositive({ text, value }: Decimal): boolean {
  return value > 0 || (value === 0 && exactDecimal(text).digits > 0n);
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

/** The decimal, or undefined when the value is not a finite number. */
function readDecimal(value: unknown): Decimal | undefined {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || text.length > DECIMAL_TEXT_MAX || !DECIMAL.test(text)) {
    return undefined;
  }
  const double = Number(text);
  return Number.isFinite(double) ? { text, value: double } : undefined;
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
