/** An archive of as many candles of `1m` as a test wants, made in SQL month by month. @module */
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { candleTable, ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { textArray } from "../../lib/store/parameters.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";

export const LARGE_EXCHANGES = ["binance", "kraken", "okx", "bybit"] as const;
const SINCE_MS = Date.UTC(2020, 0, 1);
const MINUTE_MS = 60_000;

/** The name of one of its symbols, and one with characters that names in files must not have. */
export function largeSymbol(n: number): string {
  return n === 0 ? "A/B:C-250101-1,000" : `SYM${n}/USDT`;
}

/**
 * Makes it: series of the same length from 2020 on, all covered. One of each exchange has holes with reasons, and one volumes of which
 * the base volume is not known. Goes on where an earlier run ended.
 */
export async function makeLargeArchive(
  database: Database,
  {
    candles,
    exchanges: exchangeCount = LARGE_EXCHANGES.length,
    symbols: symbolCount = 10,
    onMonth,
  }: {
    readonly candles: number;
    /** @default 4, the most */
    readonly exchanges?: number;
    /** @default 10 */
    readonly symbols?: number;
    readonly onMonth?: (sinceMs: number) => void;
  },
): Promise<void> {
  const minute = parseTimeframe("1m");
  await migrate(database, await readMigrations());
  await ensureCandleTables(database, [minute]);
  const exchanges = LARGE_EXCHANGES.slice(0, exchangeCount);
  const each = Math.ceil(candles / (exchanges.length * symbolCount));
  const endMs = SINCE_MS + each * MINUTE_MS;
  const symbols = Array.from({ length: symbolCount }, (_, n) => largeSymbol(n));
  const [row] = await database.sql<
    { last: Date | null }[]
  >`select max(last) as last from checkpoints`;
  let sinceMs = row?.last ? row.last.getTime() + MINUTE_MS : SINCE_MS;
  while (sinceMs < endMs) {
    const since = new Date(sinceMs);
    const nextMs = Math.min(endMs, Date.UTC(since.getUTCFullYear(), since.getUTCMonth() + 1));
    await addMonth(database, {
      exchanges,
      symbols,
      sinceMs,
      untilMs: nextMs,
      table: candleTable(minute),
    });
    onMonth?.(sinceMs);
    sinceMs = nextMs;
  }
}

async function addMonth(
  database: Database,
  { exchanges, symbols, sinceMs, untilMs, table }: {
    readonly exchanges: readonly string[];
    readonly symbols: readonly string[];
    readonly sinceMs: number;
    readonly untilMs: number;
    readonly table: string;
  },
): Promise<void> {
  const rows = (untilMs - sinceMs) / MINUTE_MS;
  const names = [textArray(exchanges), textArray(symbols)] as const;
  await database.sql.begin(async (sql) => {
    // Prices with two digits more than doubles need, and ten minutes without candles in each month.
    await sql.unsafe(
      `insert into ${table} (time, exchange, symbol, open, high, low, close, volume)
       select to_timestamp($1::float8 / 1000) + n * interval '1 minute', exchange, symbol, price, price + 1.5, price - 0.25,
              price + 0.125, n % 5003 * 0.00012345678901
       from unnest($3::text[]) with ordinality as e (exchange, x)
       cross join unnest($4::text[]) with ordinality as s (symbol, y)
       cross join generate_series(0, $2::int - 1) as n
       cross join lateral (select 100 * y + x + n % 977 * 0.01 as price) as priced
       where n not between 100 and 109 or symbol <> 'SYM3/USDT'`,
      [sinceMs, rows, ...names],
    );
    await sql.unsafe(
      `insert into checkpoints as known (exchange, symbol, timeframe, candles, first, last, covered)
       select exchange, symbol, '1m', $2::int - case when symbol = 'SYM3/USDT' then 10 else 0 end,
              to_timestamp($1::float8 / 1000), to_timestamp($3::float8 / 1000) - interval '1 minute',
              tstzmultirange(tstzrange(to_timestamp($1::float8 / 1000), to_timestamp($3::float8 / 1000)))
       from unnest($4::text[]) as exchange cross join unnest($5::text[]) as symbol
       on conflict (exchange, symbol, timeframe) do update
       set candles = known.candles + excluded.candles, last = excluded.last, covered = known.covered + excluded.covered`,
      [sinceMs, rows, untilMs, ...names],
    );
    await sql.unsafe(
      `insert into gaps (exchange, symbol, timeframe, since, until, missing, state)
       select exchange, 'SYM3/USDT', '1m', to_timestamp($1::float8 / 1000) + interval '100 minutes',
              to_timestamp($1::float8 / 1000) + interval '110 minutes', 10, 'no_trades'
       from unnest($2::text[]) as exchange`,
      [sinceMs, names[0]],
    );
  });
}
