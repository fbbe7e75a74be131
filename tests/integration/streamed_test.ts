/** Whatever streams bring, and when: in the end the archive is what the exchange's answers alone make of it. */
import assert from "node:assert/strict";
import type { Candle } from "../../lib/market/candle.ts";
import { type Coverage, isCovered, subtract } from "../../lib/market/coverage.ts";
import type { Series } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { type Checkpoint, readCheckpoints } from "../../lib/store/ledger.ts";
import { type PageWrite, writePage } from "../../lib/store/page_write.ts";
import { writeStreamed } from "../../lib/store/streamed_write.ts";
import { emptyDatabase } from "../support/local_archive.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { fc } from "../support/property.ts";
import { holdRows, holdTable, untilWaiting } from "../support/row_locks.ts";
import { DATABASE_KINDS, openOnServer, openTestDatabase } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 2, 15, 12);
const MINUTES = 12;
/** As final as candles of the newest minutes get in these tests. */
const SETTLE_MINUTES = 2;
/** The minutes after which an answer without candles is believed. */
const GIVEN_UP_MINUTES = 6;
/** More by `-- --runs=1000`. */
const RUNS = Number(Deno.args.find((text) => text.startsWith("--runs="))?.slice(7) ?? 25);
const TIMEFRAME = parseTimeframe("1m");
/** Asked for, and streamed. */
const BOTH = { exchange: "binance", symbol: "BTC/USDT", timeframe: TIMEFRAME } as const;
/** Asked for alone. */
const ASKED = { exchange: "binance", symbol: "ETH/USDT", timeframe: TIMEFRAME } as const;
const NEVER_ASKED = { exchange: "binance", symbol: "SOL/USDT", timeframe: TIMEFRAME } as const;

for (const kind of DATABASE_KINDS) {
  Deno.test(`streamed candles in a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const { database } = opened;
    try {
      await migrate(database, await readMigrations());
      await ensureCandleTables(database, [TIMEFRAME]);
      for (const [name, test] of Object.entries(TESTS)) {
        await t.step(name, async () => {
          await emptyDatabase(database);
          await test(database);
        });
      }
    } finally {
      await opened.drop();
    }
  });
}

/** Of a server, since the embedded database lets in nobody else; of one with the real time, since timers do not run under faketime. */
Deno.test("streamed candles wait for a moment where all of their table is held, and are refused then as what comes again", async (t) => {
  const server = await startPostgres({ hasRealTime: true });
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    const { database, drop } = await openOnServer(server.url);
    try {
      await migrate(database, await readMigrations());
      await ensureCandleTables(database, [TIMEFRAME]);
      await writePage(database, BOTH, asked([0, 1], 0, 1));
      const table = await holdTable(database, "ohlcv_1m", { isAlone: true });
      const isLocked = { name: "StoreError", kind: "unavailable", message: /55P03/ };
      await assertTellsNothing(
        database,
        () => assert.rejects(outcomesOf(database, 1, [BOTH]), isLocked),
      );
      await table.release();
      assert.deepEqual(await outcomesOf(database, 1, [BOTH]), ["stored"]);
      const [row] = await database.sql`select current_setting('lock_timeout') as now`;
      assert.equal(row?.["now"], "0", "the wait is bounded for this statement alone");
    } finally {
      await drop();
    }
  } finally {
    await server.stop();
  }
});

/** One minute of the truth: nothing was traded, or the exchange says this once it is final, and that before. */
const minutes = fc.array(
  fc.record({
    isTraded: fc.boolean(),
    final: fc.integer({ min: 1, max: 3 }),
    young: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: MINUTES, maxLength: MINUTES },
);

/** At a minute (`at`), something is told of earlier ones. */
const steps = fc.array(
  fc.record({
    at: fc.integer({ min: 1, max: MINUTES }),
    isStream: fc.boolean(),
    since: fc.integer({ min: 0, max: MINUTES - 1 }),
    length: fc.integer({ min: 1, max: 5 }),
    /** What a stream says, whatever the truth is. */
    value: fc.integer({ min: 1, max: 4 }),
    /** The answer lacks so many of the newest candles: it lags behind. */
    lag: fc.integer({ min: 0, max: 2 }),
    isNew: fc.boolean(),
  }),
  { maxLength: 16 },
).map((all) => all.toSorted((a, b) => a.at - b.at));

const TESTS: Readonly<Record<string, (database: Database) => Promise<void>>> = {
  "are what answers make of them, whatever the order, and cover nothing before": async (
    database,
  ) => {
    await fc.assert(
      fc.asyncProperty(minutes, steps, async (truth, schedule) => {
        await emptyDatabase(database);
        let stored = 0;
        let told = 0;
        const ask = async (step: Parameters<typeof pageAt>[1]): Promise<void> => {
          const page = pageAt(truth, step);
          if (page === undefined) return;
          await writePage(database, ASKED, page);
          const { streamed } = await writePage(database, BOTH, page);
          told += streamed.confirmed + streamed.revised + streamed.withdrawn;
          const answered = page.candles.map(({ openTimeMs }) => openTimeMs);
          const named = (await storedIn(database)).streamed;
          assert.deepEqual(named.filter((ms) => answered.includes(ms)), [], "told of, and named");
        };
        for (const step of schedule) {
          if (step.isStream) {
            stored += await stream(database, Math.min(step.since, step.at - 1), step);
          } else await ask(step);
          const { both, asked } = await assertSound(database);
          const excess = subtract(both.ledger?.covered ?? [], asked.ledger?.covered ?? []);
          assert.deepEqual(excess, [], "covered by a stream");
          const told = new Set(both.candles.map((one) => JSON.stringify(one)));
          const changed = asked.candles.filter((one) => !told.has(JSON.stringify(one)));
          assert.deepEqual(changed, [], "an answer's candle was changed by a stream");
        }
        await ask({
          since: 0,
          length: MINUTES,
          lag: 0,
          isNew: false,
          at: MINUTES + GIVEN_UP_MINUTES,
        });
        assert.equal(told, stored, "each is told of once");
        const { both, asked, streamed } = await storedIn(database);
        assert.deepEqual(both, asked);
        assert.deepEqual(streamed, []);
      }),
      // An embedded server takes three times as long.
      { numRuns: database.kind === "embedded" ? 6 : RUNS },
    );
  },

  "are confirmed, revised or withdrawn by the answer that covers them, which keeps what they were":
    async (
      database,
    ) => {
      await writePage(database, BOTH, asked([0, 1], 0, 1));
      for (const minute of [1, 2, 3]) await stream(database, minute, { value: 2 });
      const written = await writePage(database, BOTH, asked([1, 2], [2, 3], [4, 2], 1, 5));
      assert.deepEqual(written.streamed, { confirmed: 1, revised: 1, withdrawn: 1 });
      assert.deepEqual([written.added, written.revised], [1, 1]);
      assert.equal(written.revisedFromMs, undefined, "no candle has changed between two answers");
      assert.equal(written.addedFromMs, timeOf(4));
      const kept = await database.sql<{ ms: number; close: string }[]>`
      select (extract(epoch from time) * 1000)::float8 as ms, close::text from candle_revisions order by time`;
      assert.deepEqual(kept.map(({ ms, close }) => [ms, close]), [[timeOf(2), "2"], [
        timeOf(3),
        "2",
      ]]);
      await assertSound(database);
    },

  "are left where an answer has told of them, and where nothing is archived": async (database) => {
    await writePage(database, BOTH, asked([0, 1], [3, 1], 0, 1));
    assert.equal(await stream(database, 3, { value: 2 }), 0, "an answer has told of it");
    assert.equal(await stream(database, 2, { value: 2 }), 1);
    assert.equal(await stream(database, 2, { value: 2 }), 0, "a second time");
    await database.sql`update checkpoints set ended_at = now(), ended_why = 'delisted'`;
    assert.equal(await stream(database, 4, { value: 2 }), 0, "its market has ended");
    await database.sql`update checkpoints set ended_at = null, ended_why = null`;
    await database.sql`insert into listings (exchange, symbol, since, market_id, noticed_at)
      values ('binance', 'BTC/USDT', to_timestamp(0), 'NEW', now())`;
    assert.equal(await stream(database, 4, { value: 2, marketId: "OLD" }), 0, "another market");
    assert.equal(await stream(database, 4, { value: 2, marketId: "NEW" }), 1);
    const { both } = await assertSound(database);
    assert.deepEqual(both.candles.map(({ ms }) => ms), [0, 2, 3, 4].map(timeOf));
  },

  "change nothing that is stored and not theirs": async (database) => {
    await writePage(database, BOTH, asked([0, 1], 0, 1));
    // As from a file, which brings candles that no answer has told of.
    await database.sql`insert into ohlcv_1m (time, exchange, symbol, open, high, low, close, volume)
      values (to_timestamp(${timeOf(2) / 1000}), 'binance', 'BTC/USDT', 3, 3, 3, 3, 1)`;
    await database.sql`update checkpoints set candles = 2, last = to_timestamp(${
      timeOf(2) / 1000
    })`;
    assert.equal(await stream(database, 2, { value: 2 }), 0);
    const { both, streamed } = await storedIn(database);
    assert.deepEqual(both.candles, [{ ms: timeOf(0), close: "1" }, { ms: timeOf(2), close: "3" }]);
    assert.deepEqual(streamed, []);
  },

  "that were taken back by another statement are not told of by the next answer": async (
    database,
  ) => {
    await writePage(database, BOTH, asked([0, 1], 0, 1));
    await stream(database, 1, { value: 1 });
    // As where a listing begins: what was not final before it is taken back.
    await database.sql`delete from ohlcv_1m where time = to_timestamp(${timeOf(1) / 1000})`;
    await database.sql`update checkpoints set unsettled = '{}', candles = 1, last = first`;
    const written = await writePage(database, BOTH, asked([1, 1], 1, 3));
    assert.deepEqual(written.streamed, { confirmed: 0, revised: 0, withdrawn: 0 });
    assert.equal(written.addedFromMs, timeOf(1));
    await assertSound(database);
  },

  "are told of by an answer that has them before they are final, and are its own from then on":
    async (database) => {
      await writePage(database, BOTH, asked([0, 1], 0, 1));
      assert.equal(await stream(database, 1, { value: 2 }), 1);
      const young = await writePage(database, BOTH, asked([1, 4], 0, 1));
      assert.deepEqual(young.streamed, { confirmed: 0, revised: 1, withdrawn: 0 });
      assert.equal(await stream(database, 1, { value: 3 }), 0, "an answer has told of it");
      const { both, streamed } = await assertSound(database);
      assert.deepEqual([both.candles.at(-1)?.close, streamed], ["4", []]);
      const again = await writePage(database, BOTH, asked([1, 4], 1, 2));
      assert.deepEqual(again.streamed, { confirmed: 0, revised: 0, withdrawn: 0 });
    },

  "come to a compressed chunk, and are revised and withdrawn there": async (database) => {
    if (database.kind !== "embedded") return;
    await writePage(database, BOTH, asked([0, 1], 0, 1));
    await stream(database, 1, { value: 2 });
    const compress = (): Promise<unknown> =>
      database.sql`select compress_chunk(chunk) from show_chunks('ohlcv_1m') as chunk`;
    await compress();
    assert.equal(await stream(database, 2, { value: 2 }), 1);
    await compress();
    assert.equal(await stream(database, 1, { value: 3 }), 0, "told anew, with another value");
    const { both } = await assertSound(database);
    assert.deepEqual(both.candles.map(({ close }) => close), ["1", "3", "2"]);
    await compress();
    const { streamed } = await writePage(database, BOTH, asked([1, 4], [3, 1], 1, 4));
    assert.deepEqual(streamed, { confirmed: 0, revised: 1, withdrawn: 1 });
    await assertSound(database);
  },

  "and the answer for their time, at once, end the same whichever comes first": async (
    database,
  ) => {
    // A database with one connection has one statement at a time.
    if (database.kind === "embedded") return;
    for (const isStreamFirst of [true, false]) {
      await emptyDatabase(database);
      await writePage(database, BOTH, asked([0, 1], 0, 1));
      const held = await holding(database);
      if (isStreamFirst) {
        assert.equal(await stream(held.database, 1, { value: 2 }), 1);
        const answering = writePage(database, BOTH, asked([2, 2], 1, 3));
        await untilWaiting(database, 1);
        await held.end();
        await answering;
      } else {
        await writePage(held.database, BOTH, asked([2, 2], 1, 3));
        assert.deepEqual(await outcomesOf(database, 1, [BOTH]), ["locked"]);
        await held.end();
        assert.deepEqual(await outcomesOf(database, 1, [BOTH]), ["known"]);
      }
      const { both, streamed } = await assertSound(database);
      assert.deepEqual(both.candles.map(({ ms }) => ms), [0, 2].map(timeOf));
      assert.deepEqual(streamed, []);
    }
  },

  "of a series that another statement holds are left for later, and those of all others are stored at once":
    async (database) => {
      if (database.kind === "embedded") return;
      for (const series of [BOTH, ASKED]) {
        await writePage(database, series, asked([0, 1], 0, 1));
      }
      const given = [NEVER_ASKED, ASKED, BOTH];
      // As an answer that is slow: the series first, its candle later.
      const series = await holdRows(database, "checkpoints where symbol = 'BTC/USDT'");
      assert.deepEqual(await outcomesOf(database, 1, given), ["left", "stored", "locked"]);
      await assertTellsNothing(database, async () => {
        assert.deepEqual(await outcomesOf(database, 1, [BOTH]), ["locked"]);
      });
      await series.release();
      assert.deepEqual(await outcomesOf(database, 1, given), ["left", "known", "stored"]);
      // As an answer of what is thought new: its candle first, the series later. It must not wait for the stream in turn.
      const page = await holding(database);
      await page.database
        .sql`insert into ohlcv_1m (time, exchange, symbol, open, high, low, close, volume)
        values (to_timestamp(${timeOf(2) / 1000}), 'binance', 'BTC/USDT', 3, 3, 3, 3, 1)`;
      const streaming = outcomesOf(database, 2, given);
      await page.database.sql`select from checkpoints where symbol = 'BTC/USDT' for update`;
      assert.deepEqual(await streaming, ["left", "stored", "locked"]);
      await page.end({ isKept: false });
      assert.deepEqual(await outcomesOf(database, 2, given), ["left", "known", "stored"]);
      for (const { candles, lastMs } of await readCheckpoints(database)) {
        assert.deepEqual([candles, lastMs], [3, timeOf(2)]);
      }
    },
};

/** That it stored nothing says neither that the database takes pages nor that it does not. */
async function assertTellsNothing(
  { writes }: Database,
  stream: () => Promise<void>,
): Promise<void> {
  const refused = new Error("late", { cause: "a page that waited for too long" });
  const late = writes.note("page", () => Promise.reject(Object.assign(refused, { code: "55P03" })));
  await late.catch(() => {});
  const { newestMs } = writes;
  await stream();
  assert.deepEqual([writes.newestMs, writes.trouble === undefined], [newestMs, false]);
  await writes.note("page", () => Promise.resolve());
  await stream();
  assert.equal(writes.trouble, undefined);
}

/** What becomes of the candles of one minute of several series. */
function outcomesOf(
  database: Database,
  minute: number,
  given: readonly Series[],
): ReturnType<typeof writeStreamed> {
  return writeStreamed(
    database,
    given.map((series) => ({ series, candle: candle(minute, 2), marketId: undefined })),
  );
}

/** A database whose statements are all in one transaction, which holds what they have locked until it ends. */
async function holding(database: Database): Promise<{
  readonly database: Database;
  end(options?: { readonly isKept?: boolean }): Promise<void>;
}> {
  const begun = Promise.withResolvers<Database>();
  const ending = Promise.withResolvers<void>();
  const ended = database.sql.begin(async (sql) => {
    const inside = sql as unknown as Database["sql"];
    begun.resolve({ ...database, sql: inside, run: (_action, statements) => statements(inside) });
    await ending.promise;
  }).catch((error: unknown) => assert.equal(error, UNDONE));
  return {
    database: await begun.promise,
    async end({ isKept = true } = {}): Promise<void> {
      if (isKept) ending.resolve();
      else ending.reject(UNDONE);
      await ended;
    },
  };
}

const UNDONE = new Error("what the transaction did is not kept");

/** How many candles of that minute were stored. It comes over the streams of two series, of which one was never asked for. */
async function stream(
  database: Database,
  minute: number,
  { value, marketId }: { readonly value: number; readonly marketId?: string },
): Promise<number> {
  const outcomes = await writeStreamed(
    database,
    [BOTH, NEVER_ASKED].map((series) => ({ series, candle: candle(minute, value), marketId })),
  );
  assert.equal(outcomes[1], "left", "of a series without an answer");
  return outcomes[0] === "stored" ? 1 : 0;
}

/** An answer with candles of these minutes and values, that covers the minutes of `[since, until)`. */
function asked(...given: [...(readonly [number, number])[], number, number]): PageWrite {
  const [since, until] = given.slice(-2) as [number, number];
  const candles = (given.slice(0, -2) as [number, number][]).map(([at, value]) =>
    candle(at, value)
  );
  const answered = { sinceMs: timeOf(since), untilMs: timeOf(until) };
  return { candles, rejected: [], answered, reachFromMs: undefined };
}

/** The answer to a request of that minute; undefined where none of the window has closed. */
function pageAt(
  truth: readonly { readonly isTraded: boolean; readonly final: number; readonly young: number }[],
  { at, since, length, lag, isNew }: {
    readonly at: number;
    readonly since: number;
    readonly length: number;
    readonly lag: number;
    readonly isNew: boolean;
  },
): PageWrite | undefined {
  const until = Math.min(since + length, at, MINUTES);
  if (until <= since) return undefined;
  const finalUntil = Math.max(since, Math.min(until, at - SETTLE_MINUTES));
  const candles = truth.flatMap(({ isTraded, final, young }, minute) => {
    const isThere = isTraded && minute >= since && minute < until && minute < at - lag;
    return isThere ? [candle(minute, minute < finalUntil ? final : young)] : [];
  });
  const answeredUntil = Math.min(finalUntil, Math.max(since, at - lag));
  return {
    candles,
    rejected: [],
    answered: answeredUntil > since
      ? { sinceMs: timeOf(since), untilMs: timeOf(answeredUntil) }
      : undefined,
    reachFromMs: undefined,
    givenUpUntilMs: timeOf(at - GIVEN_UP_MINUTES),
    isNew,
  };
}

/** What is stored of a series, and what the ledger says of it. */
interface Stored {
  readonly ledger: Omit<Checkpoint, "series"> | undefined;
  readonly candles: readonly { readonly ms: number; readonly close: string }[];
}

/** What is stored of the two series, by their symbols, and the times of the candles that are named as streamed. */
async function storedIn(
  database: Database,
): Promise<
  { readonly both: Stored; readonly asked: Stored; readonly streamed: readonly number[] }
> {
  const checkpoints = await readCheckpoints(database);
  const rows = await database.sql<{ symbol: string; ms: number; close: string }[]>`
    select symbol, (extract(epoch from time) * 1000)::float8 as ms, close::text from ohlcv_1m order by time`;
  const streamed = await database.sql<{ symbol: string; ms: number }[]>`
    select symbol, (extract(epoch from time) * 1000)::float8 as ms from streamed_candles order by time`;
  assert.ok(streamed.every(({ symbol }) => symbol === BOTH.symbol));
  const of = (wanted: string): Stored => {
    const { series: _, ...ledger } = checkpoints.find(({ series }) => series.symbol === wanted) ??
      {};
    return {
      ledger: "covered" in ledger ? ledger : undefined,
      candles: rows.filter(({ symbol }) => symbol === wanted)
        .map(({ ms, close }) => ({ ms, close })),
    };
  };
  return { both: of(BOTH.symbol), asked: of(ASKED.symbol), streamed: streamed.map(({ ms }) => ms) };
}

/** What holds at every moment: the counts are those of the rows, and what is stored and not covered waits to be. */
async function assertSound(database: Database): Promise<Awaited<ReturnType<typeof storedIn>>> {
  const stored = await storedIn(database);
  for (const { ledger, candles } of [stored.both, stored.asked]) {
    const times = candles.map(({ ms }) => ms);
    assert.deepEqual(
      [ledger?.candles ?? 0, ledger?.firstMs, ledger?.lastMs],
      [times.length, times.at(0), times.at(-1)],
    );
    const waiting = times.filter((ms) => !isCovered(ledger?.covered ?? [], ms));
    assert.deepEqual(slots(ledger?.unsettled ?? []), waiting, "what is stored and not covered");
  }
  const waiting = slots(stored.both.ledger?.unsettled ?? []);
  const settled = stored.streamed.filter((ms) => !waiting.includes(ms));
  assert.deepEqual(settled, [], "streamed, and not waiting");
  return stored;
}

function slots(coverage: Coverage): readonly number[] {
  return coverage.flatMap(({ sinceMs, untilMs }) =>
    Array.from({ length: (untilMs - sinceMs) / MINUTE_MS }, (_, at) => sinceMs + at * MINUTE_MS)
  );
}

function timeOf(minute: number): number {
  return START_MS + minute * MINUTE_MS;
}

function candle(minute: number, value: number): Candle {
  const price = String(value);
  const prices = { open: price, high: price, low: price, close: price };
  return { openTimeMs: timeOf(minute), ...prices, volume: "1" };
}
