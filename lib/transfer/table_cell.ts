/** Writes values of typed columns as text, exactly: what a column knows of its values must not be lost on the way. @module */

/** Parts of a second by the name of their unit. */
const PER_SECOND = { second: 1n, milli: 1_000n, micro: 1_000_000n, nano: 1_000_000_000n };

export type TimeUnit = keyof typeof PER_SECOND;

/** Smaller numbers would be read as seconds, and larger ones as microseconds: such a time is written as text. */
const CLEAR_MS = { min: 1e11, below: 1e14 };

/**
 * A time since 1970: milliseconds, or ISO text where these cannot say it, or where nobody knows the time zone.
 *
 * @throws Error when no calendar has it.
 */
export function timestampText(value: bigint, unit: TimeUnit, isUtc: boolean): string {
  const perSecond = PER_SECOND[unit];
  if (isUtc) {
    const ms = wholeMs(value, unit);
    if (ms >= CLEAR_MS.min && ms < CLEAR_MS.below) return String(ms);
  }
  const part = (value % perSecond + perSecond) % perSecond;
  const date = new Date(Number((value - part) / perSecond) * 1_000);
  const fraction = part === 0n ? "" : `.${padded(part, perSecond)}`;
  return `${dateTime(date)}${fraction}${isUtc ? "Z" : ""}`;
}

/** Milliseconds; NaN where these cannot say it. */
function wholeMs(value: bigint, unit: TimeUnit): number {
  switch (unit) {
    case "second":
      return Number(value) * 1_000;
    case "milli":
      return Number(value);
    case "micro": {
      const ms = Number(value) / 1_000;
      return Number.isInteger(ms) ? ms : NaN;
    }
    case "nano":
      return value % 1_000_000n === 0n ? Number(value / 1_000_000n) : NaN;
  }
}

/** A day since 1970, `2024-01-31`. */
export function dateText(days: number): string {
  return dateTime(new Date(days * 86_400_000)).slice(0, 10);
}

/** A time of day, `23:59:00`. */
export function clockText(value: bigint, unit: TimeUnit): string {
  return timestampText(value, unit, false).slice(11);
}

/** The number `unscaled / 10^scale`, with all its decimals. */
export function decimalText(unscaled: bigint, scale: number): string {
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** A number of 32 bits, with as many digits as it takes to read the same back. */
export function singleText(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(Number(value.toPrecision(9)));
}

/** Two's complement, the most significant byte first. */
export function bigEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = value << 8n | BigInt(byte);
  return BigInt.asIntN(bytes.length * 8, value);
}

function dateTime(date: Date): string {
  const text = Number.isNaN(date.getTime()) ? "" : date.toISOString();
  if (!/^\d{4}-/.test(text)) throw new Error("it has a time that no calendar has");
  return text.slice(0, 19);
}

function padded(part: bigint, perSecond: bigint): string {
  return String(part).padStart(String(perSecond).length - 1, "0");
}
