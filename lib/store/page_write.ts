/** The one statement that stores a page: candles, coverage and counts together, or nothing. @module */
import type { Candle, RejectedCandle } from "../market/candle.ts";
import type { Series } from "../market/series.ts";
import { seriesName } from "../market/series.ts";
import type { Coverage } from "../market/coverage.ts";
import { addCandles } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { CANDLES, pageRows, REJECTED, REPLACED_VALUES, valuesOf } from "./candle_columns.ts";
import { candleTable } from "./candle_table.ts";
import { ADDED_TIMES, fillGaps } from "./filled_gaps.ts";
import type { Database } from "./connection/database.ts";
import type { Sql } from "./connection/sql.ts";
import { columns, epochMs } from "./parameters.ts";
import { isContested, isDuplicate } from "./connection/store_error.ts";

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
   * The exchange's id of the market that was asked. If the symbol means another one by now, nothing is stored: see
   * {@linkcode isOfOtherMarket}.
   *
   * @default undefined: not compared
   */
  readonly marketId?: string | undefined;
  /** How long to wait for a lock, in milliseconds. @default LOCK_WAIT_MS_MAX */
  readonly lockWaitMs?: number | undefined;
}

/**
 * How long a page waits for the compression of its chunk. This is less than the deadline of a statement, so the server
 * itself ends the wait, and no backend keeps waiting for a client that has given up.
 */
const LOCK_WAIT_MS_MAX = 60_000;

interface PageWritten {
  /** Candles that were not stored before. */
  readonly added: number;
  /** Stored candles that had other values. */
  readonly revised: number;
  /** Open time of the oldest candle that was revised. Milliseconds; undefined when none was. */
  readonly revisedFromMs: number | undefined;
  /** Open time of the newest candle of the series, in milliseconds. */
  readonly lastMs: number | undefined;
  /** Stored candles in the answered part that are not covered, because no row came that is as new: they stay young. */
  readonly unproved: Coverage;
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
  const distinct = distinctRows(rejected);
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
 * @throws StoreError; see {@linkcode isContested} and {@linkcode isOfOtherMarket}
 */
export async function writePreparedPage(
  database: Database,
  { series, isNew, parameters }: PreparedPage,
): Promise<PageWritten> {
  const table = candleTable(series.timeframe);
  const write = async (sql: Sql, isNew: boolean): Promise<PageWritten> => {
    const [row] = await sql.unsafe<WrittenRow[]>(statement(table, isNew), [...parameters], {
      prepare: true,
    });
    newestPages.set(database, Number(row?.number));
    return {
      added: Number(row?.added ?? 0),
      revised: Number(row?.revised ?? 0),
      revisedFromMs: epochMs(row?.revised_from ?? null),
      lastMs: epochMs(row?.last ?? null),
      unproved: row?.unproved ?? [],
    };
  };
  return await database.run(`write a page of ${seriesName(series)}`, async (sql) => {
    try {
      if (isNew) return await write(sql, true);
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    return await write(sql, false);
  }).catch((error) => {
    // Another program wrote that page: its number must be known before the exchange is asked again.
    if (isContested(error)) newestPages.delete(database);
    throw error;
  });
}

/**
 * The number of the newest page that each open database is known to have. Every page that is written returns its own.
 */
const newestPages = new WeakMap<Database, number>();

/**
 * The number of the newest page that is known to be written. Call it before asking an exchange: a page with a higher
 * number may hold newer values than the answer. Too low a number is safe, it only has some pages asked for twice.
 *
 * @param isExact whether pages count that other programs have written since this one wrote its last. That costs a
 * statement, and is worth it where stored candles are asked for again.
 * @throws StoreError
 */
export async function newestPageNumber(
  database: Database,
  { isExact }: { readonly isExact: boolean },
): Promise<number> {
  // No other program writes to the embedded database.
  const isKnown = !isExact || database.kind === "embedded";
  const known = isKnown ? newestPages.get(database) : undefined;
  if (known !== undefined) return known;
  return await database.run("read which page is the newest", async (sql) => {
    const [row] = await sql<{ number: string }[]>`
      select case when is_called then last_value else 0 end as number from page_numbers`;
    const number = Number(row!.number);
    newestPages.set(database, number);
    return number;
  });
}

const UNSETTLED = columns<Window>({
  since_ms: ["float8", ({ sinceMs }) => sinceMs],
  until_ms: ["float8", ({ untilMs }) => untilMs],
});

/** The candles after the answered part: they may still change. */
function unsettledOf({ timeframe }: Series, { candles, answered }: PageWrite): Coverage {
  const windows: Window[] = [];
  for (const { openTimeMs } of candles) {
    if (answered !== undefined && openTimeMs < answered.untilMs) continue;
    windows.push({ sinceMs: openTimeMs, untilMs: addCandles(timeframe, openTimeMs, 1) });
  }
  return windows;
}

interface WrittenRow {
  readonly number: string;
  readonly added: string;
  readonly revised: string;
  readonly revised_from: Date | null;
  readonly last: Date | null;
  readonly unproved: Coverage | null;
}

/** Removes repeated rows, because one statement cannot update the same row of `rejected_candles` twice. */
function distinctRows(rejected: readonly RejectedCandle[]): readonly RejectedCandle[] {
  return [...new Map(rejected.map((candle) => [candle.row, candle])).values()];
}

const statements = new Map<string, string>();

/** The open times of the page's first and last candle. */
const FIRST_TIME = "to_timestamp(($4::float8[])[1] / 1000.0)";
const LAST_TIME = "to_timestamp(($4::float8[])[cardinality($4::float8[])] / 1000.0)";

/**
 * A page of new candles is inserted without `on conflict`, which makes each row cost half as much again, and without
 * `returning`, which costs a tenth. Its counts come from the parameters. The statement reads nothing from the table
 * that it writes to: a statement that reads a TimescaleDB chunk and then writes to it deadlocks with the compression of
 * that chunk.
 *
 * Writing to a compressed chunk decompresses the rows it touches. TimescaleDB limits how many, so that a careless
 * statement cannot decompress a whole table. A page has a bounded number of rows, so the limit is lifted here. It is
 * set inside the statement, to save a second round trip; `true` limits it to the transaction. The page's rows select
 * from it, so it takes effect before they are written. On plain PostgreSQL the setting has no effect.
 */
function statement(table: string, isNew: boolean): string {
  const key = `${table} ${isNew}`;
  const known = statements.get(key);
  if (known !== undefined) return known;
  const text = `
with unlimited as materialized (
  select set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true),
         set_config('lock_timeout', $16::text, true)
),
numbered as materialized (select nextval('page_numbers') as number, $19::bigint as known),
page as (${pageRows(4, "from unlimited")}),
written as (
  insert into ${table} as stored (time, exchange, symbol, open, high, low, close, volume)
  select time, $1::text, $2::text, open, high, low, close, volume from page
  ${isNew ? "" : UPSERT}
),
tally as (
  ${isNew ? INSERTED : UPSERTED}
),
refused as (
  insert into rejected_candles as known (exchange, symbol, timeframe, answered, reason, time)
  select $1::text, $2::text, $3::text, answered, reason, to_timestamp(time_ms / 1000.0)
  from ${REJECTED.rows(13)}
  on conflict (exchange, symbol, timeframe, answered) do update
  set times = known.times + 1, last_seen = now(), import_id = null
),
remembered as (
  insert into recent_pages (exchange, symbol, timeframe, number, first_time, last_time)
  select $1::text, $2::text, $3::text, number, ${FIRST_TIME}, ${LAST_TIME}
  from numbered where cardinality($4::float8[]) > 0
),
-- The newest time of which the answer tells. An exchange in trouble may answer with nothing, or with too little.
heard as (
  select greatest(${LAST_TIME}, to_timestamp(max(time_ms) / 1000.0)) + titan10_step($3::text) as until
  from ${REJECTED.rows(13)}
),
forgotten as (
  delete from recent_pages as page using numbered
  where page.exchange = $1::text and page.symbol = $2::text and page.timeframe = $3::text
    and page.number < numbered.number - 100000
)
insert into checkpoints as known
  (exchange, symbol, timeframe, covered, candles, first, last, reach_from, unsettled)
select $1::text, $2::text, $3::text,
       case when $10::float8 is null then '{}'::tstzmultirange
            else tstzmultirange(tstzrange(to_timestamp($10::float8 / 1000.0), to_timestamp($11::float8 / 1000.0)))
       end,
       added, first, last, to_timestamp($12::float8 / 1000.0),
       (select coalesce(range_agg(tstzrange(to_timestamp(since_ms / 1000.0), to_timestamp(until_ms / 1000.0))), '{}')
        from ${UNSETTLED.rows(17)})
from tally
on conflict (exchange, symbol, timeframe) do update
set covered = known.covered + (excluded.covered - known.unsettled * (${AFTER_HEARD})),
    -- Candles that were not final, and that this answer covers without confirming them, are taken back.
    (candles, first, last) = (
      select known.candles + excluded.candles - gone.candles,
             case when gone.candles = 0 then least(known.first, excluded.first) else gone.first end,
             case when gone.candles = 0 then greatest(known.last, excluded.last) else gone.last end
      from titan10_take_back($1::text, $2::text, $3::text,
                             known.unsettled * excluded.covered - known.covered - (${AFTER_HEARD}), $4::float8[],
                             $19::bigint) as gone
    ),
    reach_from = coalesce(excluded.reach_from, known.reach_from),
    unsettled = (known.unsettled + excluded.unsettled)
                - (known.covered + (excluded.covered - known.unsettled * (${AFTER_HEARD}))),
    last_error = null
where titan10_is_market($1::text, $2::text, $20::text)
returning last, (select added from tally) as added, (select revised from tally) as revised,
          (select revised_from from tally) as revised_from, (select number from numbered) as number,
          (select jsonb_agg(jsonb_build_object('sinceMs', extract(epoch from lower(range)) * 1000,
                                               'untilMs', extract(epoch from upper(range)) * 1000))
           from unnest(unsettled * tstzmultirange(tstzrange(to_timestamp($10::float8 / 1000.0),
                                                            to_timestamp($11::float8 / 1000.0)))) as range
           where $10::float8 is not null) as unproved,
          ${fillGaps("added_ms", "from tally")}`;
  statements.set(key, text);
  return text;
}

/**
 * The time of which neither the answer tells nor one before it: after its newest row, and after what is covered. All of the
 * time when there is neither.
 */
const AFTER_HEARD =
  "select tstzmultirange(tstzrange(greatest(until, upper(known.covered)), null)) from heard";

/** `xmax` is zero in a row that this statement inserted. In a row that it updated, it is this transaction's id. */
const UPSERT = `on conflict (exchange, symbol, time) do update
  set ${REPLACED_VALUES}
  where case when (${valuesOf("stored")}) is distinct from (${valuesOf("excluded")})
             then titan10_may_revise($1::text, $2::text, $3::text, stored.time, $19::bigint) else false end
  returning (xmax = 0) as added, stored.time`;

const UPSERTED =
  `select count(*) filter (where added) as added, count(*) filter (where not added) as revised,
         min(time) as first, max(time) as last, min(time) filter (where not added) as revised_from,
         ${ADDED_TIMES}
  from written`;

/** The counts of the whole page, whose candles are ascending. */
const INSERTED = `select cardinality($4::float8[]) as added, 0 as revised, ${FIRST_TIME} as first,
         ${LAST_TIME} as last, null::timestamptz as revised_from, $4::float8[] as added_ms`;
