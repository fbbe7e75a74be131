/** A candle comes or is rejected while others look for gaps or enter a listing: each one missing is in one gap. @module */
import assert from "node:assert/strict";
import { readExplained } from "../../lib/store/gap_counts.ts";
import { noteGapsAsked } from "../../lib/store/gap_note.ts";
import { scanGaps } from "../../lib/store/gaps.ts";
import { beginListings } from "../../lib/store/listings.ts";
import type { Series } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import type { Sql } from "../../lib/store/connection/sql.ts";
import { type PageWrite, writePage } from "../../lib/store/page_write.ts";
import { noteRejected } from "../../lib/store/rejected_gaps.ts";
import { openTestDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 1);
const BTC: Series = { exchange: "binance", symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };

/** Candles 4, 5 and 6 of ten are missing, and the middle one came and was rejected. */
const REJECTED = { sinceMs: START_MS + 5 * MINUTE_MS, untilMs: START_MS + 6 * MINUTE_MS };

const EACH_IN_ONE_GAP = ["4-5 suspected", "5-6 rejected", "6-7 suspected"];
const ALL_IN_ONE_GAP = ["4-7 suspected"];

/** A page that brings the middle one. */
const LATE: PageWrite = {
  candles: [{
    openTimeMs: REJECTED.sinceMs,
    open: "1",
    high: "1",
    low: "1",
    close: "1",
    volume: "1",
  }],
  rejected: [],
  answered: REJECTED,
  reachFromMs: undefined,
};

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

  "a candle that comes while a scan enters its gap is not missing there": async (database) => {
    const pages: Promise<unknown>[] = [];
    await database.sql.begin(async (tx) => {
      await scanGaps(within(database, tx), BTC.timeframe, START_MS);
      pages.push(writePage(database, BTC, LATE));
      await someoneWaits(tx);
    });
    await Promise.all(pages);
    assert.deepEqual(await gaps(database), ALL_IN_ONE_GAP);
    assert.deepEqual(await missing(database), [2]);
  },

  "a candle that comes while a scan reads is not missing in the gap that it enters": async (
    database,
  ) => {
    const scans: Promise<number>[] = [];
    await database.sql.begin(async (tx) => {
      await writePage(within(database, tx), BTC, LATE);
      scans.push(scanGaps(database, BTC.timeframe, START_MS));
      await someoneWaits(tx);
    });
    await Promise.all(scans);
    assert.deepEqual(await gaps(database), ALL_IN_ONE_GAP);
    assert.deepEqual(await missing(database), [2]);
  },

  "a candle that comes while an ask for its gap is noted is not missing there": async (
    database,
  ) => {
    for (const isFirst of [true, false]) {
      await fill(database);
      await scanGaps(database, BTC.timeframe, START_MS);
      const waiting: Promise<unknown>[] = [];
      const page = (to: Database): Promise<unknown> => writePage(to, BTC, LATE);
      const note = (to: Database): Promise<unknown> => noteAsk(to);
      await database.sql.begin(async (tx) => {
        await (isFirst ? page : note)(within(database, tx));
        waiting.push((isFirst ? note : page)(database));
        await someoneWaits(tx);
      });
      await Promise.all(waiting);
      assert.deepEqual(await missing(database), [2], isFirst ? "the page first" : "the note first");
    }
  },

  "a candle that comes while its gap is cut is not missing in its part": async (database) => {
    await scanGaps(database, BTC.timeframe, START_MS);
    await database.sql`
      insert into rejected_candles (exchange, symbol, timeframe, answered, reason, time)
      values ('binance', 'BTC/USDT', '1m', '[]', 'low_above_open', to_timestamp(${
      REJECTED.sinceMs / 1000
    }))`;
    const pages: Promise<unknown>[] = [];
    await database.sql.begin(async (tx) => {
      assert.equal((await noteAsk(within(database, tx))).length, 3);
      pages.push(writePage(database, BTC, LATE));
      await someoneWaits(tx);
    });
    await Promise.all(pages);
    assert.deepEqual(await gaps(database), ["4-5 no_trades", "5-6 filled", "6-7 no_trades"]);
  },

  "a candle that comes while it is noted as rejected is in no gap": async (database) => {
    const notes: Promise<void>[] = [];
    await database.sql.begin(async (tx) => {
      await writePage(within(database, tx), BTC, LATE);
      notes.push(
        noteRejected(database, BTC, { spans: [{ ...REJECTED, candles: 1 }], nowMs: START_MS }),
      );
      await someoneWaits(tx);
    });
    await Promise.all(notes);
    await scanGaps(database, BTC.timeframe, START_MS);
    assert.deepEqual(await gaps(database), ["4-5 suspected", "6-7 suspected"]);
  },

  "candles that come while a listing is entered are taken back with it, however many": async (
    database,
  ) => {
    const candles = Array.from({ length: 10 }, (_, n) => ({
      ...LATE.candles[0]!,
      openTimeMs: START_MS + (10 + n) * MINUTE_MS,
    }));
    const entries: Promise<void>[] = [];
    await database.sql.begin(async (tx) => {
      await writePage(within(database, tx), BTC, { ...LATE, candles, answered: undefined });
      entries.push(beginListings(database, BTC.exchange, {
        symbols: [],
        series: [{ series: BTC, fromMs: START_MS + 30 * MINUTE_MS }],
        nowMs: START_MS,
      }));
      await someoneWaits(tx);
    });
    await Promise.all(entries);
    const [row] = await database.sql`
      select candles::int as kept, (select count(*) from ohlcv_1m)::int as counted from checkpoints`;
    assert.deepEqual({ ...row }, { kept: 7, counted: 7 });
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
  await sql`truncate checkpoints, gaps, ohlcv_1m, rejected_candles`;
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

/** Notes the last ask for the gap. */
function noteAsk(database: Database): Promise<readonly string[]> {
  const note = { isAnswered: true, isProvable: true, isConclusive: true };
  return noteGapsAsked(database, BTC, {
    notes: [{ ...note, sinceMs: START_MS + 4 * MINUTE_MS, nextTryMs: START_MS }],
    nowMs: START_MS,
  });
}

/** How many candles are missing in each gap. */
async function missing({ sql }: Database): Promise<readonly number[]> {
  return (await sql<{ missing: number }[]>`select missing from gaps order by since`)
    .map(({ missing }) => missing);
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
  await until(
    "a statement that waits for a lock",
    async () => (await tx.unsafe(waiting)).length > 0,
  );
}

async function gaps({ sql }: Database): Promise<readonly string[]> {
  const rows = await sql`select since, until, state from gaps order by since`;
  const minute = (time: Date): number => (time.getTime() - START_MS) / MINUTE_MS;
  return rows.map(({ since, until, state }) => `${minute(since)}-${minute(until)} ${state}`);
}
