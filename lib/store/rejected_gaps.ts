/** Gaps of candles that came and were rejected, and series of which nothing else came. @module */
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { heldRows, isHeld } from "./lock_order.ts";
import { columns } from "./parameters.ts";

/** A series of which rows came, and none could be stored. */
interface AllRejected {
  readonly series: Series;
  readonly rows: number;
  /** The most frequent reason. */
  readonly reason: string;
}

/** The series of which exchanges sent rows and none could be stored. */
export async function readAllRejected(database: Database): Promise<readonly AllRejected[]> {
  return await database.run("read the series without any candle that passed", async (sql) => {
    const rows = await sql<
      { exchange: string; symbol: string; timeframe: string; rows: number; reason: string }[]
    >`
      select exchange, symbol, timeframe, count(*)::int as rows, mode() within group (order by reason) as reason
      from rejected_candles join checkpoints using (exchange, symbol, timeframe)
      where import_id is null and candles = 0 and expired_until is null
      group by exchange, symbol, timeframe order by exchange, symbol, timeframe`;
    return rows.map(({ rows, reason, ...name }) => ({
      series: { ...name, timeframe: parseTimeframe(name.timeframe) },
      rows,
      reason,
    }));
  });
}

/** Records where the rejected rows begin of series of which nothing else came: what is missing after that is a gap. */
export async function beginAtRejected(database: Database): Promise<void> {
  await database.run("note where rejected rows begin", async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("checkpoints", {
          columns: ["oldest"],
          from: `join (select exchange, symbol, timeframe, min(time) as oldest
                       from rejected_candles join checkpoints using (exchange, symbol, timeframe)
                       where import_id is null and candles = 0 and first is null and rows_from is null
                         and expired_until is null and reason <> 'time_not_aligned' and covered @> time
                       group by exchange, symbol, timeframe) as found using (exchange, symbol, timeframe)`,
        })
      })
       update checkpoints as known set rows_from = oldest from held where ${isHeld("checkpoints")}`,
    );
  });
}

/** Candles in a row that came and were rejected. */
export interface RejectedSpan extends Window {
  readonly candles: number;
}

const SPANS = columns<RejectedSpan>({
  since_ms: ["float8", ({ sinceMs }) => sinceMs],
  until_ms: ["float8", ({ untilMs }) => untilMs],
  candles: ["float8", ({ candles }) => candles],
});

/**
 * Enters the gaps of covered candles that came and were rejected, whenever they were asked for. They are not looked for
 * again: they count as looked through. Where a candle is there after all, or another gap, or a page or a scan came
 * meanwhile, none is entered.
 */
export async function noteRejected(
  database: Database,
  series: Series,
  { spans, nowMs }: { readonly spans: readonly RejectedSpan[]; readonly nowMs: number },
): Promise<void> {
  const { exchange, symbol, timeframe } = series;
  await database.run(`note rejected candles of ${seriesName(series)}`, async (sql) => {
    await sql.unsafe(
      `with span as (
         select to_timestamp(since_ms / 1000.0) as since, to_timestamp(until_ms / 1000.0) as until, candles
         from ${SPANS.rows(5)}
       ),
       free as (
         select span.*, series.candles as stored, series.covered from span
         join checkpoints as series
           on series.exchange = $1::text and series.symbol = $2::text and series.timeframe = $3::text
          and series.covered @> tstzrange(span.since, span.until)
          and not series.scanned && tstzrange(span.since, span.until)
         where not exists (select from ${candleTable(timeframe)} as candle
                           where candle.exchange = $1::text and candle.symbol = $2::text
                             and candle.time >= span.since and candle.time < span.until)
           and not exists (select from gaps as gap
                           where gap.exchange = $1::text and gap.symbol = $2::text
                             and gap.timeframe = $3::text and gap.state <> 'filled'
                             and gap.since < span.until and gap.until > span.since)
       ),
       looked as (
         update checkpoints set scanned = scanned + ranges,
           rows_from = case when oldest < first or first is null then least(rows_from, oldest) else rows_from end
         from (select range_agg(tstzrange(since, until)) as ranges, min(since) as oldest, stored, covered as asked
               from free group by stored, covered) as found
         where exchange = $1::text and symbol = $2::text and timeframe = $3::text
           and not scanned && ranges and (candles, covered) = (stored, asked)
         returning exchange
       )
       insert into gaps (exchange, symbol, timeframe, since, until, state, missing, attempts,
                         first_seen, last_try, next_try)
       select $1::text, $2::text, $3::text, since, until, 'rejected', candles, 2, noted, noted, noted
       from free, to_timestamp($4::float8 / 1000.0) as noted
       where exists (select from looked) order by since
       on conflict (exchange, symbol, timeframe, since) do update
       set until = excluded.until, state = excluded.state, missing = excluded.missing,
           last_try = excluded.last_try
       where gaps.state = 'filled'`,
      [exchange, symbol, timeframe.text, nowMs, ...SPANS.arrays(spans)],
      { prepare: true },
    );
  });
}
