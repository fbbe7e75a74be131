/** Stores a page by one statement: candles, coverage and counts together, or nothing. @module */
import type { Candle, RejectedCandle } from "../market/candle.ts";
import type { Series } from "../market/series.ts";
import { seriesName } from "../market/series.ts";
import type { Coverage } from "../market/coverage.ts";
import { addCandles } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { CANDLES, REJECTED, storableRows } from "./candle_columns.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import type { Sql } from "./connection/sql.ts";
import { type LeaseStamp, stampParameters } from "./lease_stamp.ts";
import { rememberPage } from "./page_proof.ts";
import { pageStatement, UNSETTLED, type WrittenRow } from "./page_statement.ts";
import { epochMs } from "./parameters.ts";
import { isDuplicate } from "./connection/store_error.ts";

/** What a page proved, to be stored. */
export interface PageWrite {
  /** Ascending. */
  readonly candles: readonly Candle[];
  readonly rejected: readonly RejectedCandle[];
  /** The part of the window that the exchange answered for. */
  readonly answered: Window | undefined;
  /** The exchange has nothing older than this. Milliseconds. */
  readonly reachFromMs: number | undefined;
  /**
   * True if none of the candles is expected to be stored already, because their time is not covered. If that is wrong,
   * the page is written a second time by the slower statement.
   *
   * @default false
   */
  readonly isNew?: boolean | undefined;
  /**
   * The number of the newest page that was known to be written when this page was asked for, see
   * {@linkcode newestPageNumber}. Candles of pages that may be newer are not revised.
   *
   * @default undefined: the page was not asked for, and revises whatever is stored
   */
  readonly knownPage?: number | undefined;
  /**
   * The exchange's id of the market that was asked. If the symbol means another one by now, or the series was forgotten
   * meanwhile, nothing is stored: see {@linkcode isOfOtherMarket}.
   *
   * @default undefined: not compared
   */
  readonly marketId?: string | undefined;
  /**
   * Stored candles that closed before this are given up when an answer lacks them, whatever else it tells. Milliseconds.
   *
   * @default undefined: only where the answer, or one before it, tells of something as new
   */
  readonly givenUpUntilMs?: number | undefined;
  /**
   * The lease by which the page was asked for. If a later holder has written the series, nothing is stored: see
   * {@linkcode isFenced}.
   *
   * @default undefined: not compared, as where no leases are kept
   */
  readonly stamp?: LeaseStamp | undefined;
  /** How long to wait for a lock, in milliseconds. @default LOCK_WAIT_MS_MAX */
  readonly lockWaitMs?: number | undefined;
}

/**
 * How long a page waits for the compression of its chunk. This is less than the deadline of a statement, so the server
 * itself ends the wait, and no backend keeps waiting for a client that has given up.
 */
const LOCK_WAIT_MS_MAX = 60_000;

/** What became of candles that came over a stream, when an answer told of their time. */
interface AnsweredStreamed {
  /** The answer has them, too, with the same values. */
  readonly confirmed: number;
  /** The answer has other values. */
  readonly revised: number;
  /** The answer does not have them: they were taken back. */
  readonly withdrawn: number;
}

interface PageWritten {
  /** Candles that were not stored before. */
  readonly added: number;
  /** Stored candles that had other values. */
  readonly revised: number;
  /**
   * Open time of the oldest candle that was revised, of those that an answer had told of before. Milliseconds; undefined when
   * none was.
   */
  readonly revisedFromMs: number | undefined;
  /** Open time of the oldest candle that was added to stored ones. Milliseconds; undefined when none was. */
  readonly addedFromMs: number | undefined;
  readonly streamed: AnsweredStreamed;
  /** Open time of the newest candle of the series, in milliseconds. */
  readonly lastMs: number | undefined;
  /**
   * From here on nothing is covered: candles are stored there that are not final, and no answer has told of anything so new.
   * Milliseconds; undefined when all that was answered is covered.
   */
  readonly unprovedFromMs: number | undefined;
}

/**
 * A page in the form in which it is sent. The garbage collector can free its thousand candle objects before the
 * database has answered.
 */
export interface PreparedPage {
  readonly series: Series;
  readonly isNew: boolean;
  readonly parameters: readonly (string | number | null)[];
}

export function preparePage(series: Series, page: PageWrite): PreparedPage {
  const { candles, rejected, answered, reachFromMs, knownPage } = page;
  const distinct = storableRows(rejected);
  return {
    series,
    isNew: page.isNew === true,
    parameters: [
      series.exchange,
      series.symbol,
      series.timeframe.text,
      ...CANDLES.arrays(candles),
      answered?.sinceMs ?? null,
      answered?.untilMs ?? null,
      reachFromMs ?? null,
      ...REJECTED.arrays(distinct),
      String(page.lockWaitMs ?? LOCK_WAIT_MS_MAX),
      ...UNSETTLED.arrays(unsettledOf(series, page)),
      knownPage === undefined ? null : String(knownPage),
      page.marketId ?? null,
      page.givenUpUntilMs ?? null,
      ...stampParameters(page.stamp),
    ],
  };
}

/** Prepares a page and stores it: see {@linkcode writePreparedPage}. */
export function writePage(
  database: Database,
  series: Series,
  page: PageWrite,
): Promise<PageWritten> {
  return writePreparedPage(database, preparePage(series, page));
}

/**
 * Stores a page atomically in one round trip. Repeating it changes nothing. A candle that comes back with other values
 * is revised; the table's trigger keeps its older values.
 *
 * @throws StoreError; see `isContested`, `isOfOtherMarket` and `isFenced`
 */
export async function writePreparedPage(
  database: Database,
  { series, isNew, parameters }: PreparedPage,
): Promise<PageWritten> {
  const table = candleTable(series.timeframe);
  const write = async (sql: Sql, isNew: boolean): Promise<PageWritten> => {
    const [row] = await sql.unsafe<WrittenRow[]>(pageStatement(table, isNew), [...parameters], {
      prepare: true,
    });
    newestPages.set(database, Number(row?.number));
    if (Number(row?.added) > 0) rememberPage(database, { series, number: row!.number });
    return {
      added: Number(row?.added ?? 0),
      revised: Number(row?.revised ?? 0),
      revisedFromMs: epochMs(row?.revised_from ?? null),
      addedFromMs: epochMs(row?.added_from ?? null),
      streamed: answeredOf(row),
      lastMs: epochMs(row?.last ?? null),
      unprovedFromMs: epochMs(row?.unproved_from ?? null),
    };
  };
  const action = `write a page of ${seriesName(series)}`;
  const writeOnce = async (sql: Sql): Promise<PageWritten> => {
    try {
      if (isNew) return await write(sql, true);
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    return await write(sql, false);
  };
  const written = await database.writes.note("page", () => database.run(action, writeOnce)).catch(
    (error) => {
      // Another program wrote that page: its number must be known before the exchange is asked again. Or another server
      // answers now, whose numbers may be lower.
      newestPages.delete(database);
      throw error;
    },
  );
  database.writes.tell([series]);
  return written;
}

function answeredOf(row: WrittenRow | undefined): AnsweredStreamed {
  const answered = Number(row?.streamed_answered ?? 0);
  // Of a candle whose values are the same nothing is written.
  const revised = Number(row?.streamed_revised ?? 0);
  return {
    confirmed: answered - revised,
    revised,
    withdrawn: Number(row?.streamed_withdrawn ?? 0),
  };
}

/**
 * The number of the newest page that each open database is known to have. Every page that is written returns its own.
 */
const newestPages = new WeakMap<Database, number>();

/**
 * The number of the newest page that is known to be written. Call it before asking an exchange: a page with a higher
 * number may hold newer values than the answer. Too low a number is safe, it only has some pages asked for twice: those of
 * candles that another program has changed since this one wrote its last page. So nothing is read from the database,
 * except at first and after a page that failed: no request waits for a statement.
 *
 * @throws StoreError
 */
export async function newestPageNumber(database: Database): Promise<number> {
  const known = newestPages.get(database);
  if (known !== undefined) return known;
  return await database.run("read which page is the newest", async (sql) => {
    const [row] = await sql<{ number: string }[]>`
      select case when is_called then last_value else 0 end as number from page_numbers`;
    const number = Number(row!.number);
    newestPages.set(database, number);
    return number;
  });
}

/** The candles after the answered part: they may still change. */
function unsettledOf({ timeframe }: Series, { candles, answered }: PageWrite): Coverage {
  const windows: Window[] = [];
  for (const { openTimeMs } of candles) {
    if (answered !== undefined && openTimeMs < answered.untilMs) continue;
    windows.push({ sinceMs: openTimeMs, untilMs: addCandles(timeframe, openTimeMs, 1) });
  }
  return windows;
}
