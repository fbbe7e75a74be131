/** Pages of leases, on a database that two programs have open. @module */
import { systemClock } from "../../lib/clock.ts";
import type { Series } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import type { LeaseStamp } from "../../lib/store/lease_stamp.ts";
import type { PageWrite } from "../../lib/store/page_write.ts";
import { emptyDatabase } from "./local_archive.ts";
import { DATABASE_KINDS, openTestDatabase } from "./test_database.ts";

export const MINUTE_MS = 60_000;
export const START_MS = Date.UTC(2024, 0, 1);
export const BTC: Series = {
  exchange: "binance",
  symbol: "BTC/USDT",
  timeframe: parseTimeframe("1m"),
};
/** Nodes. */
export const [A, B, C] = [1, 2, 3].map((node) => `00000000-0000-4000-8000-00000000000${node}`) as [
  string,
  string,
  string,
];

export interface LeaseScene {
  readonly first: Database;
  /** Of a program of its own; the same as the first one where a database can be opened only once. */
  readonly second: Database;
  readonly isServer: boolean;
}

/** Runs each test on each kind of database. */
export function testLeases(
  what: string,
  tests: Readonly<Record<string, (scene: LeaseScene) => Promise<void>>>,
): void {
  for (const kind of DATABASE_KINDS) {
    Deno.test(`${what} on a database that is ${kind}`, async (t) => {
      const opened = await openTestDatabase(kind);
      if (opened === undefined) {
        await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
        return;
      }
      const { database: first, url } = opened;
      const second = url === undefined
        ? first
        : await openDatabase({ url, dataDir: "", poolMax: 3, clock: systemClock });
      try {
        await migrate(first, await readMigrations());
        for (const [name, test] of Object.entries(tests)) {
          await t.step(name, async () => {
            await emptyDatabase(first);
            await first.sql`truncate imports cascade`;
            await ensureCandleTables(first, [BTC.timeframe]);
            await test({ first, second, isServer: url !== undefined });
          });
        }
      } finally {
        if (second !== first) await second.close();
        await opened.drop();
      }
    });
  }
}

export const NO_ANSWER: PageWrite = {
  candles: [],
  rejected: [],
  answered: undefined,
  reachFromMs: undefined,
};

/** One candle of this value, and its time as answered. */
export function pageOf(value: number, minute = 0): PageWrite {
  const openTimeMs = START_MS + minute * MINUTE_MS;
  const text = String(value);
  return {
    ...NO_ANSWER,
    candles: [{ openTimeMs, open: text, high: text, low: text, close: text, volume: text }],
    answered: { sinceMs: openTimeMs, untilMs: openTimeMs + MINUTE_MS },
  };
}

/** The value of the candle of minute 0. */
export async function storedValue({ sql }: Database, { symbol }: Series): Promise<number> {
  const [row] = await sql<{ open: string }[]>`
    select open from ohlcv_1m where symbol = ${symbol} and time = ${new Date(START_MS)}`;
  return Number(row?.open);
}

/** By which lease the series was written last. */
export async function stampOf(
  { sql }: Database,
  { symbol }: Series,
): Promise<LeaseStamp | undefined> {
  const [row] = await sql<{ epoch: string; holder: string }[]>`
    select epoch, holder from checkpoints where symbol = ${symbol}`;
  return row && { holder: row.holder, epoch: Number(row.epoch) };
}
