/** Archives that are made in SQL, for commands that read or carry many candles. @module */
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { candleTable, ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";

export interface Seed {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  /** Open time of the first candle, ISO 8601. */
  readonly since: string;
  readonly candles: number;
}

/** Makes the schema and candles one after the other, with values that repeat after primes, and their checkpoints. */
export async function seed(database: Database, seeds: readonly Seed[]): Promise<void> {
  await migrate(database, await readMigrations());
  await ensureCandleTables(
    database,
    [
      ...new Set(seeds.map(({ timeframe }) => timeframe)),
    ].map(parseTimeframe),
  );
  for (const { exchange, symbol, timeframe, since, candles } of seeds) {
    const table = candleTable(parseTimeframe(timeframe));
    await database.sql.unsafe(
      `insert into ${table} (time, exchange, symbol, open, high, low, close, volume)
       select $4::timestamptz + n * titan10_step($3), $1, $2, 40000 + n % 977 * 0.01, 41000.5, 0.0000000001,
              40000 + n % 1009 * 0.01, n % 5003 * 0.00012345678901
       from generate_series(0, $5::int - 1) as n`,
      [exchange, symbol, timeframe, since, candles],
    );
    await database.sql`
      insert into checkpoints (exchange, symbol, timeframe, candles, first, last, covered)
      select ${exchange}, ${symbol}, ${timeframe}, ${candles}, since, until - titan10_step(${timeframe}),
             tstzmultirange(tstzrange(since, until))
      from (select ${since}::timestamptz as since,
                   ${since}::timestamptz + ${candles} * titan10_step(${timeframe}) as until) as span`;
  }
}
