/** Dates as the user writes and reads them: in UTC or another time zone, and when candles open. @module */
import { addCandles, time } from "./text.js";

/** @typedef {{ readonly zone: string, readonly timeframe: string }} Writing in which zone, and candles of which length */

const DAY_MS = 86_400_000;

/** No zone changes its offset more often than that. */
const OFFSET_MS = 900_000;

/** @type {Map<string, { format: Intl.DateTimeFormat, offsets: Map<number, number> }>} */
const ZONES = new Map();

/** The first Monday after 1970 began. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

/**
 * The open time of the candle that contains a time.
 * @param {string} timeframe
 * @param {number} timeMs
 * @returns {number}
 */
export function floorTime(timeframe, timeMs) {
  const [, number = "1", unit] = /^(\d+)(\w)$/.exec(timeframe) ?? [];
  if (unit === "M" || unit === "y") {
    const months = Number(number) * (unit === "y" ? 12 : 1);
    const date = new Date(timeMs);
    const month = (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
    return Date.UTC(1970, Math.floor(month / months) * months, 1);
  }
  const stepMs = addCandles(timeframe, 0, 1);
  const anchorMs = unit === "w" ? FIRST_MONDAY_MS : 0;
  return Math.floor((timeMs - anchorMs) / stepMs) * stepMs + anchorMs;
}

/** Days and longer candles begin at midnight in UTC, so their dates are UTC in every zone. @param {Writing} writing */
export function zoneOf({ zone, timeframe }) {
  return /[dwMy]$/.test(timeframe) ? "UTC" : zone;
}

/**
 * What a clock on the wall shows, as if it were UTC.
 * @param {string} zone
 * @param {number} timeMs
 * @returns {number}
 */
export function wallTime(zone, timeMs) {
  return zone === "UTC" ? timeMs : timeMs + offsetOf(zone, timeMs);
}

/** @param {string} zone @param {number} timeMs @returns {number} milliseconds east of UTC */
function offsetOf(zone, timeMs) {
  let known = ZONES.get(zone);
  if (known === undefined) {
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    known = { format, offsets: new Map() };
    ZONES.set(zone, known);
  }
  const at = Math.floor(timeMs / OFFSET_MS) * OFFSET_MS;
  const found = known.offsets.get(at);
  if (found !== undefined) return found;
  const part = Object.fromEntries(
    known.format.formatToParts(at).map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  const offset = Date.UTC(year, month - 1, day, hour, minute, second) - at;
  known.offsets.set(at, offset);
  return offset;
}

/**
 * When a clock on the wall shows that: the first time where it does so twice, and as much later as the clock was moved
 * where it never does.
 * @param {string} zone
 * @param {number} wallMs
 * @returns {number}
 */
function instantOf(zone, wallMs) {
  if (zone === "UTC") return wallMs;
  const before = wallMs - offsetOf(zone, wallMs - DAY_MS);
  const after = wallMs - offsetOf(zone, wallMs + DAY_MS);
  const [first] = [before, after].sort((a, b) => a - b)
    .filter((timeMs) => wallTime(zone, timeMs) === wallMs);
  return first ?? before;
}

/**
 * `2026-01-31 12:05`, with the offset where the zone is not UTC: `2026-01-31 13:05 UTC+1`.
 * @param {number} timeMs
 * @param {Writing} writing
 * @returns {string}
 */
export function dateText(timeMs, writing) {
  const zone = zoneOf(writing);
  if (zone !== "UTC") return `${fieldText(timeMs, writing)} ${offsetName(zone, timeMs)}`;
  const text = time(new Date(timeMs).toISOString());
  return writing.zone === "UTC" ? text : `${text} UTC`;
}

/**
 * A span: `2026-01-31 12:05 – 12:19`. The day and the offset are written again only where they differ.
 * @param {number} sinceMs
 * @param {number} untilMs
 * @param {Writing} writing
 * @returns {string}
 */
export function spanText(sinceMs, untilMs, writing) {
  const [since, until] = [dateText(sinceMs, writing), dateText(untilMs, writing)];
  const isOneDay = since.length > 10 && until.startsWith(`${since.slice(0, 10)} `);
  const suffix = / UTC\S*$/.exec(until)?.[0] ?? "";
  const begin = suffix !== "" && since.endsWith(suffix) ? since.slice(0, -suffix.length) : since;
  return `${begin} – ${isOneDay ? until.slice(11) : until}`;
}

/**
 * As it is written into a field, without the offset.
 * @param {number} timeMs
 * @param {Writing} writing
 * @returns {string}
 */
export function fieldText(timeMs, writing) {
  const [day = "", clock = ""] = new Date(wallTime(zoneOf(writing), timeMs)).toISOString()
    .split("T");
  if (/[dwMy]$/.test(writing.timeframe)) return day;
  return `${day} ${clock.slice(0, writing.timeframe.endsWith("s") ? 8 : 5)}`;
}

/** @param {string} zone @param {number} timeMs @returns {string} `UTC+5:30` */
export function offsetName(zone, timeMs) {
  const minutes = Math.round((wallTime(zone, timeMs) - timeMs) / 60_000);
  const far = Math.abs(minutes);
  const rest = far % 60 === 0 ? "" : `:${String(far % 60).padStart(2, "0")}`;
  return minutes === 0 ? "UTC" : `UTC${minutes < 0 ? "−" : "+"}${Math.floor(far / 60)}${rest}`;
}

/**
 * Reads `2024`, `2024-03`, `2024-03-01`, `2024-03-01 12:30`, `2024-03-01T12:30:15`; with `Z` it is UTC in every zone.
 * @param {string} text
 * @param {string} zone
 * @returns {{ readonly sinceMs: number, readonly untilMs: number } | undefined} the time that it names, a year, a day or
 *   a minute; undefined if it is no date
 */
export function readDate(text, zone) {
  const [whole, ...groups] =
    /^(\d{4})(?:-(\d\d?)(?:-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:\.0+)?)?)?)?)?( ?Z)?$/i.exec(
      text.trim(),
    ) ?? [];
  if (whole === undefined) return undefined;
  const numbers = groups.slice(0, 6).filter((group) => group !== undefined).map(Number);
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = numbers;
  const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
  // What overflows, as 31 February, is no date.
  const read = new Date(wallMs);
  const isDate = read.getUTCMonth() === month - 1 && read.getUTCDate() === day && hour < 24 &&
    minute < 60 && second < 60 && year > 0;
  if (!isDate) return undefined;
  const nextMs = numbers.length < 3
    ? Date.UTC(numbers.length === 1 ? year + 1 : year, numbers.length === 1 ? 0 : month, 1)
    : wallMs + ([DAY_MS, DAY_MS, 60_000, 1_000][numbers.length - 3] ?? 1_000);
  const own = groups[6] === undefined ? zone : "UTC";
  return { sinceMs: instantOf(own, wallMs), untilMs: instantOf(own, nextMs) };
}
