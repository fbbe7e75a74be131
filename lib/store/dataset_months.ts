/** What a dataset is made of: which months of which series there are, their versions, coverage and holes. @module */
import type { Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "./connection/database.ts";
import { type Spans, spansJson, textArray } from "./parameters.ts";

/** Which candles a dataset holds. An empty list means all. Times are milliseconds, half-open. */
export interface DatasetChoice {
  readonly exchanges: readonly string[];
  readonly symbols: readonly string[];
  readonly timeframes: readonly string[];
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
}

/** The archive that a dataset is made of. */
export interface DatasetArchive {
  readonly id: string;
  /** The archive that it was copied from, which is the same for its datasets. */
  readonly copiedFrom: string | null;
  /** By timeframe, before which time RETENTION has dropped all candles. Milliseconds. */
  readonly expiredMs: Readonly<Record<string, number>>;
}

/** One month of all series of a timeframe and an exchange: one file. */
export interface DatasetMonth {
  readonly timeframe: string;
  readonly exchange: string;
  /** `2024-03`, UTC. */
  readonly month: string;
  readonly series: number;
  /** Equal while no final candle of the month has changed. */
  readonly state: string;
  /** Equal while the reasons for its holes are the same; null without holes. */
  readonly told: string | null;
}

/** One month of one series. */
export interface SeriesMonth {
  readonly symbol: string;
  /** Of `changed_months`; null where the month has not changed since that table is there. */
  readonly version: string | null;
  readonly covered: Spans;
  /** Since, until, missing candles and the reason. */
  readonly holes: readonly (readonly [number, number, number, string])[];
  /** Since when volumes count what: `base`, `quote`, `contracts`; the contract size; the kind of market. */
  readonly units: readonly (readonly [number, string | null, number | null, string | null])[];
}

/** The bounds of a month of a choice, in milliseconds. */
export function monthWindow(
  month: string,
  choice: Pick<DatasetChoice, "sinceMs" | "untilMs">,
): Window {
  const [year = 0, number = 0] = month.split("-").map(Number);
  return {
    sinceMs: Math.max(Date.UTC(year, number - 1), choice.sinceMs ?? -Infinity),
    untilMs: Math.min(Date.UTC(year, number), choice.untilMs ?? Infinity),
  };
}

/** @throws StoreError */
export async function readDatasetArchive(database: Database): Promise<DatasetArchive> {
  return await database.run("read which archive it is", async (sql) => {
    const [row] = await sql<
      { id: string; copied_from: string | null; expired: Record<string, number> }[]
    >`
      select id, copied_from,
             (select coalesce(json_object_agg(timeframe, (extract(epoch from expired_until) * 1000)::float8)
                              filter (where expired_until is not null), '{}') from timeframes) as expired
      from archive`;
    return { id: row!.id, copiedFrom: row!.copied_from, expiredMs: row!.expired };
  });
}

/** The first and the last instant of a month that is given as a date. */
const MONTH_START = `(month::timestamp at time zone 'UTC')`;
const MONTH_END = `((month + interval '1 month') at time zone 'UTC')`;

/**
 * The series that `$1` to `$3` choose, and their months between `$4` and `$5`. In the month of which RETENTION has dropped a
 * part, files may hold candles of all of them.
 */
const CHOSEN = `
chosen as materialized (
  select exchange, symbol, timeframe,
         date_trunc('month', greatest(least(first, dropped.until), to_timestamp($4::float8 / 1000.0)) at time zone 'UTC')
           as from_month,
         (least(greatest(last, dropped.until), to_timestamp($5::float8 / 1000.0)) - interval '1 microsecond')
           at time zone 'UTC' as to_month
  from (select exchange, symbol, timeframe, first, last + interval '1 microsecond' as last from checkpoints) as known
  left join (select timeframe, expired_until as until from timeframes) as dropped using (timeframe)
  where (first is not null or dropped.until is not null)
    and (cardinality($1::text[]) = 0 or exchange = any ($1::text[]))
    and (cardinality($2::text[]) = 0 or symbol = any ($2::text[]))
    and (cardinality($3::text[]) = 0 or timeframe = any ($3::text[]))
)`;

/** What volumes count, from when until when. The first listing of a symbol counts for all time before it, too. */
const UNITS = `
unit as materialized (
  select exchange, symbol, volume_unit, contract_size, kind, since as listed,
         case when lag(since) over listed is null then '-infinity' else since end as since,
         coalesce(lead(since) over listed, 'infinity') as until
  from listings window listed as (partition by exchange, symbol order by since)
)`;

const MONTHS_STATEMENT = `
with ${CHOSEN}, ${UNITS},
month as materialized (
  select exchange, symbol, timeframe, month::date as month
  from chosen cross join lateral generate_series(from_month, to_month, interval '1 month') as month
),
stated as (
  select timeframe, exchange, month, count(distinct symbol)::int as series,
         encode(sha256(convert_to(string_agg(
           jsonb_build_array(symbol, version, unit.volume_unit, trim_scale(unit.contract_size), unit.kind,
                             case when unit.since > ${MONTH_START} then extract(epoch from unit.since) end)::text,
           ',' order by symbol collate "C", unit.since), 'UTF8')), 'hex') as state
  from month
  left join changed_months using (exchange, symbol, timeframe, month)
  left join unit using (exchange, symbol)
  where unit.exchange is null or (unit.since < ${MONTH_END} and unit.until > ${MONTH_START})
  group by timeframe, exchange, month
),
told as (
  select timeframe, exchange, month::date as month,
         encode(sha256(convert_to(string_agg(jsonb_build_array(symbol, extract(epoch from since), extract(epoch from until),
                                                               missing, state)::text,
                                             ',' order by symbol collate "C", since), 'UTF8')), 'hex') as told
  from gaps join chosen using (exchange, symbol, timeframe)
  cross join lateral generate_series(
    greatest(date_trunc('month', since at time zone 'UTC'), from_month),
    least((until at time zone 'UTC') - interval '1 microsecond', to_month), interval '1 month') as month
  where state <> 'filled'
  group by timeframe, exchange, month
)
select timeframe, exchange, to_char(month, 'YYYY-MM') as month, series, state, told
from stated left join told using (timeframe, exchange, month)
order by timeframe collate "C", exchange collate "C", month`;

/** The months of a dataset, ordered by timeframe, exchange and time: some thousands. @throws StoreError */
export async function readDatasetMonths(
  database: Database,
  choice: DatasetChoice,
): Promise<readonly DatasetMonth[]> {
  return await database.runLong("read which months have candles", async (sql) => {
    return await sql.unsafe<DatasetMonth[]>(MONTHS_STATEMENT, choiceParameters(choice));
  });
}

/** Where and of which month. */
interface MonthOf {
  readonly timeframe: Timeframe;
  readonly exchange: string;
  readonly month: string;
}

const SERIES_STATEMENT = `
with ${UNITS.replace("from listings", "from listings where exchange = $1::text")},
span as (select tstzrange(to_timestamp($4::float8 / 1000.0), to_timestamp($5::float8 / 1000.0)) as whole),
hole as materialized (
  select symbol, since, until, missing, state from all_gaps, span
  where exchange = $1::text and timeframe = $3::text and state <> 'filled'
    and since < upper(whole) and until > lower(whole)
)
select known.symbol, changed.version,
       ${spansJson("known.covered * tstzmultirange(whole)")} as covered,
       (select coalesce(json_agg(json_build_array(
                 (extract(epoch from greatest(since, lower(whole))) * 1000)::float8,
                 (extract(epoch from least(until, upper(whole))) * 1000)::float8,
                 case when since >= lower(whole) and until <= upper(whole) then missing
                      else titan10_candles($3::text, greatest(since, lower(whole)), least(until, upper(whole))) end,
                 state) order by since), '[]')
        from hole where hole.symbol = known.symbol) as holes,
       (select coalesce(json_agg(json_build_array(
                 (extract(epoch from greatest(since, lower(whole))) * 1000)::float8, volume_unit,
                 contract_size::float8, kind) order by since), '[]')
        from unit where unit.exchange = known.exchange and unit.symbol = known.symbol
          and since < upper(whole) and until > lower(whole)) as units
from checkpoints as known cross join span
left join changed_months as changed
  on (changed.exchange, changed.symbol, changed.timeframe) = (known.exchange, known.symbol, known.timeframe)
 and changed.month = $6::date
where known.exchange = $1::text and known.timeframe = $3::text
  and (cardinality($2::text[]) = 0 or known.symbol = any ($2::text[]))
  and ($7::boolean or known.first < upper(whole) and known.last >= lower(whole))
order by known.symbol collate "C"`;

/**
 * The series of a month, by symbol. With `isExpired` all, because RETENTION may have dropped candles of any of them.
 *
 * @throws StoreError
 */
export async function readSeriesMonths(
  database: Database,
  { timeframe, exchange, month }: MonthOf,
  { isExpired, ...choice }: DatasetChoice & { readonly isExpired: boolean },
): Promise<readonly SeriesMonth[]> {
  const { sinceMs, untilMs } = monthWindow(month, choice);
  return await database.runLong(
    `read the series of ${exchange} ${timeframe.text} ${month}`,
    async (sql) => {
      return await sql.unsafe<SeriesMonth[]>(SERIES_STATEMENT, [
        exchange,
        textArray(choice.symbols),
        timeframe.text,
        sinceMs,
        untilMs,
        `${month}-01`,
        isExpired,
      ]);
    },
  );
}

function choiceParameters(
  { exchanges, symbols, timeframes, sinceMs, untilMs }: DatasetChoice,
): (string | number | null)[] {
  return [textArray(exchanges), textArray(symbols), textArray(timeframes), sinceMs, untilMs];
}
