/** Reads stored funding rates, oldest first. @module */
import type { FundingRate } from "../market/funding_rate.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "./connection/database.ts";

/** A perpetual of an exchange. */
export interface Perpetual {
  readonly exchange: string;
  readonly symbol: string;
}

/** The name of a perpetual: `binance BTC/USDT:USDT`. Unique, so it is also used as a key. */
export function perpetualName({ exchange, symbol }: Perpetual): string {
  return `${exchange} ${symbol}`;
}

/** A perpetual of which rates are stored. */
export interface FundingSeries extends Perpetual {
  /** Times of the first and of the newest rate. Milliseconds. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly rates: number;
}

/** The most rates in a page. */
export const FUNDING_PAGE_ROWS_MAX = 10_000;

/** The perpetuals of which rates are stored, by exchange and symbol. */
export async function readFundingSeries(database: Database): Promise<readonly FundingSeries[]> {
  return await database.run("read which funding rates there are", async (sql) => {
    const rows = await sql<SeriesRow[]>`
      select exchange, symbol, first, last, rates from funding_checkpoints
      where first is not null and last is not null
      order by exchange, symbol`;
    return rows.map(({ exchange, symbol, first, last, rates }) => ({
      exchange,
      symbol,
      firstMs: first.getTime(),
      lastMs: last.getTime(),
      rates: Number(rates),
    }));
  });
}

/** The oldest rates of a window, ascending, at most `rowsMax`. */
export async function readFundingPage(
  database: Database,
  { exchange, symbol }: Perpetual,
  { sinceMs, untilMs, rowsMax = FUNDING_PAGE_ROWS_MAX }: Window & { readonly rowsMax?: number },
): Promise<readonly FundingRate[]> {
  return await database.run(`read funding rates of ${exchange} ${symbol}`, async (sql) => {
    const rows = await sql<{ ms: number; rate: string }[]>`
      select (extract(epoch from time) * 1000)::float8 as ms, rate from funding_rates
      where exchange = ${exchange} and symbol = ${symbol}
        and time >= to_timestamp(${sinceMs}::float8 / 1000.0)
        and time < to_timestamp(${untilMs}::float8 / 1000.0)
      order by time limit ${rowsMax}`;
    return rows.map(({ ms, rate }) => ({ timeMs: Math.round(ms), rate }));
  });
}

interface SeriesRow extends Perpetual {
  readonly first: Date;
  readonly last: Date;
  readonly rates: string;
}
