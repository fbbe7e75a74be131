/** Reads times as files write them, and says how they are written: one file writes all in one way. @module */

/** How a time is written. */
export type TimeStyle =
  | "seconds"
  | "milliseconds"
  | "microseconds"
  | "nanoseconds"
  | "text with a time zone"
  | "text without a time zone"
  /** `2024.03.01`, as MetaTrader writes the time of a broker, which is not UTC. */
  | "MetaTrader's text";

export interface FileTime {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly style: TimeStyle;
}

/** The first Bitcoin block, 2009-01-03: no candle is older. */
export const OLDEST_CANDLE_MS = Date.UTC(2009, 0, 3);

/** Numbers such as 20240301000000 are dates, not milliseconds. */
export const NUMBER_MS_MAX = Date.UTC(2100, 0);

/** The unit of a number follows from its size, because no candle is older than 2009 or newer than 5138. */
const UNITS = [
  { below: 1e11, nanoseconds: 1_000_000_000n, style: "seconds" },
  { below: 1e14, nanoseconds: 1_000_000n, style: "milliseconds" },
  { below: 1e17, nanoseconds: 1_000n, style: "microseconds" },
  { below: 1e20, nanoseconds: 1n, style: "nanoseconds" },
] as const;

const NUMBER = /^\d{1,20}(?:\.\d*)?(?:[eE]\+?\d{1,2})?$/;

const CLOCK = String.raw`([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?`;
const ZONE = String.raw`\s*(UTC|Z|[+-]\d\d(?::?\d\d)?)?`;
const YEAR_FIRST = new RegExp(String.raw`^(\d{4})([-.])(\d\d)\2(\d\d)(?:[T ]${CLOCK}${ZONE})?$`);
/** With points, the day always stands before the month. */
const DAY_FIRST = new RegExp(String.raw`^(\d\d)\.(\d\d)\.(\d{4})(?: ${CLOCK})?$`);
/** `2024-03-02 11-PM`, as CryptoDataDownload wrote the hours of a day. */
const HALF_DAY = /^(\d{4})-(\d\d)-(\d\d) (0\d|1[0-2])-(AM|PM)$/;

/**
 * Reads a time: ISO 8601, `31.12.2024 23:59`, `2024.12.31 23:59`, or seconds, milliseconds, microseconds or nanoseconds
 * since 1970; the size of the number tells which. Undefined for anything else, and for days that no calendar has.
 *
 * @param zoneMs How far the zone of texts that name none is ahead of UTC. Milliseconds.
 */
export function readTimeText(text: string, zoneMs = 0): FileTime | undefined {
  const trimmed = text.trim();
  if (isShortNumber(trimmed)) return readWholeTime(Number(trimmed));
  if (NUMBER.test(trimmed)) return readNumber(trimmed);
  const year = YEAR_FIRST.exec(trimmed);
  if (year !== null) {
    const [, y, mark, m, d, hours, minutes, seconds, fraction, zone] = year;
    const timeMs = dateMs([y, m, d], [hours, minutes, seconds, fraction]);
    if (timeMs === undefined) return undefined;
    const aheadMs = zone === undefined ? zoneMs : readZone(zone);
    if (aheadMs === undefined) return undefined;
    const style = zone !== undefined
      ? "text with a time zone"
      : mark === "."
      ? "MetaTrader's text"
      : "text without a time zone";
    return { timeMs: timeMs - aheadMs, style };
  }
  const [, d, m, y, ...clock] = DAY_FIRST.exec(trimmed) ?? [];
  const dayFirstMs = y === undefined ? undefined : dateMs([y, m, d], clock);
  const [, year4, month, day, hour, half] = HALF_DAY.exec(trimmed) ?? [];
  const hours = Number(hour) % 12 + (half === "PM" ? 12 : 0);
  const timeMs = dayFirstMs ??
    (year4 === undefined || hour === "00" ? undefined : dateMs([year4, month, day], [`${hours}`]));
  return timeMs === undefined
    ? undefined
    : { timeMs: timeMs - zoneMs, style: "text without a time zone" };
}

/** `Z`, `UTC`, `+02:00`, `-0430` or `+02` as milliseconds ahead of UTC. */
export function readZone(text: string): number | undefined {
  if (/^(?:UTC|Z)$/i.test(text)) return 0;
  const match = /^([+-])(\d\d)(?::?(\d\d))?$/.exec(text);
  if (match === null) return undefined;
  const minutes = Number(match[2]) * 60 + Number(match[3] ?? 0);
  if (minutes > 14 * 60) return undefined;
  return (match[1] === "-" ? -minutes : minutes) * 60_000;
}

/** Whether a text is a whole number that a double holds exactly, as nearly all times of files are. */
function isShortNumber(text: string): boolean {
  if (text.length === 0 || text.length > 15) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

function readWholeTime(value: number): FileTime | undefined {
  const timeMs = wholeTimeMs(value);
  return Number.isNaN(timeMs) ? undefined : { timeMs, style: wholeTimeStyle(value) };
}

/** The time of a whole number that a double holds exactly, as {@linkcode readTimeText} reads its text; NaN where it is none. */
export function wholeTimeMs(value: number): number {
  if (value < UNITS[0].below) return value * 1_000;
  if (value < UNITS[1].below) return value < NUMBER_MS_MAX ? value : NaN;
  if (!Number.isSafeInteger(value)) return NaN;
  const micros = value % 1_000;
  const timeMs = (value - micros) / 1_000 + micros * 1_000 / 1e6;
  return timeMs < NUMBER_MS_MAX ? timeMs : NaN;
}

/** How such a number is a time. */
export function wholeTimeStyle(value: number): TimeStyle {
  if (value < UNITS[0].below) return "seconds";
  return value < UNITS[1].below ? "milliseconds" : "microseconds";
}

function readNumber(text: string): FileTime | undefined {
  const value = Number(text);
  const unit = UNITS.find(({ below }) => value < below);
  if (unit === undefined) return undefined;
  // Nanoseconds have more digits than a double.
  const nanoseconds = /^\d+$/.test(text) ? BigInt(text) * unit.nanoseconds : undefined;
  const timeMs = nanoseconds === undefined
    ? value * Number(unit.nanoseconds) / 1e6
    : Number(nanoseconds / 1_000_000n) + Number(nanoseconds % 1_000_000n) / 1e6;
  return timeMs < NUMBER_MS_MAX ? { timeMs, style: unit.style } : undefined;
}

/** JavaScript's Date rolls the 30th of February over to March: such a date is none. */
export function dateMs(
  [y, m, d]: readonly (string | undefined)[],
  [hours = "0", minutes = "0", seconds = "0", fraction = "0"]: readonly (string | undefined)[],
): number | undefined {
  const [month, day] = [Number(m), Number(d)];
  const date = new Date(
    Date.UTC(Number(y), month - 1, day, Number(hours), Number(minutes), Number(seconds)),
  );
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  return date.getTime() + Number(`0.${fraction}`) * 1000;
}
