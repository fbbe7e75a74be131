/** How far back exchanges go, as they have shown it: when that was asked for last, and what ends it. @module */
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import type { Database } from "./connection/database.ts";
import { heldRows, isHeld } from "./lock_order.ts";

/** A series whose exchange has shown that it has nothing older. Times in milliseconds. */
export interface SeriesReach {
  readonly series: Series;
  readonly reachFromMs: number;
  /** When older candles were last asked for; undefined if that is not known. */
  readonly askedMs: number | undefined;
  /** How often they were asked for again since that was proved. */
  readonly asks: number;
}

/** The reaches of an exchange's series, those first that were asked for longest ago. */
export async function readReaches(
  database: Database,
  exchange: string,
): Promise<readonly SeriesReach[]> {
  return await database.run(`read how far back ${exchange} goes`, async (sql) => {
    const rows = await sql<ReachRow[]>`
      select symbol, timeframe, reach_asks, (extract(epoch from reach_from) * 1000)::float8 as reach_ms,
             (extract(epoch from reach_asked_at) * 1000)::float8 as asked_ms
      from checkpoints where exchange = ${exchange} and reach_from is not null
      order by reach_asked_at nulls first, symbol, timeframe`;
    return rows.map(({ symbol, timeframe, reach_ms, asked_ms, reach_asks }) => ({
      series: { exchange, symbol, timeframe: parseTimeframe(timeframe) },
      reachFromMs: reach_ms,
      askedMs: asked_ms ?? undefined,
      asks: reach_asks,
    }));
  });
}

interface ReachRow {
  readonly symbol: string;
  readonly timeframe: string;
  readonly reach_ms: number;
  readonly asked_ms: number | null;
  readonly reach_asks: number;
}

/** Records that older candles of a series were asked for, and none came. `asks` is 0 when that was proved anew. */
export async function noteReachAsked(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  { nowMs, asks }: { readonly nowMs: number; readonly asks: number },
): Promise<void> {
  await database.run(
    `note that older candles of ${exchange} ${symbol} do not come`,
    async (sql) => {
      await sql`
      update checkpoints
      set reach_asked_at = to_timestamp(${nowMs}::float8 / 1000.0), reach_asks = ${asks}
      where exchange = ${exchange} and symbol = ${symbol} and timeframe = ${timeframe.text}`;
    },
  );
}

/** Takes back that an exchange has nothing older of a series. That time is owed again, and its gaps are open again. */
export async function withdrawReach(
  database: Database,
  series: Series,
  nowMs: number,
): Promise<void> {
  const { exchange, symbol, timeframe: { text } } = series;
  await database.run(`owe the older candles of ${seriesName(series)} again`, async (sql) => {
    // PostgreSQL comes to the gaps last, because nothing is read of `reopened`.
    await sql.unsafe(
      `with series as (
         select exchange, symbol, timeframe, reach_from from checkpoints
         where exchange = $1 and symbol = $2 and timeframe = $3
       ),
       held as materialized (${
        heldRows("gaps", {
          from: `join series using (exchange, symbol, timeframe)
                 where known.state = 'retention' and known.until <= series.reach_from`,
        })
      }),
       reopened as (
         update gaps as known set state = 'suspected', attempts = 0, next_try = to_timestamp($4::float8 / 1000.0)
         from held where ${isHeld("gaps")}
       )
       update checkpoints as known set reach_from = null, reach_asked_at = null, reach_asks = 0
       from series where ${isHeld("checkpoints", "series")}`,
      [exchange, symbol, text, nowMs],
    );
  });
}
