/** A candle is rejected while another process looks for gaps: each missing candle is in one gap all the same. @module */
import assert from "node:assert/strict";
import { readExplained } from "../../lib/store/gap_counts.ts";
import { scanGaps } from "../../lib/store/gaps.ts";
import type { Series } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import type { Sql } from "../../lib/store/connection/sql.ts";
import { noteRejected } from "../../lib/store/rejected_gaps.ts";
import { openTestDatabase } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 1);
const BTC: Series = { exchange: "binance", symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };

/** Candles 4, 5 and 6 of ten are missing, and the middle one came and was rejected. */
const REJECTED = { sinceMs: START_MS + 5 * MINUTE_MS, untilMs: START_MS + 6 * MINUTE_MS };

const EACH_IN_ONE_GAP = ["4-5 suspected", "5-6 rejected", "6-7 suspected"];
const ALL_IN_ONE_GAP = ["4-7 suspected"];

const TESTS: Readonly<Record<string, (database: Database) => Promise<void>>> = {
  "a scan that began before a candle was rejected leaves its series to the next scan": async (
    database,
  ) => {
    const scans: Promise<number>[] = [];
    await database.sql.begin(async (tx) => {
      await noteRejected(within(database, tx), BTC, {
        spans: [{ ...REJECTED, candles: 1 }],
        nowMs: START_MS,
      });
      scans.push(scanGaps(database, BTC.timeframe, START_MS));
      await someoneWaits(tx);
    });
    await Promise.all(scans);
    await scanGaps(database, BTC.timeframe, START_MS);
    assert.deepEqual(await gaps(database), EACH_IN_ONE_GAP);
  },

  "a candle that is rejected while a scan enters its gap stays in that gap": async (database) => {
    const notes: Promise<void>[] = [];
    await database.sql.begin(async (tx) => {
      await scanGaps(within(database, tx), BTC.timeframe, START_MS);
      notes.push(
        noteRejected(database, BTC, { spans: [{ ...REJECTED, candles: 1 }], nowMs: START_MS }),
      );
      await someoneWaits(tx);
    });
    await Promise.all(notes);
    assert.deepEqual(await gaps(database), ALL_IN_ONE_GAP);
  },

  "one after the other, both ways round": async (database) => {
    await noteRejected(database, BTC, { spans: [{ ...REJECTED, candles: 1 }], nowMs: START_MS });
    assert.equal(await scanGaps(database, BTC.timeframe, START_MS), 2);
    assert.deepEqual(await gaps(database), EACH_IN_ONE_GAP);
    await database.sql`truncate gaps`;
    await database.sql`update checkpoints set scanned = '{}'`;
    assert.equal(await scanGaps(database, BTC.timeframe, START_MS), 1);
    await noteRejected(database, BTC, { spans: [{ ...REJECTED, candles: 1 }], nowMs: START_MS });
    assert.deepEqual(await gaps(database), ALL_IN_ONE_GAP);
  },

  "a candle that was rejected before the first one explains no hole after it": async (database) => {
    await database.sql`delete from ohlcv_1m where time < to_timestamp(${REJECTED.untilMs / 1000})`;
    await database.sql`update checkpoints set first = to_timestamp(${
      (START_MS + 7 * MINUTE_MS) / 1000
    })`;
    await noteRejected(database, BTC, { spans: [{ ...REJECTED, candles: 1 }], nowMs: START_MS });
    assert.deepEqual(
      [...(await readExplained(database)).values()],
      [{ rejected: 1 }],
    );
  },
};

Deno.test("a candle that is rejected while gaps are looked for is in one gap", async (t) => {
  const opened = await openTestDatabase("postgres");
  if (opened === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const { database, drop } = opened;
  try {
    await migrate(database, await readMigrations());
    await ensureCandleTables(database, [BTC.timeframe]);
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        await fill(database);
        await test(database);
      });
    }
  } finally {
    await drop();
  }
});

async function fill({ sql }: Database): Promise<void> {
  await sql`truncate checkpoints, gaps, ohlcv_1m`;
  await sql`
    insert into ohlcv_1m (time, exchange, symbol, open, high, low, close, volume)
    select to_timestamp(${
    START_MS / 1000
  }) + minute * interval '1 minute', 'binance', 'BTC/USDT', 1, 1, 1, 1, 1
    from generate_series(0, 9) as minute where minute not in (4, 5, 6)`;
  await sql`
    insert into checkpoints (exchange, symbol, timeframe, covered, candles, first, last)
    select 'binance', 'BTC/USDT', '1m', tstzmultirange(tstzrange(min(time), max(time) + interval '1 minute')),
           count(*), min(time), max(time)
    from ohlcv_1m`;
}

/** The same database, all statements in one transaction. */
function within(database: Database, tx: unknown): Database {
  return {
    ...database,
    run: (_action, statements) => statements(tx as Sql),
    runLong: (_action, statements) => statements(tx as Sql),
  };
}

/** Resolves when another connection to this database waits for a lock. */
async function someoneWaits(tx: { unsafe(text: string): PromiseLike<unknown[]> }): Promise<void> {
  const waiting = `select from pg_locks join pg_stat_activity using (pid)
                   where not granted and datname = current_database()`;
  while ((await tx.unsafe(waiting)).length === 0);
}

async function gaps({ sql }: Database): Promise<readonly string[]> {
  const rows = await sql`select since, until, state from gaps order by since`;
  const minute = (time: Date): number => (time.getTime() - START_MS) / MINUTE_MS;
  return rows.map(({ since, until, state }) => `${minute(since)}-${minute(until)} ${state}`);
}
