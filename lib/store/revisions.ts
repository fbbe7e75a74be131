/** Reads what revisions have replaced, in bounded pages, oldest candle first. @module */
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import type { Database } from "./connection/database.ts";

/** Revisions in a page: one megabyte of text. */
export const REVISION_PAGE_ROWS_MAX = 5_000;

/** Values of a candle as decimal texts: open, high, low, close and volume. What nobody trades has no volume. */
type Values = readonly [string, string, string, string, string | null];

/** Values of a candle that are not those of the archive any more. Times in milliseconds. */
export interface Revision {
  /** Of two revisions of a series the later one has the larger number. */
  readonly number: number;
  readonly openTimeMs: number;
  readonly revisedAtMs: number;
  readonly values: Values;
  /** What came in their place; all null where the candle was taken back. */
  readonly newValues: readonly (string | null)[];
  /** The import that brought the new values; null when the exchange gave them. */
  readonly importId: number | null;
}

/** All series, with candles or without, by exchange, symbol and timeframe. */
export async function readAllSeries(database: Database): Promise<readonly Series[]> {
  return await database.run("read which series there are", async (sql) => {
    const rows = await sql<{ exchange: string; symbol: string; timeframe: string }[]>`
      select exchange, symbol, timeframe from checkpoints order by exchange, symbol, timeframe`;
    return rows.map(({ exchange, symbol, timeframe }) => ({
      exchange,
      symbol,
      timeframe: parseTimeframe(timeframe),
    }));
  });
}

/** The next revisions of a series' candles in a window, after one of them. */
export async function readRevisionPage(
  database: Database,
  series: Series,
  { sinceMs, untilMs, after }: {
    readonly sinceMs: number | null;
    readonly untilMs: number | null;
    readonly after: Revision | undefined;
  },
): Promise<readonly Revision[]> {
  return await database.run(`read the revisions of ${seriesName(series)}`, async (sql) => {
    const rows = await sql.unsafe<RevisionRow[]>(STATEMENT, [
      ...[series.exchange, series.symbol, series.timeframe.text],
      ...[sinceMs, untilMs, after?.openTimeMs ?? null, after?.number ?? null],
    ], { prepare: true });
    return rows.map((row) => ({
      number: row.number,
      openTimeMs: row.time_ms,
      revisedAtMs: row.revised_at_ms,
      values: [row.open, row.high, row.low, row.close, row.volume],
      newValues: [row.new_open, row.new_high, row.new_low, row.new_close, row.new_volume],
      importId: row.import_id,
    }));
  });
}

const STATEMENT = `
select id::float8 as number, import_id::float8 as import_id,
       (extract(epoch from time) * 1000)::float8 as time_ms,
       trunc(extract(epoch from revised_at) * 1000)::float8 as revised_at_ms,
       open::text, high::text, low::text, close::text, volume::text,
       (open + open_by)::text as new_open, (high + high_by)::text as new_high, (low + low_by)::text as new_low,
       (close + close_by)::text as new_close, (volume + volume_by)::text as new_volume
from candle_revisions
where exchange = $1 and symbol = $2 and timeframe = $3
  and time >= coalesce(to_timestamp($4::float8 / 1000.0), '-infinity')
  and time < coalesce(to_timestamp($5::float8 / 1000.0), 'infinity')
  and ($6::float8 is null or (time, id) > (to_timestamp($6::float8 / 1000.0), $7::float8::bigint))
order by time, id
limit ${REVISION_PAGE_ROWS_MAX}`;

interface RevisionRow {
  readonly number: number;
  readonly import_id: number | null;
  readonly time_ms: number;
  readonly revised_at_ms: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string | null;
  readonly new_open: string | null;
  readonly new_high: string | null;
  readonly new_low: string | null;
  readonly new_close: string | null;
  readonly new_volume: string | null;
}
