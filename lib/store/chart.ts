/** What a chart shows of one series: its candles in a window, and why others are missing. @module */
import type { Candle } from "../market/candle.ts";
import type { GapState } from "../market/gap.ts";
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { VolumeUnit } from "../market/terms.ts";
import { BASE_VOLUME, unitsOf, VOLUME_UNIT } from "./base_volume.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { rollupView } from "./rollups.ts";

/** A timeframe in which a symbol of an exchange can be shown. */
export interface ChartTimeframe {
  readonly timeframe: Timeframe;
  /** The archived timeframe that it is computed from; undefined when the timeframe itself is archived. */
  readonly rolledUpFrom: Timeframe | undefined;
}

/** A candle as a chart shows it. */
interface ChartCandle extends Candle {
  /** Whether nothing but a stream has told of it, or of a part of it, and no answer of the exchange yet. */
  readonly isProvisional: boolean;
  /** What the volume counts; null where that is not known. */
  readonly volumeUnit: VolumeUnit | null;
  /** The volume in the base currency; null where it does not follow exactly from the candle. */
  readonly volumeBase: string | null;
}

/** What `ohlcv_explained` says of a candle. */
type CandleState =
  | "stored"
  | "provisional"
  | "owed"
  | "expired"
  | "ended"
  | "outside_range"
  | GapState;

/** A part of a window in which all candles share one state. */
export interface ExplainedSpan extends Window {
  readonly state: CandleState;
  readonly candles: number;
}

/**
 * The timeframes of a symbol, finest first. A timeframe that is archived is not listed again as a rollup. Empty when
 * the symbol is unknown.
 */
export async function readChartTimeframes(
  database: Database,
  { exchange, symbol }: Pick<Series, "exchange" | "symbol">,
): Promise<readonly ChartTimeframe[]> {
  return await database.run(`read the timeframes of ${exchange} ${symbol}`, async (sql) => {
    const rows = await sql<{ timeframe: string; base: string | null }[]>`
      with archived as (
        select timeframe from checkpoints join timeframes using (timeframe)
        where exchange = ${exchange} and symbol = ${symbol}
      )
      select timeframe, null as base, titan10_step(timeframe) as step from archived
      union all
      select timeframe, base_timeframe, titan10_step(timeframe) from rollups
      where base_timeframe in (select timeframe from archived)
        and timeframe not in (select timeframe from archived)
      order by step`;
    return rows
      .map(({ timeframe, base }) => ({
        timeframe: parseTimeframe(timeframe),
        rolledUpFrom: base === null ? undefined : parseTimeframe(base),
      }));
  });
}

/** All exchanges, and the symbols of one of them. */
export async function readArchivedNames(
  database: Database,
  exchange: string,
): Promise<{ readonly exchanges: readonly string[]; readonly symbols: readonly string[] }> {
  return await database.run("read what is archived", async (sql) => {
    const [row] = await sql<{ exchanges: string[]; symbols: string[] }[]>`
      select coalesce(json_agg(distinct exchange), '[]') as exchanges,
             coalesce(json_agg(distinct symbol) filter (where exchange = ${exchange}), '[]') as symbols
      from checkpoints join timeframes using (timeframe)`;
    return row!;
  });
}

/** The newest candles of a window, or forward the oldest ones; ascending, at most `candlesMax`. */
export async function readChartCandles(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  { window, rolledUpFrom, candlesMax, isForward }: {
    readonly window: Window;
    /** The archived timeframe that it is computed from; undefined when the timeframe itself is archived. */
    readonly rolledUpFrom: Timeframe | undefined;
    readonly candlesMax: number;
    readonly isForward: boolean;
  },
): Promise<readonly ChartCandle[]> {
  const [source, base] = rolledUpFrom === undefined
    ? [candleTable(timeframe), BASE_VOLUME]
    : [rollupView(timeframe), "candle.volume_base"];
  return await database.run(
    `read candles of ${exchange} ${symbol} ${timeframe.text}`,
    async (sql) => {
      const rows = await sql.unsafe<(Omit<ChartCandle, "openTimeMs"> & { time_ms: number })[]>(
        `select (extract(epoch from time) * 1000)::float8 as time_ms, open::text, high::text, low::text, close::text,
              volume::text, (${base})::text as "volumeBase", ${VOLUME_UNIT} as "volumeUnit",
              coalesce((select streamed * unsettled from checkpoints
                        where exchange = $1 and symbol = $2 and timeframe = $6)
                       && tstzrange(time, time + titan10_step($7)), false) as "isProvisional"
       from ${source} as candle ${unitsOf("$2")}
       where candle.exchange = $1 and candle.symbol = $2 and time >= to_timestamp($3::float8 / 1000.0)
         and time < to_timestamp($4::float8 / 1000.0)
       order by time ${isForward ? "asc" : "desc"} limit $5::int`,
        [
          ...[exchange, symbol, window.sinceMs, window.untilMs, candlesMax],
          ...[(rolledUpFrom ?? timeframe).text, timeframe.text],
        ],
      );
      const candles = rows.map(({ time_ms, ...values }) => ({ openTimeMs: time_ms, ...values }));
      return isForward ? candles : candles.reverse();
    },
  );
}

/** The state of every candle of an archived series in a window, as spans, ascending. */
export async function readExplainedSpans(
  database: Database,
  series: Series,
  { sinceMs, untilMs }: Window,
): Promise<readonly ExplainedSpan[]> {
  const { exchange, symbol, timeframe } = series;
  return await database.run(`explain the candles of ${seriesName(series)}`, async (sql) => {
    const rows = await sql<
      { since_ms: number; until_ms: number; state: ExplainedSpan["state"]; candles: number }[]
    >`
      select (extract(epoch from span_since) * 1000)::float8 as since_ms,
             (extract(epoch from span_until) * 1000)::float8 as until_ms, state, candles::int
      from ohlcv_explained(${timeframe.text}, ${exchange}, ${symbol},
                           to_timestamp(${sinceMs}::float8 / 1000.0), to_timestamp(${untilMs}::float8 / 1000.0))`;
    return rows.map(({ since_ms, until_ms, state, candles }) => ({
      sinceMs: since_ms,
      untilMs: until_ms,
      state,
      candles,
    }));
  });
}
