/** What has changed in a series since somebody was told of it: new candles, and revisions since one of them. @module */
import type { Candle } from "../market/candle.ts";
import type { Coverage } from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Window } from "../market/window.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { columns, coverageFrom, epochMs, type Spans, spansJson } from "./parameters.ts";

/** Where to begin for somebody who was told nothing yet. */
interface SeriesState {
  /** Open time of the newest candle, in milliseconds; undefined without candles. */
  readonly lastMs: number | undefined;
  /** The id of the newest revision; 0 without one. */
  readonly revision: number;
}

/** What is asked for. */
export interface AskedChanges {
  /** From here on it is said what is settled, and what is provisional. Milliseconds. */
  readonly sinceMs: number;
  /** Where candles are looked for; at least one, ascending. */
  readonly windows: Coverage;
  /** Candles of this time are left out. */
  readonly told: Coverage;
  /** Revisions with a larger id are listed. */
  readonly revision: number;
  /** At most so many candles, and so many revisions. */
  readonly rowsMax: number;
}

export interface SeriesChanges {
  /** As {@linkcode readSeriesMarks} returns it. */
  readonly mark: string;
  /** Time of which no more candles are expected: it was answered for and looked through, and no gap in it is open. */
  readonly settled: Coverage;
  /** The time of candles of which a stream alone has told. */
  readonly provisional: Coverage;
  /** The oldest ones, ascending. */
  readonly candles: readonly Candle[];
  /** The oldest ones, ascending. */
  readonly revisions: readonly { readonly id: number; readonly openTimeMs: number }[];
}

/** A candle as it is now; without values where there is none (any more). */
export interface PresentCandle {
  readonly candle: Candle | undefined;
  readonly isProvisional: boolean;
}

/** Undefined where the series is not in the archive. @throws StoreError */
export async function readSeriesState(
  database: Database,
  series: Series,
): Promise<SeriesState | undefined> {
  const { exchange, symbol, timeframe } = series;
  return await database.run(`read where ${seriesName(series)} is`, async (sql) => {
    const [row] = await sql<{ last: Date | null; revision: string }[]>`
      select last, (select coalesce(max(id), 0) from candle_revisions as revision
                    where (revision.exchange, revision.symbol, revision.timeframe)
                          = (${exchange}, ${symbol}, ${timeframe.text})) as revision
      from checkpoints
      where exchange = ${exchange} and symbol = ${symbol} and timeframe = ${timeframe.text}`;
    return row && { lastMs: epochMs(row.last), revision: Number(row.revision) };
  });
}

const NAMES = columns<Series>({
  exchange: ["text", ({ exchange }) => exchange],
  symbol: ["text", ({ symbol }) => symbol],
  timeframe: ["text", ({ timeframe }) => timeframe.text],
});

/** A text for each series that is archived, by its name: another one whenever something was written of it. */
export async function readSeriesMarks(
  database: Database,
  series: readonly Series[],
): Promise<ReadonlyMap<string, string>> {
  return await database.run("read of which series something was written", async (sql) => {
    // Every statement that writes candles changes the row of their series.
    const rows = await sql.unsafe<{ name: string; mark: string }[]>(
      `select exchange || ' ' || symbol || ' ' || timeframe as name, xmin::text as mark
       from checkpoints
       where (exchange, symbol, timeframe) in (select exchange, symbol, timeframe from ${
        NAMES.rows(1)
      })`,
      [...NAMES.arrays(series)],
    );
    return new Map(rows.map(({ name, mark }) => [name, mark]));
  });
}

const WINDOWS = columns<Window>({
  since_ms: ["float8", ({ sinceMs }) => Number.isFinite(sinceMs) ? sinceMs : null],
  until_ms: ["float8", ({ untilMs }) => Number.isFinite(untilMs) ? untilMs : null],
});

type CandleRow = readonly [number, string, string, string, string, string];

interface ChangesRow {
  readonly mark: string;
  readonly settled: Spans;
  readonly provisional: Spans;
  readonly candles: readonly CandleRow[];
  readonly revisions: readonly (readonly [number, number])[];
}

/** All as of one moment. Undefined when the series is not in the archive any more. @throws StoreError */
export async function readSeriesChanges(
  database: Database,
  series: Series,
  { sinceMs, windows, told, revision, rowsMax }: AskedChanges,
): Promise<SeriesChanges | undefined> {
  const { exchange, symbol, timeframe } = series;
  return await database.run(`read what has changed in ${seriesName(series)}`, async (sql) => {
    const [row] = await sql.unsafe<ChangesRow[]>(changesStatement(timeframe, windows.length), [
      ...[exchange, symbol, timeframe.text, sinceMs, revision, rowsMax],
      ...WINDOWS.arrays(told),
      ...windows.flatMap((window) => [window.sinceMs, ...finite(window.untilMs)]),
    ]);
    return row && {
      mark: row.mark,
      settled: coverageFrom(row.settled),
      provisional: coverageFrom(row.provisional),
      candles: row.candles.map(candleOf),
      revisions: row.revisions.map(([id, openTimeMs]) => ({ id, openTimeMs })),
    };
  });
}

/** Infinity, as PostgreSQL has it in seconds. */
function finite(timeMs: number): readonly (number | string)[] {
  return [Number.isFinite(timeMs) ? timeMs : "infinity"];
}

/**
 * A window has a SELECT of its own, with times that are known when it is planned: else chunks of five years are planned,
 * and looked into. Where a series begins (see `titan10_unscanned`) nothing is looked through.
 */
function changesStatement(timeframe: Series["timeframe"], windows: number): string {
  const parts = Array.from({ length: windows }, (_, at) => `
    (select time, open, high, low, close, volume from ${candleTable(timeframe)}
     where exchange = $1 and symbol = $2 and time >= to_timestamp($${9 + 2 * at}::float8 / 1000.0)
       and time < to_timestamp($${10 + 2 * at}::float8 / 1000.0)
       and not (select ranges from told) @> time
     order by time limit $6::int)`);
  return `
with told as materialized (
  select coalesce(range_agg(tstzrange(to_timestamp(since_ms / 1000.0), to_timestamp(until_ms / 1000.0))), '{}') as ranges
  from ${WINDOWS.rows(7)}
)
select known.xmin::text as mark, ${spansJson("settled.ranges")} as settled,
       ${spansJson("known.streamed * known.unsettled * asked.time")} as provisional,
       (select coalesce(json_agg(json_build_array(extract(epoch from time) * 1000, open::text, high::text, low::text,
                                                  close::text, volume::text) order by time), '[]')
        from (select * from (${
    parts.join(" union all ")
  }) as part order by time limit $6::int) as candle) as candles,
       (select coalesce(json_agg(json_build_array(id, extract(epoch from time) * 1000) order by id), '[]')
        from (select id, time from candle_revisions
              where exchange = $1 and symbol = $2 and timeframe = $3 and id > $5::bigint
              order by id limit $6::int) as revision) as revisions
from checkpoints as known
cross join lateral (select tstzmultirange(tstzrange(to_timestamp($4::float8 / 1000.0), null)) as time) as asked
cross join lateral (
  select (known.covered - titan10_unscanned(known) - open.ranges
          + tstzmultirange(tstzrange(null, greatest(known.reach_from, known.listed_from, known.expired_until, '-infinity')))
          + titan10_outside(known))
         * asked.time * tstzmultirange(tstzrange(null, coalesce(upper(known.covered), '-infinity'))) as ranges
  from (select coalesce(range_agg(tstzrange(since, until)), '{}') as ranges from gaps
        where exchange = $1 and symbol = $2 and timeframe = $3 and state in ('suspected', 'refetching')
          and since >= to_timestamp($4::float8 / 1000.0)) as open
) as settled
where known.exchange = $1 and known.symbol = $2 and known.timeframe = $3`;
}

/** Candles as they are now, by their open times. @throws StoreError */
export async function readPresentCandles(
  database: Database,
  series: Series,
  timesMs: readonly number[],
): Promise<ReadonlyMap<number, PresentCandle>> {
  const { exchange, symbol, timeframe } = series;
  return await database.run(`read changed candles of ${seriesName(series)}`, async (sql) => {
    const rows = await sql.unsafe<{ row: CandleRow; provisional: boolean }[]>(
      `select json_build_array(extract(epoch from time) * 1000, open::text, high::text, low::text, close::text,
                               volume::text) as row,
              coalesce((select streamed * unsettled from checkpoints
                        where exchange = $1 and symbol = $2 and timeframe = $4) @> time, false) as provisional
       from ${candleTable(timeframe)}
       where exchange = $1 and symbol = $2
         and time = any (select to_timestamp(ms / 1000.0) from unnest($3::float8[]) as ms)
         and time >= to_timestamp($5::float8 / 1000.0) and time <= to_timestamp($6::float8 / 1000.0)`,
      [
        ...[exchange, symbol, `{${timesMs.join(",")}}`, timeframe.text],
        ...[timesMs.reduce((a, b) => Math.min(a, b)), timesMs.reduce((a, b) => Math.max(a, b))],
      ],
    );
    const found = new Map(rows.map(({ row, provisional }) => [row[0], { row, provisional }]));
    return new Map(timesMs.map((timeMs) => {
      const here = found.get(timeMs);
      const isProvisional = here?.provisional ?? false;
      return [timeMs, { candle: here && candleOf(here.row), isProvisional }];
    }));
  });
}

function candleOf([openTimeMs, open, high, low, close, volume]: CandleRow): Candle {
  return { openTimeMs, open, high, low, close, volume };
}
