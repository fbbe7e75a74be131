/** Reads times in the way that a user names: a unit of numbers, or a pattern of texts. @module */
import { dateMs, type FileTime, NUMBER_MS_MAX, readTimeText, readZone } from "./csv_time.ts";
import type { TimeZone } from "./time_zone.ts";

/** A local time that its zone's clocks show twice, or never. */
export interface TimeFault {
  readonly zone: string;
  readonly times: readonly number[];
}

/** How to read times; undefined is what cannot be read so. */
export interface TimeFormat {
  readonly name: string;
  readonly read: (text: string, zone: TimeZone | undefined) => FileTime | TimeFault | undefined;
  /**
   * Whether whole numbers are read as by `wholeTimeMs`.
   *
   * @default false: their texts have to be read
   */
  readonly hasWholeTimes?: boolean;
}

/** The units that numbers may have. */
const UNITS = {
  s: { ns: 1_000_000_000n, style: "seconds" },
  ms: { ns: 1_000_000n, style: "milliseconds" },
  us: { ns: 1_000n, style: "microseconds" },
  ns: { ns: 1n, style: "nanoseconds" },
} as const;

/** The directives of a pattern, as in C's `strptime`. */
const DIRECTIVES: Readonly<Record<string, string>> = {
  Y: String.raw`(?<Y>\d{4})`,
  y: String.raw`(?<y>\d\d)`,
  m: String.raw`(?<m>\d{1,2})`,
  d: String.raw`(?<d>\d{1,2})`,
  b: "(?<b>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*",
  H: String.raw`(?<H>\d{1,2})`,
  I: String.raw`(?<I>\d{1,2})`,
  p: "(?<p>am|pm)",
  M: String.raw`(?<M>\d{1,2})`,
  S: String.raw`(?<S>\d{1,2})`,
  f: String.raw`(?<f>\d{1,9})`,
  z: String.raw`(?<z>UTC|Z|[+-]\d\d(?::?\d\d)?)`,
  "%": "%",
};

/** What `--time-format` takes, for messages. */
export const TIME_FORMATS = "s, ms, us, ns, excel, or a pattern such as '%d.%m.%Y %H:%M'";

/**
 * Reads what `--time-format` says.
 *
 * @throws Error that says what is wrong with it.
 */
export function parseTimeFormat(text: string): TimeFormat {
  if (Object.hasOwn(UNITS, text)) {
    return { name: text, read: unitReader(text as keyof typeof UNITS) };
  }
  if (text === "excel") return { name: text, read: readExcel };
  return { name: text, read: patternReader(text) };
}

/** Times as they are written, where that leaves no doubt. */
export const PLAIN_TIMES: TimeFormat = {
  name: "as written",
  read: (text, zone) => {
    const time = readTimeText(text);
    const hasNoZone = time?.style === "text without a time zone" ||
      time?.style === "MetaTrader's text";
    return time !== undefined && hasNoZone ? inZone(time.timeMs, zone, time.style) : time;
  },
  hasWholeTimes: true,
};

function unitReader(unit: keyof typeof UNITS): TimeFormat["read"] {
  const { ns, style } = UNITS[unit];
  return (text) => {
    const trimmed = text.trim();
    if (!/^\d{1,20}(?:\.\d*)?(?:[eE]\+?\d{1,2})?$/.test(trimmed)) return undefined;
    // Nanoseconds have more digits than a double.
    const whole = /^\d+$/.test(trimmed) ? BigInt(trimmed) * ns : undefined;
    const timeMs = whole === undefined
      ? Number(trimmed) * Number(ns) / 1e6
      : Number(whole / 1_000_000n) + Number(whole % 1_000_000n) / 1e6;
    return timeMs < NUMBER_MS_MAX ? { timeMs, style } : undefined;
  };
}

/** Day 0 of Excel's calendar, which has a 29th of February 1900 that was none: all later days are right. */
const EXCEL_BEGIN_MS = Date.UTC(1899, 11, 30);
const DAY_MS = 24 * 60 * 60_000;
/** Days with as many decimals as Excel writes are exact to some milliseconds. */
const EXCEL_SLACK_MS = 50;

function readExcel(text: string, zone: TimeZone | undefined): ReturnType<TimeFormat["read"]> {
  const trimmed = text.trim().replace(",", ".");
  if (!/^\d{5}(?:\.\d*)?$/.test(trimmed)) return undefined;
  const exactMs = EXCEL_BEGIN_MS + Number(trimmed) * DAY_MS;
  const secondMs = Math.round(exactMs / 1000) * 1000;
  const localMs = Math.abs(secondMs - exactMs) <= EXCEL_SLACK_MS ? secondMs : exactMs;
  return inZone(localMs, zone, "text without a time zone");
}

function patternReader(pattern: string): TimeFormat["read"] {
  const fail = (why: string): never => {
    throw new Error(`${why}. Allowed are ${TIME_FORMATS}`);
  };
  const seen = new Set<string>();
  const source = pattern.replaceAll(/%(.?)|[^%]+/g, (part, letter?: string) => {
    if (letter === undefined) return part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
    const directive = Object.hasOwn(DIRECTIVES, letter) ? DIRECTIVES[letter]! : undefined;
    if (directive === undefined) {
      return fail(`%${letter} is not known; those that are: %Y %y %m %b %d %H %I %p %M %S %f %z`);
    }
    if (letter !== "%" && seen.has(letter)) fail(`%${letter} stands twice in it`);
    seen.add(letter);
    return directive;
  });
  const has = (...letters: readonly string[]): boolean => letters.some((one) => seen.has(one));
  if (!has("Y", "y") || !has("m", "b") || !has("d")) {
    fail("it needs a year (%Y), a month (%m or %b) and a day (%d)");
  }
  if (has("I") !== has("p")) fail("%I needs %p, and %p needs %I");
  const expression = new RegExp(`^${source}$`, "i");
  return (text, zone) => {
    const found = expression.exec(text.trim())?.groups;
    if (found === undefined) return undefined;
    const month = found.m ?? (found.b && String(MONTHS.indexOf(found.b.toLowerCase()) / 3 + 1));
    const hour = found.I === undefined ? found.H : halfDayHour(found.I, found.p!);
    if (hour === undefined && found.I !== undefined) return undefined;
    if (Number(hour ?? 0) > 23 || Number(found.M ?? 0) > 59 || Number(found.S ?? 0) > 59) {
      return undefined;
    }
    const year = found.Y ?? (found.y && `20${found.y}`);
    const localMs = dateMs([year, month, found.d], [hour, found.M, found.S, found.f]);
    if (localMs === undefined) return undefined;
    if (found.z === undefined) return inZone(localMs, zone, "text without a time zone");
    const aheadMs = readZone(found.z);
    return aheadMs === undefined
      ? undefined
      : { timeMs: localMs - aheadMs, style: "text with a time zone" };
  };
}

const MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec";

function halfDayHour(hour: string, half: string): string | undefined {
  const number = Number(hour);
  if (number < 1 || number > 12) return undefined;
  return String(number % 12 + (half.toLowerCase() === "pm" ? 12 : 0));
}

/** A local time in UTC, unless its clock shows it twice or never. */
function inZone(
  localMs: number,
  zone: TimeZone | undefined,
  style: FileTime["style"],
): FileTime | TimeFault {
  const times = zone === undefined ? [localMs] : zone.timesOf(localMs);
  return times.length === 1 ? { timeMs: times[0]!, style } : { zone: zone!.name, times };
}
