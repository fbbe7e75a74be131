/** The candle tables: one per timeframe, created when needed. @module */
import { nominalMs, type Timeframe } from "../market/timeframe.ts";
import type { Database } from "./connection/database.ts";

/**
 * Candles of one series in a chunk: 7 days of `1m`. A smaller number makes many small chunks, a larger one few large
 * chunks.
 */
const CHUNK_CANDLES = 10_080;

const DAY_MS = 86_400_000;

/**
 * The table of a timeframe, `ohlcv_1m`. Months are spelled `ohlcv_1mo`: PostgreSQL folds unquoted names to lower case,
 * so `ohlcv_1M` would read the minutes.
 */
export function candleTable({ count, unit }: Timeframe): string {
  return `ohlcv_${count}${unit === "M" ? "mo" : unit}`;
}

/**
 * The length of a chunk in milliseconds, in whole days. Chunks start at multiples of it, counted from the Unix epoch.
 */
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

/** Creates the tables of these timeframes if they do not exist. */
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

/** Months and years have no fixed length, so they have no alignment. */
function alignmentText(timeframe: Timeframe): string | null {
  return timeframe.unit === "M" || timeframe.unit === "y" ? null : stepText(timeframe);
}

/** Weeks begin on Mondays. All other timeframes align to the Unix epoch. */
function anchorText({ unit }: Timeframe): string {
  return unit === "w" ? "1970-01-05T00:00:00Z" : "1970-01-01T00:00:00Z";
}
