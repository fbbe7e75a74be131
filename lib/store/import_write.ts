/** Stores candles from a file, and records that they did not come from the exchange. @module */
import type { Coverage } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import {
  LOCK_SERIES,
  pageRows,
  REJECTED,
  REPLACED_VALUES,
  VALUES,
  valuesOf,
} from "./candle_columns.ts";
import { candleTable } from "./candle_table.ts";
import { ADDED_TIMES, fillGaps } from "./filled_gaps.ts";
import type { Database } from "./connection/database.ts";
import type { Sql } from "./connection/sql.ts";
import { isDuplicate } from "./connection/store_error.ts";
import { CLAIMED, type PreparedImportPage } from "./import_page.ts";
import { type LeaseStamp, mayWrite, newStamp, setStamp, stampParameters } from "./lease_stamp.ts";
import { FIRST_TIME, LAST_TIME } from "./page_statement.ts";
import { coverageFrom, type Spans, spansJson, storableText } from "./parameters.ts";

/** An import of one series, as recorded in `imports`. */
export interface BegunImport {
  readonly id: string;
  /** `RETENTION` has dropped all candles before this time. Milliseconds; −Infinity when it has dropped nothing. */
  readonly expiredUntilMs: number;
}

interface ImportWritten {
  /** Candles that were not stored before. */
  readonly added: number;
  /** Stored candles that had other values and were replaced. */
  readonly replaced: number;
  /** Stored candles that have other values and were kept. */
  readonly conflicts: number;
}

/** Records that the import of a file began. `marketId` is as for {@linkcode writeImportPage}. */
export async function beginImport(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  file: string,
  marketId?: string,
): Promise<BegunImport> {
  return await database.run("enter an import", async (sql) => {
    const [row] = await sql<{ id: string; expired_ms: number | null }[]>`
      insert into imports (file, exchange, symbol, timeframe)
      select ${storableText(file, 1_000)}, ${exchange}, ${symbol}, ${timeframe.text}
      where titan10_is_archived(${exchange}, ${symbol}, ${timeframe.text}, ${marketId ?? null})
      returning id, (select (extract(epoch from expired_until) * 1000)::float8 from timeframes
                     where timeframes.timeframe = ${timeframe.text}) as expired_ms`;
    return { id: row!.id, expiredUntilMs: row!.expired_ms ?? -Infinity };
  });
}

/**
 * Stores a page atomically: candles, coverage, rejected rows and their origin. Repeating it changes nothing. Conflicts
 * are recorded by a second statement, because it reads the candles. lib/store/page_write.ts says why a statement that
 * writes candles must not read them.
 *
 * @param options.isNew whether none of the candles is expected to be stored already. If that is wrong, the fast statement
 * stores nothing, and the slower one all of it.
 * @param options.marketId the exchange's id of the market that the file is of. If the symbol means another one by now, or the
 * series was forgotten meanwhile, nothing is stored. By default it is what the user says, and is not compared.
 * @param options.stamp the lease by which the file was asked for. If a later holder has written the series, nothing is stored.
 * By default it is what the user says, and is not compared.
 * @throws StoreError; see `isOfOtherMarket` and `isFenced`
 */
export async function writeImportPage(
  database: Database,
  page: PreparedImportPage,
  { id, isNew, marketId, stamp }: {
    readonly id: string;
    readonly isNew: boolean;
    readonly marketId?: string | undefined;
    readonly stamp?: LeaseStamp | undefined;
  },
): Promise<ImportWritten> {
  const { series, replaces, names, values } = page;
  const table = candleTable(series.timeframe);
  const write = async (sql: Sql, mode: WriteMode): Promise<Omit<ImportWritten, "conflicts">> => {
    const [row] = await sql.unsafe<{ added: string; replaced: string }[]>(
      pageStatement(table, mode),
      [
        ...[...names, ...values, ...page.claimed, ...page.refused, id, marketId ?? null],
        ...stampParameters(stamp),
      ],
      { prepare: true },
    );
    return { added: Number(row?.added ?? 0), replaced: Number(row?.replaced ?? 0) };
  };
  const writeOnce = async (sql: Sql): Promise<Omit<ImportWritten, "conflicts">> => {
    try {
      if (isNew) return await write(sql, "insert");
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    return await write(sql, replaces ? "replace" : "keep");
  };
  return await database.run(`write imported candles of ${seriesName(series)}`, async (sql) => {
    const written = await writeOnce(sql);
    if (replaces || written.added === page.candles) return { ...written, conflicts: 0 };
    const differing = await sql.unsafe(conflictStatement(table), [...names, ...values, id], {
      prepare: true,
    });
    return { ...written, conflicts: differing.length };
  });
}

/** Records that an import ended, and which time its file covers as a whole. */
export async function endImport(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  { id, sha256, claimed }: {
    readonly id: string;
    readonly sha256: string | undefined;
    /** The whole time of the file. The rejected rows are taken out of it. */
    readonly claimed: Coverage;
  },
): Promise<Coverage> {
  return await database.run("enter the end of an import", async (sql) => {
    const [row] = await sql.unsafe<{ covered: Spans }[]>(
      END_STATEMENT,
      [
        exchange,
        symbol,
        timeframe.text,
        id,
        sha256 ?? null,
        ...CLAIMED.arrays(claimed),
      ],
    );
    return coverageFrom(row?.covered ?? []);
  });
}

/**
 * - `insert`: all candles are new. Without `on conflict` and `returning` a row costs half as much: lib/store/page_statement.ts.
 * - `keep`, `replace`: what becomes of stored candles that have other values.
 */
type WriteMode = "insert" | "keep" | "replace";

/** Like the statement for an exchange's page, but it can keep stored candles, and it records the import. */
function pageStatement(table: string, mode: WriteMode): string {
  return `
with settings as materialized (
  select set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true),
         set_config('titan10.import', $15::text, true), ${LOCK_SERIES}
),
page as (${pageRows(4, "from settings")}),
written as (
  insert into ${table} as stored (time, exchange, symbol, open, high, low, close, volume)
  select time, $1::text, $2::text, open, high, low, close, volume from page
  ${UPSERTS[mode]}
),
claim as (
  select coalesce(range_agg(tstzrange(to_timestamp(since_ms / 1000.0), to_timestamp(until_ms / 1000.0))), '{}')
         as ranges
  from ${CLAIMED.rows(10)}
),
tally as (
  ${mode === "insert" ? INSERTED : UPSERTED}
),
refused as (
  insert into rejected_candles as known (exchange, symbol, timeframe, answered, reason, time, import_id)
  select $1::text, $2::text, $3::text, answered, reason, to_timestamp(time_ms / 1000.0), $15::bigint
  from ${REJECTED.rows(12)}
  on conflict (exchange, symbol, timeframe, answered) do update
  set times = known.times + 1, last_seen = now()
),
noted as (
  update imports as import
  set added = import.added + tally.added, replaced = import.replaced + tally.replaced,
      stored = import.stored + tally.times, claimed = import.claimed + claim.ranges
  from tally, claim where import.id = $15::bigint
)
insert into checkpoints as known (exchange, symbol, timeframe, covered, candles, first, last, epoch, holder)
select $1::text, $2::text, $3::text, claim.ranges, added, first, last, ${newStamp(17)}
-- The settings are named, or new candles, of which nothing is returned, would lock the series only after all else is written.
from settings, tally, claim
where titan10_is_archived($1::text, $2::text, $3::text, $16::text)
on conflict (exchange, symbol, timeframe) do update
-- A stored candle that may still change is not replaced, so no file makes it final.
set covered = known.covered + (excluded.covered - known.unsettled),
    -- What a file has replaced is not a stream's any more.
    streamed = known.streamed - (select times from tally),
    candles = known.candles + excluded.candles,
    first = least(known.first, excluded.first),
    last = greatest(known.last, excluded.last),
    -- The listing was found where the exchange's candles begin: older ones belong to none that it knows. Of a symbol that was
    -- listed before, they belong to that listing. What adds no candle tells nothing of it.
    listed_from = case
      when coalesce(excluded.first >= known.listed_from, true)
        or exists (select from listings where exchange = $1::text and symbol = $2::text
                   and why not in ('suspended', 'expired'))
      then known.listed_from end,
    ${setStamp(17)}
where ${mayWrite(17)} and titan10_is_market($1::text, $2::text, $16::text)
returning (select added from tally) as added, (select replaced from tally) as replaced,
          ${fillGaps("added_ms", "from tally")}`;
}

const RETURNED = "returning (xmax = 0) as added, stored.time";

const UPSERTS: Readonly<Record<WriteMode, string>> = {
  insert: "",
  keep: `on conflict (exchange, symbol, time) do nothing ${RETURNED}`,
  replace: `on conflict (exchange, symbol, time) do update set ${REPLACED_VALUES}
  where (${valuesOf("stored")}) is distinct from (${valuesOf("excluded")}) ${RETURNED}`,
};

/** The step is read once: called for each row, it costs more than the row's insert. */
const UPSERTED =
  `select count(*) filter (where added) as added, count(*) filter (where not added) as replaced,
         min(time) filter (where added) as first, max(time) filter (where added) as last,
         coalesce(range_agg(tstzrange(time, time + (select titan10_step($3::text)))), '{}') as times, ${ADDED_TIMES}
  from written`;

/** The counts of the whole page, whose candles are ascending and each cover their time. */
const INSERTED = `select cardinality($4::float8[]) as added, 0 as replaced, ${FIRST_TIME} as first,
         ${LAST_TIME} as last, claim.ranges as times, $4::float8[] as added_ms
  from claim`;

function conflictStatement(table: string): string {
  return `
with page as (${pageRows(4)}),
bounds as (select min(time) as since, max(time) as until from page)
insert into import_conflicts as known (exchange, symbol, timeframe, time, import_id, ${VALUES})
select $1::text, $2::text, $3::text, page.time, $10::bigint, ${valuesOf("page")}
from page join ${table} as stored
  on stored.exchange = $1::text and stored.symbol = $2::text and stored.time = page.time
 and stored.time >= (select since from bounds) and stored.time <= (select until from bounds)
where (${valuesOf("stored")}) is distinct from (${valuesOf("page")})
on conflict (exchange, symbol, timeframe, time) do update
set import_id = excluded.import_id, ${REPLACED_VALUES}
returning 1`;
}

/** The time of a rejected row does not become covered, because the exchange may have a valid candle for it. */
const END_STATEMENT = `
with whole as materialized (
  select coalesce(range_agg(tstzrange(to_timestamp(since_ms / 1000.0), to_timestamp(until_ms / 1000.0))), '{}')
         as ranges
  from ${CLAIMED.rows(6)}
),
refused as (
  select coalesce(range_agg(tstzrange(time, time + titan10_step($3::text))), '{}') as ranges
  from rejected_candles
  where exchange = $1::text and symbol = $2::text and timeframe = $3::text and reason <> 'time_not_aligned'
    and (select ranges from whole) @> time
),
claim as (
  select whole.ranges - refused.ranges as ranges from whole, refused
),
noted as (
  update imports as import
  set ended = now(), sha256 = $5::text, claimed = import.claimed + claim.ranges
  from claim where import.id = $4::bigint
),
counted as (
  update checkpoints as known
  set covered = known.covered + (claim.ranges - known.unsettled)
  from claim
  where known.exchange = $1::text and known.symbol = $2::text and known.timeframe = $3::text
  returning known.covered
)
select ${spansJson("counted.covered")} as covered from counted`;
