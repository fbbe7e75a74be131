/** Flags whose value is a time. @module */
import { InvalidArgumentError } from "@commander-js/extra-typings";

/** Parses ISO 8601. A date means its midnight. A time without a zone is UTC. Returns milliseconds. */
export function timeFlag(text: string): number {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/
    .exec(text.trim());
  const timeMs = match === null
    ? NaN
    : Date.parse(`${match[1]}T${match[2] ?? "00:00"}${match[3] ?? "Z"}`);
  // 31 February would be 2 March.
  const isDay = match !== null && isCalendarDay(match[1]!);
  if (Number.isNaN(timeMs) || !isDay) {
    throw new InvalidArgumentError("expected 2024-01-31 or 2024-01-31T12:00Z");
  }
  return timeMs;
}

function isCalendarDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}
