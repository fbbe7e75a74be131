/** What `titan10 report` reads besides the ledger and the gaps: revisions, rejected rows, and facts of the archive. @module */
import { type Series, seriesName } from "../market/series.ts";
import type { Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { candleTable } from "./candle_table.ts";
import { type Database, serverVersion } from "./connection/database.ts";
import { timescaleVersion } from "./connection/timescale.ts";
import { databaseBytes } from "./disk.ts";
import { epochMs } from "./parameters.ts";

/** The database of an archive. */
export interface ArchiveFacts {
  /** Of PostgreSQL, `17.4`. */
  readonly postgresql: string;
  /** Version of the extension; null without it. */
  readonly timescaledb: string | null;
  readonly bytes: number;
  /** When the archive was made. Milliseconds; undefined if that is not known. */
  readonly madeMs: number | undefined;
}

/** @throws StoreError */
export async function readArchiveFacts(database: Database): Promise<ArchiveFacts> {
  const [made] = await database.run(
    "read when the archive was made",
    async (sql) =>
      await sql<{ made: Date | null }[]>`select min(applied_at) as made from titan10_migrations`,
  );
  return {
    postgresql: await serverVersion(database),
    timescaledb: await timescaleVersion(database),
    bytes: await databaseBytes(database),
    madeMs: epochMs(made?.made ?? null),
  };
}

/** Candles of a window that opened on one day. */
export interface DayCount {
  /** Midnight UTC. Milliseconds. */
  readonly dayMs: number;
  readonly candles: number;
}

/** How many candles of a window are stored, by day; days without one are left out. */
export async function readStoredDays(
  database: Database,
  series: Series,
  { sinceMs, untilMs }: Window,
): Promise<readonly DayCount[]> {
  const { exchange, symbol, timeframe } = series;
  return await database.run(`count candles of ${seriesName(series)}`, async (sql) => {
    const rows = await sql.unsafe<{ day_ms: number; candles: number }[]>(
      `select (floor(extract(epoch from time) / 86400) * 86400000)::float8 as day_ms, count(*)::int as candles
       from ${candleTable(timeframe)}
       where exchange = $1 and symbol = $2 and time >= ${literal(sinceMs)} and time < ${
        literal(untilMs)
      }
       group by 1`,
      [exchange, symbol],
    );
    return rows.map(({ day_ms, candles }) => ({ dayMs: day_ms, candles }));
  });
}

/** A time as a literal, so that the embedded server plans for the chunks that hold them, and not for all. */
export function literal(timeMs: number): string {
  return timeMs === Infinity || timeMs === -Infinity
    ? `'${timeMs < 0 ? "-" : ""}infinity'::timestamptz`
    : `'${new Date(timeMs).toISOString()}'::timestamptz`;
}

/** Bounds of the sizes that revisions are counted by, in percent of the older price. The last size has no upper one. */
export const REVISION_PERCENTS = [0.01, 0.1, 1] as const;

/** Revised candles of one series. */
export interface RevisedSeries {
  readonly series: Series;
  readonly revisions: number;
  /** Only the volume changed. */
  readonly volumeOnly: number;
  /** Stored before it was final, and not confirmed: the candle was taken back. */
  readonly takenBack: number;
  /** Revisions of a price, by size: below each of {@linkcode REVISION_PERCENTS}, and all larger ones. */
  readonly sizes: readonly number[];
  /** The largest change of a price, in percent of the older one; undefined when no price changed. */
  readonly largestPercent: number | undefined;
}

/** A change of a candle that was stored. */
export interface Revision {
  readonly series: Series;
  readonly timeMs: number;
  readonly revisedMs: number;
  /** The price that changed most. */
  readonly field: "open" | "high" | "low" | "close";
  readonly older: string;
  readonly newer: string;
  /** In percent of the older price. */
  readonly percent: number;
}

/** A part of the archive that one statement reads. */
interface Part {
  readonly exchange: string;
  readonly timeframe: Timeframe;
  readonly symbols: readonly string[];
  readonly window: Window;
}

/** The revisions of some series of an exchange, and the `largestMax` largest ones. */
export async function readRevisions(
  database: Database,
  { exchange, timeframe, symbols, window }: Part,
  { largestMax }: { readonly largestMax: number },
): Promise<{ readonly series: readonly RevisedSeries[]; readonly largest: readonly Revision[] }> {
  return await database.run(`read the revisions of ${exchange} ${timeframe.text}`, async (sql) => {
    const [row] = await sql<{ counted: readonly RevisedRow[]; largest: readonly RevisionRow[] }[]>`
      with known as (
        select symbol, time, revised_at, open_by is not null as has_newer, volume_by <> 0 as has_volume,
               field, older, newer_by, percent
        from candle_revisions
        cross join lateral (
          select field, older, newer_by,
                 case when newer_by is not null then least(abs(newer_by / whole) * 100, 1e12)::numeric(20, 6) end as percent
          from (values ('open', open, open_by), ('high', high, high_by), ('low', low, low_by), ('close', close, close_by))
            as price (field, older, newer_by)
          -- A premium is a share of a price itself, and may be zero.
          cross join lateral (select case when titan10_price_of(symbol) = 'premium' then 1 else older end as whole) as part
          order by abs(newer_by / whole) desc nulls last limit 1
        ) as largest
        where exchange = ${exchange} and timeframe = ${timeframe.text}
          and symbol in (select jsonb_array_elements_text(${JSON.stringify(symbols)}::text::jsonb))
          and time >= ${literalText(window.sinceMs)}::timestamptz
          and time < ${literalText(window.untilMs)}::timestamptz
      )
      select
        (select coalesce(json_agg(told), '[]') from (
           select symbol, count(*) as revisions, count(*) filter (where not has_newer) as taken_back,
                  count(*) filter (where has_volume and newer_by = 0) as volume_only,
                  json_build_array(
                    count(*) filter (where percent < ${REVISION_PERCENTS[0]} and newer_by <> 0),
                    count(*) filter (where percent >= ${REVISION_PERCENTS[0]} and percent < ${
      REVISION_PERCENTS[1]
    }),
                    count(*) filter (where percent >= ${REVISION_PERCENTS[1]} and percent < ${
      REVISION_PERCENTS[2]
    }),
                    count(*) filter (where percent >= ${REVISION_PERCENTS[2]})) as sizes,
                  max(percent) filter (where newer_by <> 0)::float8 as largest
           from known group by symbol order by symbol) as told) as counted,
        (select coalesce(json_agg(told), '[]') from (
           select symbol, (extract(epoch from time) * 1000)::float8 as time_ms,
                  (extract(epoch from revised_at) * 1000)::float8 as revised_ms, field, older::text,
                  (older + newer_by)::text as newer, percent::float8
           from known where newer_by <> 0
           order by percent desc, time, symbol limit ${largestMax}) as told) as largest`;
    const of = (symbol: string): Series => ({ exchange, symbol, timeframe });
    return {
      series: (row?.counted ?? []).map((one) => ({
        series: of(one.symbol),
        revisions: one.revisions,
        volumeOnly: one.volume_only,
        takenBack: one.taken_back,
        sizes: one.sizes,
        largestPercent: one.largest ?? undefined,
      })),
      largest: (row?.largest ?? []).map((one) => ({
        series: of(one.symbol),
        timeMs: one.time_ms,
        revisedMs: Math.floor(one.revised_ms),
        field: one.field,
        older: one.older,
        newer: one.newer,
        percent: one.percent,
      })),
    };
  });
}

interface RevisedRow {
  readonly symbol: string;
  readonly revisions: number;
  readonly volume_only: number;
  readonly taken_back: number;
  readonly sizes: readonly number[];
  readonly largest: number | null;
}

interface RevisionRow {
  readonly symbol: string;
  readonly time_ms: number;
  readonly revised_ms: number;
  readonly field: Revision["field"];
  readonly older: string;
  readonly newer: string;
  readonly percent: number;
}

function literalText(timeMs: number): string {
  if (timeMs === Infinity || timeMs === -Infinity) return timeMs < 0 ? "-infinity" : "infinity";
  return new Date(timeMs).toISOString();
}

/** Rows that failed the checks for one reason. */
export interface RejectedRows {
  readonly reason: string;
  /** Different rows, and how often they came. */
  readonly rows: number;
  readonly times: number;
  readonly samples: readonly RejectedSample[];
}

interface RejectedSample {
  readonly series: Series;
  /** Open time in milliseconds; undefined when the row has no readable one. */
  readonly timeMs: number | undefined;
  /** The beginning of the row, as the exchange sent it. */
  readonly answered: string;
}

/** As much of a row as people read. */
const SAMPLE_CHARACTERS_MAX = 200;

/**
 * The rejected rows of some series of an exchange, by reason, each with `samplesMax` of the newest. Rows without a readable
 * time lie in no window but the endless one.
 */
export async function readRejected(
  database: Database,
  { exchange, timeframe, symbols, window }: Part,
  { samplesMax }: { readonly samplesMax: number },
): Promise<readonly RejectedRows[]> {
  const isEndless = window.sinceMs === -Infinity && window.untilMs === Infinity;
  return await database.run(
    `read the rejected rows of ${exchange} ${timeframe.text}`,
    async (sql) => {
      const rows = await sql<RejectedRow[]>`
      with known as (
        select reason, times, symbol, time, answered,
               row_number() over (partition by reason order by last_seen desc, symbol, answered) as place
        from rejected_candles
        where exchange = ${exchange} and timeframe = ${timeframe.text}
          and symbol in (select jsonb_array_elements_text(${JSON.stringify(symbols)}::text::jsonb))
          and (${isEndless} or (time >= ${literalText(window.sinceMs)}::timestamptz
                                and time < ${literalText(window.untilMs)}::timestamptz))
      )
      select reason, count(*)::int as rows, sum(times)::float8 as times,
             json_agg(json_build_array(symbol, (extract(epoch from time) * 1000)::float8,
                                       left(answered, ${SAMPLE_CHARACTERS_MAX}::int)) order by place)
               filter (where place <= ${samplesMax}) as samples
      from known group by reason order by reason`;
      return rows.map(({ reason, rows, times, samples }) => ({
        reason,
        rows,
        times,
        samples: samples.map(([symbol, timeMs, answered]) => ({
          series: { exchange, symbol, timeframe },
          timeMs: timeMs ?? undefined,
          answered,
        })),
      }));
    },
  );
}

interface RejectedRow {
  readonly reason: string;
  readonly rows: number;
  readonly times: number;
  readonly samples: readonly (readonly [symbol: string, timeMs: number | null, answered: string])[];
}
