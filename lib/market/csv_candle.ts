/** Parses candles in CSV: finds the columns and reads times in the usual formats. @module */

/** The position of each column, from 0. */
export interface CsvColumns {
  readonly exchange: number | undefined;
  readonly symbol: number | undefined;
  readonly timeframe: number | undefined;
  readonly time: number;
  /** Positions of open, high, low, close and volume. */
  readonly values: readonly number[];
  /** Whether the first line is a header. */
  readonly hasHeader: boolean;
}

/** Known column names in lower case; earlier ones win. */
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
 * Finds the columns from a file's first line. If it begins with a number there is no header, and the columns are time,
 * open, high, low, close and volume, as in the files that Binance publishes.
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
      hasHeader: false,
    };
  }
  const header = fields.map((field) => field.replace(/^\uFEFF/, "").trim().toLowerCase());
  const find = (wanted: keyof typeof NAMES): number | undefined =>
    NAMES[wanted].map((name) => header.indexOf(name)).find((at) => at >= 0);
  const need = (wanted: keyof typeof NAMES): number => {
    const at = find(wanted);
    if (at !== undefined) return at;
    throw new Error(
      `Cannot read candles: the first line has no column ${wanted}, only ${
        header.slice(0, 20).join(", ").slice(0, 200)
      }`,
    );
  };
  return {
    exchange: find("exchange"),
    symbol: find("symbol"),
    timeframe: find("timeframe"),
    time: need("time"),
    values: VALUES.map(need),
    hasHeader: true,
  };
}

/** The separator of a line: comma, semicolon or tab, whichever is the most frequent. */
export function readSeparator(line: string): string {
  const counts = [",", ";", "\t"].map((mark) => ({ mark, times: line.split(mark).length }));
  return counts.sort((a, b) => b.times - a.times)[0]!.mark;
}

/** The fields of a line (RFC 4180). A quoted field cannot span several lines. */
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

/** The unit of a time follows from its size, because no candle is older than 1973 or newer than 5138. */
const EPOCH_UNITS = [
  { below: 1e11, times: 1000, by: 1 },
  { below: 1e14, times: 1, by: 1 },
  { below: 1e17, times: 1, by: 1e3 },
  { below: 1e20, times: 1, by: 1e6 },
] as const;

/** A time without a time zone is UTC. */
const ISO_TIME =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?\s*(?:UTC|Z|([+-]\d\d):?(\d\d)?)?)?$/;

/**
 * Reads a time as milliseconds since the Unix epoch. Accepts ISO 8601 and whole seconds, milliseconds, microseconds or
 * nanoseconds; the size of the number tells which. Undefined for anything else.
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
