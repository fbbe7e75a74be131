/** Answers with thousands of bad rows: what is kept of them, and what is counted. Real CCXT into a real database. @module */
import assert from "node:assert/strict";
import { Poll } from "../../lib/fetch/poll.ts";
import { startHostileExchange } from "../support/hostile_exchange.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const ROWS = 5_000;
const CANDLES = 5;

type Row = readonly [timeMs: number, ...unknown[]];

interface ManyRows {
  /** What comes in place of the true rows, at the poll of this number. */
  readonly answer: (rows: readonly Row[], poll: number) => readonly unknown[];
  readonly polls: number;
  readonly stored: number;
  readonly kept: number;
  /** Rows of the last poll's reason that the metric counts. */
  readonly counted?: readonly [reason: string, rows: number];
}

const numbered = (row: (at: number) => unknown): readonly unknown[] =>
  Array.from({ length: ROWS }, (_, at) => row(at));

const MANY: Readonly<Record<string, ManyRows>> = {
  "without a time: ten are kept": {
    answer: () => numbered((at) => ["x", `${at}`, "1", "1", "1", "1"]),
    ...{ polls: 1, stored: 0, kept: 10, counted: ["time_not_a_number", ROWS] },
  },
  "without a time, others at every poll: a hundred are kept": {
    answer: (_rows, poll) => numbered((at) => ["x", `${poll} ${at}`, "1", "1", "1", "1"]),
    ...{ polls: 12, stored: 0, kept: 100, counted: ["time_not_a_number", 12 * ROWS] },
  },
  "beside their times: ten are kept": {
    answer: ([first]) => numbered((at) => [first![0] + 1 + at, "1", "1", "1", "1", "1"]),
    ...{ polls: 1, stored: 0, kept: 10, counted: ["time_not_aligned", ROWS] },
  },
  "beside true rows, others at every poll: a hundred are kept": {
    answer: (rows) => [
      ...rows,
      ...rows.flatMap(([timeMs]) =>
        Array.from({ length: 10 }, (_, at) => [timeMs + 1 + at, "1", "1", "1", "1", "1"])
      ),
    ],
    ...{ polls: 12, stored: CANDLES + 11, kept: 100 },
  },
  "of one minute: one is kept, the other minutes are stored": {
    answer: (rows) => [
      ...rows.slice(0, 2),
      ...numbered((at) => [rows[2]![0], `bad ${at}`, "1", "1", "1", "1"]),
      ...rows.slice(3),
    ],
    ...{ polls: 1, stored: CANDLES - 1, kept: 1, counted: ["not_a_finite_number", ROWS] },
  },
};

Deno.test("thousands of bad rows leave a few as evidence, and are all counted", async (t) => {
  const { database, drop } = await openAnyTest();
  const exchange = await startHostileExchange(testClock);
  try {
    for (const [name, many] of Object.entries(MANY)) {
      await t.step(name, async () => {
        await emptyDatabase(database);
        testClock.restart();
        const archive = await openTestArchive(database, {
          ...{ EXCHANGES: "binance", SYMBOLS: "BTC/USDT", TIMEFRAMES: "1m", BACKFILL: "off" },
          ...{ RETRY_ATTEMPTS: "1", EXCHANGE_BINANCE: binanceAt(exchange) },
        });
        for (let poll = 0; poll < many.polls; poll++) {
          exchange.change("/klines", (truth) => {
            const rows = (JSON.parse(truth) as Row[]).slice(0, CANDLES);
            return new Response(JSON.stringify(many.answer(rows, poll)));
          });
          await new Poll(archive).runOnce();
          if (many.stored > CANDLES) testClock.pass(60_000);
        }
        const [found] = await database.sql`
          select (select count(*)::int from ohlcv_1m) as stored,
                 (select count(*)::int from rejected_candles) as kept`;
        assert.deepEqual({ ...found }, { stored: many.stored, kept: many.kept });
        if (many.counted === undefined) return;
        const [reason, rows] = many.counted;
        const line = `rejected_total{exchange="binance",reason="${reason}"} ${rows}\n`;
        assert((await archive.metrics.text()).includes(line), line);
      });
    }
  } finally {
    await exchange.close();
    await drop();
  }
});
