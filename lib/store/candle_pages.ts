/** Reads stored candles in bounded pages, oldest first, from one exchange or merged from several. @module */
import type { Series } from "../market/series.ts";
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import { type Window, windowCandles } from "../market/window.ts";
import { candleTable } from "./candle_table.ts";
import { BASE_VOLUME, unitsOf } from "./base_volume.ts";
import type { Database } from "./connection/database.ts";
import { textArray } from "./parameters.ts";

/**
 * The most candles in a page: 700 kB of text. The embedded server reads this many in a few milliseconds, so other
 * statements do not wait long.
 */
export const PAGE_ROWS_MAX = 10_000;

/**
 * One stored candle: open time in milliseconds, then open, high, low, close and volume as decimal texts; a price that nobody
 * trades has no volume.
 */
export type StoredRow = readonly [number, string, string, string, string, string | null];

/**
 * One stored candle with its volume in the base currency, null where that does not follow exactly from the candle. Last,
 * where it was asked for, whether it is provisional: it came over a stream, and no answer of the exchange has told of it yet.
 */
export type BaseRow = readonly [...StoredRow, string | null, boolean?];

/**
 * One merged candle: as a {@linkcode BaseRow}, with the exchanges it came from behind the volumes. Its volume is null where
 * those of its sources count different things.
 */
export type MergedRow = readonly [
  ...StoredRow,
  string | null,
  string[],
  boolean?,
];

/** What to read besides the values of candles, and what not. */
export interface Marking {
  /** Whether to read provisional candles, too, and to say which these are. @default false: they are left out */
  readonly isMarked?: boolean;
  /** Whether to leave out what no answer has covered: it closed only just, or came over a stream. @default false */
  readonly isFinalOnly?: boolean;
}

/** A series that holds candles. */
export interface StoredSeries {
  readonly series: Series;
  readonly candles: number;
  /** Open times of the first and the newest candle, in milliseconds. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/** The series that hold candles, by exchange, symbol and timeframe. */
export async function readStoredSeries(database: Database): Promise<readonly StoredSeries[]> {
  return await database.run("read which series there are", async (sql) => {
    const rows = await sql<StoredSeriesRow[]>`
      select exchange, symbol, timeframe, candles, first, last from checkpoints
      where first is not null and last is not null
      order by exchange, symbol, timeframe`;
    return rows.map(({ exchange, symbol, timeframe, candles, first, last }) => ({
      series: { exchange, symbol, timeframe: parseTimeframe(timeframe) },
      candles: Number(candles),
      firstMs: first.getTime(),
      lastMs: last.getTime(),
    }));
  });
}

interface StoredSeriesRow {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  readonly candles: string;
  readonly first: Date;
  readonly last: Date;
}

/**
 * All candles of a series in a window of at most {@linkcode PAGE_ROWS_MAX} candles. The times are literals in the
 * statement, so that PostgreSQL plans only for the one or two chunks that hold them. With parameters, the embedded
 * server takes 500 MB for an archive of a hundred chunks.
 */
export async function readCandlePage(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  window: Window,
): Promise<readonly StoredRow[]> {
  assertPage(timeframe, window);
  return await database.run(
    `read candles of ${exchange} ${symbol} ${timeframe.text}`,
    async (sql) => {
      return await sql.unsafe(
        `select ${MILLISECONDS}, open, high, low, close, volume
       from ${candleTable(timeframe)}
       where exchange = $1 and symbol = $2 and ${isWithin(window)}
       order by time`,
        [exchange, symbol],
      ).values() as unknown as readonly StoredRow[];
    },
  );
}

/** The same with their base volumes, but without those that are provisional unless they are marked. */
export async function readBasePage(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  { isMarked = false, isFinalOnly = false, ...window }: Window & Marking,
): Promise<readonly BaseRow[]> {
  assertPage(timeframe, window);
  return await database.run(
    `read candles of ${exchange} ${symbol} ${timeframe.text}`,
    async (sql) => {
      return await sql.unsafe(
        `select ${MILLISECONDS}, open, high, low, close, volume, ${BASE_VOLUME}
                ${isMarked ? `, ${isIn("streamed * unsettled")}` : ""}
       from ${candleTable(timeframe)} as candle ${unitsOf("$2")}
       where candle.exchange = $1 and candle.symbol = $2 and ${isWithin(window)}
         ${isFinalOnly ? `and not ${isIn("unsettled")}` : ""}
         ${isMarked || isFinalOnly ? "" : `and not ${isIn("streamed * unsettled")}`}
       order by time`,
        [exchange, symbol, timeframe.text],
      ).values() as unknown as readonly BaseRow[];
    },
  );
}

/** Whether a candle of the series `$1 $2 $3` lies in one of its ranges in the ledger. */
function isIn(ranges: string): string {
  return `coalesce((select ${ranges} from checkpoints
                  where exchange = $1 and symbol = $2 and timeframe = $3) @> time, false)`;
}

export function assertPage(timeframe: Timeframe, window: Window): void {
  if (windowCandles(timeframe, window) <= PAGE_ROWS_MAX) return;
  throw new RangeError(`Cannot read more than ${PAGE_ROWS_MAX} candles at once`);
}

export function isWithin({ sinceMs, untilMs }: Window): string {
  return `time >= ${timeLiteral(sinceMs)} and time < ${timeLiteral(untilMs)}`;
}

function timeLiteral(timeMs: number): string {
  return `'${new Date(timeMs).toISOString()}'::timestamptz`;
}

/** What to merge. */
interface Merging {
  readonly symbol: string;
  readonly timeframe: Timeframe;
  /** The exchanges to merge, in order of preference. All others are left out. */
  readonly exchanges: readonly string[];
  readonly method: MergeMethod;
}

/** See the function `ohlcv_merged`. */
export type MergeMethod = "primary" | "volume";

/** The exchanges that have candles of a symbol in a window, highest volume in the base currency first. */
export async function readExchangesByVolume(
  database: Database,
  { symbol, timeframe }: Pick<Merging, "symbol" | "timeframe">,
  { sinceMs, untilMs }: Window,
): Promise<readonly string[]> {
  return await database.run(`read who trades ${symbol} ${timeframe.text} most`, async (sql) => {
    const rows = await sql.unsafe<{ exchange: string }[]>(
      `select candle.exchange from ${candleTable(timeframe)} as candle ${unitsOf("$1")}
       where candle.symbol = $1
         and time >= to_timestamp($2::float8 / 1000.0) and time < to_timestamp($3::float8 / 1000.0)
       group by candle.exchange
       order by sum(${BASE_VOLUME}) desc nulls last, sum(volume) desc nulls last, candle.exchange`,
      [symbol, sinceMs, untilMs],
    );
    return rows.map(({ exchange }) => exchange);
  });
}

/**
 * All merged candles of a window of at most {@linkcode PAGE_ROWS_MAX} candles. The order of the exchanges must be
 * given, because the order that `ohlcv_merged` chooses by itself differs from window to window. Those that are made of a
 * provisional one are left out unless they are marked.
 */
export async function readMergedPage(
  database: Database,
  { symbol, timeframe, exchanges, method }: Merging,
  { isMarked = false, isFinalOnly = false, ...window }: Window & Marking,
): Promise<readonly MergedRow[]> {
  assertPage(timeframe, window);
  return await database.run(`merge candles of ${symbol} ${timeframe.text}`, async (sql) => {
    const rows = await sql.unsafe(
      `select ${MILLISECONDS}, open, high, low, close, volume, volume_base, to_json(sources) ${
        isMarked ? ", provisional" : ""
      }
       from ohlcv_merged($1, $2, to_timestamp($3::float8 / 1000.0), to_timestamp($4::float8 / 1000.0), $5::text[], $6,
                         $7::boolean)
       ${isMarked ? "" : "where not provisional"}
       order by time`,
      [
        ...[timeframe.text, symbol, window.sinceMs, window.untilMs, textArray(exchanges), method],
        isFinalOnly,
      ],
      { prepare: true },
    ).values();
    return rows as unknown as readonly MergedRow[];
  });
}

export const MILLISECONDS = "(extract(epoch from time) * 1000)::float8";
