/** Time zones of texts that name none: a fixed offset, or a place whose clocks change. @module */

/** What a local time may mean. */
export interface TimeZone {
  /** As the user named it. */
  readonly name: string;
  /** All times in UTC that clocks show as this local time: none in the hour that is skipped, two in the one that comes twice. Milliseconds. */
  readonly timesOf: (localMs: number) => readonly number[];
}

/** A zone that is always the same time ahead of UTC. Milliseconds. */
export function fixedZone(name: string, aheadMs: number): TimeZone {
  return { name, timesOf: (localMs) => [localMs - aheadMs] };
}

/** Zones change their offset only at whole quarters of an hour. */
const QUARTER_MS = 15 * 60_000;
const DAY_MS = 24 * 60 * 60_000;

/** A zone by its IANA name, such as `Europe/Berlin`. Undefined where there is no such zone. */
export function namedZone(name: string): TimeZone | undefined {
  if (!/^[A-Za-z_]+(?:\/[A-Za-z0-9_+-]+)+$/.test(name)) return undefined;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: name,
      hourCycle: "h23",
      ...{ year: "numeric", month: "numeric", day: "numeric" },
      ...{ hour: "numeric", minute: "numeric", second: "numeric" },
    });
  } catch {
    return undefined;
  }
  const aheadMs = (timeMs: number): number => {
    const of = (wanted: string): number =>
      Number(parts.find(({ type }) => type === wanted)?.value ?? NaN);
    const parts = format.formatToParts(timeMs);
    return Date.UTC(
      ...[of("year"), of("month") - 1, of("day")] as [number, number, number],
      ...[of("hour"), of("minute"), of("second")],
    ) - Math.floor(timeMs / 1000) * 1000;
  };
  // Files have one time after the other: most have the quarter of the one before.
  let last: { readonly quarter: number; readonly aheads: readonly number[] } | undefined;
  return {
    name,
    timesOf: (localMs) => {
      const quarter = Math.floor(localMs / QUARTER_MS);
      if (last?.quarter !== quarter) {
        const beginMs = quarter * QUARTER_MS;
        const near = new Set([aheadMs(beginMs - DAY_MS), aheadMs(beginMs + DAY_MS)]);
        last = { quarter, aheads: [...near].filter((one) => aheadMs(beginMs - one) === one) };
      }
      return last.aheads.map((one) => localMs - one).sort((a, b) => a - b);
    },
  };
}
