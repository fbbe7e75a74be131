/** Compares the archive with the exchanges' truth, candle by candle. @module */
import type postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import type { LocalCandle } from "../../lib/local_exchange/price_walk.ts";
import { subtract } from "../../lib/market/coverage.ts";
import { type Window, windowName } from "../../lib/market/window.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { ManyExchanges } from "../support/many_exchanges.ts";

export interface Judgement {
  readonly series: number;
  /** Rows that are what the exchange says. */
  readonly right: number;
  /**
   * Missing inside coverage, with a row of `all_gaps` that says why or that it is asked for again; or before a first candle
   * that the ledger doubts, which is asked for again an hour after it was found.
   */
  readonly explained: number;
  /** What differs, one text each; at most {@linkcode DIFFERENCES_MAX}. */
  readonly differences: readonly string[];
}

const DIFFERENCES_MAX = 20;
const MINUTE = parseTimeframe("1m");

/** Judges every series over all that the archive claims of it, which must be the whole of `window` at least. */
export async function judge(
  sql: postgres.Sql,
  { exchanges }: ManyExchanges,
  window: Window,
): Promise<Judgement> {
  const differences: string[] = [];
  const total = { series: 0, right: 0, explained: 0 };
  for (const { dialect, local } of exchanges) {
    for (const { symbol } of local.symbols.all()) {
      const stored = await readSeries(sql, dialect.exchange, symbol);
      const truth = stored.covered.flatMap((window) =>
        local.truth(symbol, MINUTE, window, systemClock.now())
      );
      const found = compare(stored, truth, window);
      total.series++;
      total.right += found.right;
      total.explained += found.explained;
      differences.push(...found.differences.map((text) => `${dialect.exchange} ${symbol} ${text}`));
    }
  }
  return { ...total, differences: differences.slice(0, DIFFERENCES_MAX) };
}

interface StoredSeries {
  /** Covered, or stored and not final yet. */
  readonly covered: readonly Window[];
  /** Values by open time. */
  readonly rows: ReadonlyMap<number, string>;
  /** Rows, of which two of the same time are one in the map. */
  readonly count: number;
  /** What the checkpoint says their number is. */
  readonly counted: number;
  readonly gaps: readonly Window[];
  /** What lies before it will be asked for again. Milliseconds; undefined once that was done. */
  readonly doubtedFirstMs: number | undefined;
}

function compare(
  { covered, rows, count, counted, gaps, doubtedFirstMs = -Infinity }: StoredSeries,
  truth: readonly LocalCandle[],
  window: Window,
): Pick<Judgement, "right" | "explained" | "differences"> {
  const differences: string[] = [];
  const result = { right: 0, explained: 0 };
  if (subtract([window], covered).length > 0) {
    differences.push(`is covered only for ${covered.map(windowName).join(", ")}`);
  }
  if (count !== rows.size) differences.push(`has ${count - rows.size} rows twice`);
  if (count !== counted) differences.push(`has ${count} rows and counts ${counted}`);
  const left = new Map(rows);
  for (const candle of truth) {
    const { openTimeMs } = candle;
    const values = left.get(openTimeMs);
    left.delete(openTimeMs);
    const time = new Date(openTimeMs).toISOString();
    if (values === valuesOf(candle)) result.right++;
    else if (values !== undefined) {
      differences.push(`${time} is ${values}, not ${valuesOf(candle)}`);
    } else if (
      openTimeMs < doubtedFirstMs ||
      gaps.some((gap) => gap.sinceMs <= openTimeMs && openTimeMs < gap.untilMs)
    ) {
      result.explained++;
    } else differences.push(`${time} is missing without a word`);
  }
  for (const timeMs of left.keys()) {
    differences.push(`${new Date(timeMs).toISOString()} is stored outside coverage`);
  }
  return { ...result, differences };
}

async function readSeries(
  sql: postgres.Sql,
  exchange: string,
  symbol: string,
): Promise<StoredSeries> {
  const rows = await sql<{ time: string; values: string }[]>`
    select (extract(epoch from time) * 1000)::bigint::text as time,
           concat_ws(' ', trim_scale(open), trim_scale(high), trim_scale(low), trim_scale(close),
                     trim_scale(volume)) as values
    from ohlcv_1m where exchange = ${exchange} and symbol = ${symbol}`;
  const covered = await sql<{ since: Date; until: Date; candles: string; doubted: Date | null }[]>`
    select lower(range) as since, upper(range) as until, candles::text,
           case when doubted_first = first then first end as doubted
    from checkpoints, unnest(covered + unsettled) as range
    where exchange = ${exchange} and symbol = ${symbol} and timeframe = '1m'`;
  const gaps = await sql<{ since: Date; until: Date }[]>`
    select since, until from all_gaps
    where exchange = ${exchange} and symbol = ${symbol} and timeframe = '1m' and state <> 'filled'`;
  return {
    covered: covered.map(windowOf),
    rows: new Map(rows.map(({ time, values }) => [Number(time), values])),
    count: rows.length,
    counted: Number(covered[0]?.candles ?? 0),
    gaps: gaps.map(windowOf),
    doubtedFirstMs: covered[0]?.doubted?.getTime(),
  };
}

function windowOf({ since, until }: { readonly since: Date; readonly until: Date }): Window {
  return { sinceMs: since.getTime(), untilMs: until.getTime() };
}

function valuesOf({ open, high, low, close, volume }: LocalCandle): string {
  return [open, high, low, close, volume].map((text) =>
    text.includes(".") ? text.replace(/\.?0+$/, "") : text
  ).join(" ");
}
