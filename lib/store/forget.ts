/** Deletes series and all that is known of them, on purpose. @module */
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import type { Database } from "./connection/database.ts";

/** What the archive has of a series. */
interface ForgettableSeries {
  readonly series: Series;
  readonly candles: number;
}

/** Deletes all series of a symbol, one after another. Returns how many candles that were. */
export async function forgetSymbol(
  database: Database,
  names: Pick<Series, "exchange" | "symbol">,
): Promise<number> {
  let candles = 0;
  for (const { series } of await readForgettable(database, names)) {
    candles += await forgetSeries(database, series);
  }
  return candles;
}

/** The series of a symbol. */
export async function readForgettable(
  database: Database,
  { exchange, symbol }: Pick<Series, "exchange" | "symbol">,
): Promise<readonly ForgettableSeries[]> {
  return await database.run(`read what there is of ${exchange} ${symbol}`, async (sql) => {
    const rows = await sql<{ timeframe: string; candles: string }[]>`
      select timeframe, candles from checkpoints
      where exchange = ${exchange} and symbol = ${symbol} order by titan10_step(timeframe)`;
    return rows.map(({ timeframe, candles }) => ({
      series: { exchange, symbol, timeframe: parseTimeframe(timeframe) },
      candles: Number(candles),
    }));
  });
}

/**
 * Deletes a series: its candles, also in compressed chunks and in what rollups hold, and its rows in all other tables, all
 * of it or nothing. A page that was asked for before is refused afterwards.
 *
 * @returns how many candles were deleted.
 */
export async function forgetSeries(database: Database, series: Series): Promise<number> {
  const { exchange, symbol, timeframe } = series;
  const deleted = await database.runLong(`forget ${seriesName(series)}`, async (sql) => {
    const [row] = await sql<{ deleted: string }[]>`
      select titan10_forget(${exchange}, ${symbol}, ${timeframe.text}) as deleted`;
    return Number(row?.deleted ?? 0);
  });
  // Some of what the server must still have after a restart was deleted.
  database.proof?.release();
  return deleted;
}
