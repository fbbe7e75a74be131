/** Understands candles in CSV: which column holds what, and times as people and exchanges write them. @module */

/** Where a file keeps what; positions from 0. */
export interface CsvColumns {
  readonly exchange: number | undefined;
  readonly symbol: number | undefined;
  readonly timeframe: number | undefined;
  readonly time: number;
  /** Of open, high, low, close and volume. */
  readonly values: readonly number[];
  /** Whether the first line names the columns, and is no candle. */
  readonly hasHead: boolean;
}

/** Names in use, in lower case, the surest first. */
const NAMES = {
  exchange: ["exchange"],
  symbol: ["symbol"],
  timeframe: ["timeframe"],
  time: ["time", "open_time", "open time", "opentime", "timestamp", "datetime", "date", "unix"],
  open: ["open"],
  high: ["high"],
  low: ["low"],
  close: ["close"],
  volume: ["volume", "vol"],
} as const;

const VALUES = ["open", "high", "low", "close", "volume"] as const;

/**
 * Reads which column holds what from a file's first line. One that begins with a number has no names: then the columns
 * are time, open, high, low, close and volume, as in the files that Binance publishes.
 *
 * @throws Error when a column is missing.
 */
export function readColumns(fields: readonly string[]): CsvColumns {
  if (/^\d+$/.test(fields[0]?.trim() ?? "")) {
    return {
      exchange: undefined,
      symbol: undefined,
      timeframe: undefined,
      time: 0,
      values: [1, 2, 3, 4, 5],
      hasHead: false,
    };
  }
  const head = fields.map((field) => field.replace(/^\uFEFF/, "").trim().toLowerCase());
  const find = (wanted: keyof typeof NAMES): number | undefined =>
    NAMES[wanted].map((name) => head.indexOf(name)).find((at) => at >= 0);
  const need = (wanted: keyof typeof NAMES): number => {
    const at = find(wanted);
    if (at !== undefined) return at;
    throw new Error(
      `Cannot read candles: the first line names no column ${wanted}, but ${
        head.slice(0, 20).join(", ").slice(0, 200)
      }`,
    );
  };
  return {
    exchange: find("exchange"),
    symbol: find("symbol"),
    timeframe: find("timeframe"),
    time: need("time"),
    values: VALUES.map(need),
    hasHead: true,
  };
}

/** What separates the fields of a line: a comma, a semicolon or a tab, whichever it has most of. */
export function readSeparator(line: string): string {
  const counts = [",", ";", "\t"].map((mark) => ({ mark, times: line.split(mark).length }));
  return counts.sort((a, b) => b.times - a.times)[0]!.mark;
}

/** The fields of a line after RFC 4180; a quotation does not go on in the next line. */
export function csvFields(line: string, separator: string): readonly string[] {
  if (!line.includes('"')) return line.split(separator);
  const fields: string[] = [];
  for (let at = 0; at <= line.length;) {
    const quoted = line[at] === '"' ? /^"((?:[^"]|"")*)"/.exec(line.slice(at)) : null;
    const begin = at + (quoted?.[0].length ?? 0);
    const next = line.indexOf(separator, begin);
    const end = next < 0 ? line.length : next;
    fields.push((quoted?.[1]?.replaceAll('""', '"') ?? "") + line.slice(begin, end));
    at = end + 1;
  }
  return fields;
}

/** No candle is of before 1973 or after 5138, so that a number's size tells its unit. */
const EPOCH_UNITS = [
  { below: 1e11, times: 1000, by: 1 },
  { below: 1e14, times: 1, by: 1 },
  { below: 1e17, times: 1, by: 1e3 },
  { below: 1e20, times: 1, by: 1e6 },
] as const;

/** With a time zone, or without one, which is UTC. */
const ISO_TIME =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?\s*(?:UTC|Z|([+-]\d\d):?(\d\d)?)?)?$/;

/**
 * A time as milliseconds since the Unix epoch: ISO 8601, or a whole number of seconds, milliseconds, microseconds or
 * nanoseconds, told apart by how large it is. Undefined for anything else.
 */
export function readTimeText(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d{1,20}(?:\.0*)?$/.test(trimmed)) {
    const value = Number(trimmed);
    const unit = EPOCH_UNITS.find(({ below }) => value < below);
    return unit === undefined ? undefined : value * unit.times / unit.by;
  }
  const match = ISO_TIME.exec(trimmed);
  if (match === null) return undefined;
  const [, date, clock = "00:00", seconds = ":00", hours, minutes = "00"] = match;
  const timeMs = Date.parse(
    `${date}T${clock}${seconds}${hours === undefined ? "Z" : `${hours}:${minutes}`}`,
  );
  return Number.isNaN(timeMs) ? undefined : timeMs;
}
