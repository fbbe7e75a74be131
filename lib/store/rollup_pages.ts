/** Reads rollups in bounded pages, oldest first: only candles in which nothing can be missing that may still come. @module */
import type { Series } from "../market/series.ts";
import { floorTime, parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import {
  assertPage,
  type BaseRow,
  isWithin,
  type Marking,
  MILLISECONDS,
  type StoredSeries,
} from "./candle_pages.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { rollupView } from "./rollups.ts";

/** A series that is calculated from the candles of a finer one. */
interface RolledUpSeries extends Omit<StoredSeries, "candles"> {
  /** What it is calculated from. */
  readonly base: Timeframe;
  /** Whether the timeframe is archived itself, too. */
  readonly isArchived: boolean;
}

/** The series that rollups hold, by exchange, symbol and timeframe. */
export async function readRolledUpSeries(database: Database): Promise<readonly RolledUpSeries[]> {
  return await database.run("read which series are calculated", async (sql) => {
    const rows = await sql<RolledUpRow[]>`
      select series.exchange, series.symbol, rollups.timeframe, base_timeframe,
             (extract(epoch from least(series.first, lower(series.covered))) * 1000)::float8 as first_ms,
             (extract(epoch from greatest(series.last, upper(series.covered) - titan10_step(base_timeframe))) * 1000)::float8
               as last_ms,
             own.timeframe is not null as is_archived
      from rollups
      join checkpoints as series on series.timeframe = base_timeframe
      left join checkpoints as own on own.exchange = series.exchange and own.symbol = series.symbol
                                  and own.timeframe = rollups.timeframe
      where series.first is not null or not isempty(series.covered)
      order by exchange, symbol, titan10_step(rollups.timeframe)`;
    return rows.map(({ exchange, symbol, timeframe: text, ...row }) => {
      const timeframe = parseTimeframe(text);
      return {
        series: { exchange, symbol, timeframe },
        base: parseTimeframe(row.base_timeframe),
        firstMs: floorTime(timeframe, row.first_ms),
        lastMs: floorTime(timeframe, row.last_ms),
        isArchived: row.is_archived,
      };
    });
  });
}

interface RolledUpRow {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  readonly base_timeframe: string;
  readonly first_ms: number;
  readonly last_ms: number;
  readonly is_archived: boolean;
}

/**
 * The calculated candles of a window of at most {@linkcode PAGE_ROWS_MAX}. One is left out as long as candles in it may
 * still come: it has not ended, a part of it was not asked for yet, or a gap in it is still open. The same where it was
 * calculated before all of its candles were there, and is not refreshed yet.
 */
export async function readRollupPage(
  database: Database,
  { series, base }: { readonly series: Series; readonly base: Timeframe },
  { isMarked = false, isFinalOnly = false, ...window }: Window & Marking,
): Promise<readonly BaseRow[]> {
  const { exchange, symbol, timeframe } = series;
  assertPage(timeframe, window);
  return await database.run(
    `read calculated candles of ${exchange} ${symbol} ${timeframe.text}`,
    async (sql) => {
      return await sql.unsafe(
        `with known as materialized (
         select covered + unsettled as answered, unsettled, titan10_unscanned(series) as unscanned, ended_at, expired_until
         from checkpoints as series where exchange = $1 and symbol = $2 and timeframe = $4
       ),
       candle as materialized (
         select *, tstzrange(time, time + titan10_step($3)) as span
         from ${rollupView(timeframe)} where exchange = $1 and symbol = $2 and ${isWithin(window)}
       )
       select ${MILLISECONDS}, open, high, low, close, volume, volume_base ${
          isMarked ? ", provisional" : ""
        }
       from candle cross join known
       where answered @> tstzrange(time, greatest(time, least(upper(span), ended_at)))
         and (complete or (
           not unscanned && span
           and not exists (
             select from gaps
             where gaps.exchange = $1 and gaps.symbol = $2 and gaps.timeframe = $4
               and state in ('suspected', 'refetching') and since < upper(span) and until > time)
           and (time < expired_until or candles = (
             select count(*) from ${candleTable(base)} as part
             where part.exchange = $1 and part.symbol = $2 and part.time >= candle.time and part.time < upper(span)))))
         ${isMarked ? "" : "and not provisional"}
         ${isFinalOnly ? "and not unsettled && span" : ""}
       order by time`,
        [exchange, symbol, timeframe.text, base.text],
      ).values() as unknown as readonly BaseRow[];
    },
  );
}
