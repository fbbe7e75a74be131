/** Reads times as the server writes them under the DateStyle that every connection asks for. @module */

const TIME =
  /^(\d{4,6})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-])(\d\d)(?::?(\d\d))?)?)?$/;

/**
 * Reads a `date`, `timestamp` or `timestamptz`. A text without an offset is UTC. Microseconds are cut off.
 *
 * @throws TypeError on any other text, such as "21.11.2026": a guess would be a wrong time.
 */
export function readTime(text: string): Date {
  const found = TIME.exec(text);
  if (found === null) {
    throw new TypeError(`Cannot read a time of the server: ${JSON.stringify(text)} is not ISO`);
  }
  const [, year, month, day, hour = 0, minute = 0, second = 0, fraction = "", sign, ...offset] =
    found;
  const offsetMinutes = (sign === "-" ? -1 : 1) *
    (Number(offset[0] ?? 0) * 60 + Number(offset[1] ?? 0));
  const time = new Date(0);
  time.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  time.setUTCHours(
    Number(hour),
    Number(minute) - offsetMinutes,
    Number(second),
    Number(fraction.padEnd(3, "0").slice(0, 3)),
  );
  return time;
}
