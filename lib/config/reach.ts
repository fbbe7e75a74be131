/** How far back a series is kept, in calendar time: `5y` means five calendar years. @module */

export interface Reach {
  /** The text that was parsed. */
  readonly text: string;
  readonly count: number;
  readonly unit: ReachUnit;
}

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
 * @throws RangeError when the text is not a positive whole number followed by `h d w mo y`, or is longer than fifty
 * years.
 */
export function parseReach(text: string): Reach {
  const match = /^([1-9]\d{0,5})(h|d|w|mo|y)$/.exec(text);
  const reach = match && { text, count: Number(match[1]), unit: match[2] as ReachUnit };
  if (reach === null || nominalReachMs(reach) > REACH_YEARS_MAX * NOMINAL_MS.y) {
    const shown = JSON.stringify(text);
    throw new RangeError(
      `Cannot read reach ${shown}: expected a number and one of h d w mo y, at most ` +
        `${REACH_YEARS_MAX}y, such as 5y, 18mo, 7d`,
    );
  }
  return reach;
}

/**
 * The time that is `reach` before `nowMs`; both in milliseconds since the epoch, UTC. Months and years keep the day of
 * the month. If the month is too short, its last day is used.
 */
export function reachStartMs({ count, unit }: Reach, nowMs: number): number {
  if (unit !== "mo" && unit !== "y") return nowMs - count * NOMINAL_MS[unit];
  const now = new Date(nowMs);
  const month = now.getUTCMonth() - (unit === "y" ? 12 * count : count);
  // Day 0 of the next month is the last day of this month.
  const dayMax = new Date(Date.UTC(now.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const day = Math.min(now.getUTCDate(), dayMax);
  const timeOfDayMs = nowMs - Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
  return Date.UTC(now.getUTCFullYear(), month, day) + timeOfDayMs;
}

/** The length of a reach in milliseconds. Months and years have their mean length. */
export function nominalReachMs({ count, unit }: Pick<Reach, "count" | "unit">): number {
  return count * NOMINAL_MS[unit];
}
