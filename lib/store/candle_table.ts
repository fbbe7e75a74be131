/** The tables candles live in: one a timeframe, made on demand. @module */
import { nominalMs, type Timeframe } from "../market/timeframe.ts";
import type { Database } from "./connection/database.ts";

/** Candles of one series in a chunk: 7 days of `1m`. Fewer make many small chunks, more make few large ones. */
const CHUNK_CANDLES = 10_080;

const DAY_MS = 86_400_000;

/**
 * The table of a timeframe, `ohlcv_1m`. Months are spelled `ohlcv_1mo`: unquoted SQL names have one case, and
 * `ohlcv_1M` would silently read minutes.
 */
export function candleTable({ count, unit }: Timeframe): string {
  return `ohlcv_${count}${unit === "M" ? "mo" : unit}`;
}

/** The length of a chunk in milliseconds, whole days. Chunks start at multiples of it since the Unix epoch. */
export function chunkMs(timeframe: Timeframe): number {
  return Math.max(DAY_MS, Math.round(CHUNK_CANDLES * nominalMs(timeframe) / DAY_MS) * DAY_MS);
}

/** The time from one candle to the next, as a PostgreSQL interval. */
export function stepText({ count, unit }: Timeframe): string {
  const units = {
    s: "seconds",
    m: "minutes",
    h: "hours",
    d: "days",
    w: "weeks",
    M: "months",
    y: "years",
  } as const;
  return `${count} ${units[unit]}`;
}

/** Makes the tables of these timeframes where they are not there yet. */
export async function ensureCandleTables(
  database: Database,
  timeframes: readonly Timeframe[],
): Promise<void> {
  for (const timeframe of timeframes) {
    await database.run(`make the table of timeframe ${timeframe.text}`, async (sql) => {
      await sql`select titan10_add_timeframe(
        ${timeframe.text}, ${candleTable(timeframe)}, ${`${
        chunkMs(timeframe) / DAY_MS
      } days`}::interval,
        ${alignmentText(timeframe)}::interval, ${anchorText(timeframe)}::timestamptz)`;
    });
  }
}

/** The step of months and years is not fixed, so that they have none to align to. */
function alignmentText(timeframe: Timeframe): string | null {
  return timeframe.unit === "M" || timeframe.unit === "y" ? null : stepText(timeframe);
}

/** Weeks open on Mondays; everything else divides the Unix epoch. */
function anchorText({ unit }: Timeframe): string {
  return unit === "w" ? "1970-01-05T00:00:00Z" : "1970-01-01T00:00:00Z";
}
