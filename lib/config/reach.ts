/**
 * Which history of a series is wanted: in calendar time, `5y` means five calendar years before now; since a day,
 * `2017-01-01..`; or between two days, `2021-01-01..2023-01-01`. @module
 */

/** A length of time before now. */
interface Span {
  /** The text that was parsed. */
  readonly text: string;
  readonly count: number;
  readonly unit: ReachUnit;
}

/** The time since the beginning of a day, UTC. */
interface Days {
  readonly text: string;
  readonly sinceMs: number;
  /** The beginning of the day at which it ends, which is left out itself. @default now */
  readonly untilMs?: number;
}

/** A length of time before now, or days. */
export type Reach = Span | Days;

/** Hours, days, weeks, months, years. There is no `m`, because it could mean minutes or months. */
type ReachUnit = "h" | "d" | "w" | "mo" | "y";

const HOUR_MS = 3_600_000;

/** Mean lengths, only to compare reaches. Dates are not computed from those of months and years. */
const NOMINAL_MS: Readonly<Record<ReachUnit, number>> = {
  h: HOUR_MS,
  d: 24 * HOUR_MS,
  w: 7 * 24 * HOUR_MS,
  mo: 2_629_746_000,
  y: 12 * 2_629_746_000,
};

/** Exchanges are far younger. A longer reach is probably a typing error. */
const REACH_YEARS_MAX = 50;

/**
 * Reads a reach.
 *
 * @throws RangeError when the text is neither a positive whole number followed by `h d w mo y`, at most fifty years, nor a
 * day followed by two points, nor two days with two points between them, the later one last.
 */
export function parseReach(text: string): Reach {
  const match = /^([1-9]\d{0,5})(h|d|w|mo|y)$/.exec(text);
  const reach = match && { text, count: Number(match[1]), unit: match[2] as ReachUnit };
  if (reach !== null && nominalReachMs(reach) <= REACH_YEARS_MAX * NOMINAL_MS.y) return reach;
  const [, since, until] = /^(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)?$/.exec(text) ?? [];
  const [sinceMs, untilMs] = [dayMs(since), dayMs(until)];
  if (sinceMs !== undefined && until === undefined) return { text, sinceMs };
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs < untilMs) {
    return { text, sinceMs, untilMs };
  }
  const shown = JSON.stringify(text);
  throw new RangeError(
    `Cannot read reach ${shown}: expected a number and one of h d w mo y, at most ` +
      `${REACH_YEARS_MAX}y, such as 5y, 18mo, 7d, or since a day, such as 2017-01-01.., or between two, ` +
      "such as 2021-01-01..2023-01-01, the later one last and left out itself",
  );
}

/** The end of what a reach wants, in milliseconds since the epoch, UTC; undefined where it reaches to now. */
export function reachEndMs(reach: Reach): number | undefined {
  return "sinceMs" in reach ? reach.untilMs : undefined;
}

/** The beginning of a day, UTC; undefined when there is no such day, or it was before 1970. */
function dayMs(day: string | undefined): number | undefined {
  if (day === undefined) return undefined;
  const ms = Date.parse(`${day}T00:00:00Z`);
  // 31 February would be 3 March.
  return ms >= 0 && new Date(ms).toISOString().startsWith(day) ? ms : undefined;
}

/**
 * The time that is `reach` before `nowMs`; both in milliseconds since the epoch, UTC. Months and years keep the day of
 * the month. If the month is too short, its last day is used.
 */
export function reachStartMs(reach: Reach, nowMs: number): number {
  if ("sinceMs" in reach) return reach.sinceMs;
  const { count, unit } = reach;
  if (unit !== "mo" && unit !== "y") return nowMs - count * NOMINAL_MS[unit];
  const now = new Date(nowMs);
  const month = now.getUTCMonth() - (unit === "y" ? 12 * count : count);
  // Day 0 of the next month is the last day of this month.
  const dayMax = new Date(Date.UTC(now.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const day = Math.min(now.getUTCDate(), dayMax);
  const timeOfDayMs = nowMs - Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
  return Date.UTC(now.getUTCFullYear(), month, day) + timeOfDayMs;
}

/**
 * The length of a reach in milliseconds. Months and years have their mean length, and what began on some day is kept
 * for ever.
 */
export function nominalReachMs(reach: Reach | Pick<Span, "count" | "unit">): number {
  return "sinceMs" in reach ? Infinity : reach.count * NOMINAL_MS[reach.unit];
}
