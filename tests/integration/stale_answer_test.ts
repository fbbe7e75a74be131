/** An answer that was asked for earlier never takes back values that were asked for later, whoever writes last. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { backfill } from "../../lib/fetch/backfill.ts";
import { ingestPage } from "../../lib/fetch/page.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { isContested } from "../../lib/store/connection/store_error.ts";
import { newestPageNumber, type PageWrite, writePage } from "../../lib/store/page_write.ts";
import { assertSameCandles, binanceAt, openTestArchive } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { holdRows, untilWaiting } from "../support/row_locks.ts";
import { started } from "../support/started.ts";
import { testClock } from "../support/test_clock.ts";
import { until } from "../support/until.ts";
import { testTwoPrograms, type TwoPrograms } from "../support/two_programs.ts";

const MINUTE_MS = 60_000;
const MINUTE = parseTimeframe("1m");
const SERIES = { exchange: "binance", symbol: "BTC/USDT", timeframe: MINUTE } as const;
const CLOSE_MS = Date.UTC(2024, 2, 15, 13);

const TESTS: Readonly<Record<string, (scene: TwoPrograms) => Promise<void>>> = {
  "whatever the order in which programs ask and write": async ({ first, second, isServer }) => {
    const programs = [first, second, first];
    // Each number is a step of that program: it asks, or it writes what it was answered.
    const orders = fc.shuffledSubarray([0, 0, 1, 1, 2, 2], { minLength: 6 });
    const areNew = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean());
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(orders, areNew, async (order, isNew) => {
        // Each run has a candle of its own.
        const openTimeMs = CLOSE_MS + (runs++) * MINUTE_MS;
        // What the exchange says changes with every step, so a higher value is a newer one.
        let said = 1;
        let newestAsked = 0;
        const asked = new Map<number, { readonly known: number; readonly value: number }>();
        const ask = async (program: number): Promise<void> => {
          const known = await newestPageNumber(programs[program]!);
          newestAsked = said;
          asked.set(program, { known, value: said });
        };
        for (const program of order) {
          said++;
          const answer = asked.get(program);
          if (answer === undefined) {
            await ask(program);
            continue;
          }
          const write = (): Promise<unknown> =>
            writePage(programs[program]!, SERIES, {
              ...pageOf(asked.get(program)!.value, openTimeMs),
              knownPage: asked.get(program)!.known,
              isNew: isNew[program],
            });
          try {
            await write();
          } catch (error) {
            if (!isContested(error)) throw error;
            await ask(program);
            await write();
          }
        }
        assert.equal(await storedValue(first, openTimeMs), newestAsked);
      }),
      { numRuns: isServer ? 150 : 50 },
    );
  },

  "and while a statement waits for the row of another one": async ({ first, second, isServer }) => {
    if (!isServer) return;
    await writePage(first, SERIES, pageOf(1));
    const [old, recent] = [await newestPageNumber(first), await newestPageNumber(second)];
    const holder = await holdRows(first, "ohlcv_1m");
    const newer = started(writePage(first, SERIES, { ...pageOf(3), knownPage: recent }));
    await untilWaiting(second, 1);
    // Its snapshot is from before the newer page is committed.
    const older = started(writePage(second, SERIES, { ...pageOf(2), knownPage: old }));
    await untilWaiting(second, 2);
    await holder.release();
    const ends = await Promise.allSettled([newer, older]);
    const [refused, ...others] = ends.filter(({ status }) => status === "rejected");
    assert.equal(others.length, 0);
    assert.ok(isContested((refused as PromiseRejectedResult | undefined)?.reason));
    // Whichever the server let go first: the other one is to be asked for again.
    assert.equal(await storedValue(first), ends[0].status === "fulfilled" ? 3 : 2);
  },

  "though its page was held back on its way": async ({ first, second }) => {
    testClock.restart(CLOSE_MS + 1_000);
    const exchange = await startLocalExchange({ clock: testClock });
    try {
      exchange.faults.add({ fault: { kind: "late_final", lateMs: 6_000 } });
      const variables = {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1m",
        BACKFILL: "1m:1h",
        FETCH_TIMEOUT: "60s",
        EXCHANGE_BINANCE: binanceAt(exchange),
      };
      const slow = await openTestArchive(second, variables);
      const quick = await openTestArchive(first, variables);
      const [other = assert.fail()] = quick.exchanges;
      await refreshMarkets(slow, slow.exchanges[0]!);
      await refreshMarkets(quick, other);
      // Written before both ask, so that both would revise.
      await backfill(quick, { patient: false });
      const window = { sinceMs: CLOSE_MS - 5 * MINUTE_MS, untilMs: CLOSE_MS };
      exchange.faults.add({ fault: { kind: "latency", ms: 3_000 }, times: 1 });
      const before = exchange.requests.length;
      const held = started(
        ingestPage(slow, slow.exchanges[0]!, SERIES, { window, priority: "live" }),
      );
      await until("a request", () => exchange.requests.length > before);
      testClock.pass(10_000);
      const final = await ingestPage(quick, other, SERIES, { window, priority: "live" });
      assert.equal(final.revised, 1);
      await held;
      assert.equal(exchange.requests.length, before + 3, "the held page was asked for again");
      await first.sql`delete from ohlcv_1m where time < ${new Date(window.sinceMs)}`;
      await assertSameCandles(first, exchange, { symbol: "BTC/USDT", timeframe: "1m", window });
    } finally {
      await exchange.close();
    }
  },

  "though the number that a program knows is older than a page of another one": async (
    { first, second, isServer },
  ) => {
    if (!isServer) return;
    await writePage(first, SERIES, pageOf(1));
    let statements = 0;
    const counted: Database = {
      ...first,
      run: (...args) => {
        statements++;
        return first.run(...args);
      },
    };
    const known = await newestPageNumber(counted);
    await writePage(second, SERIES, pageOf(3));
    statements = 0;
    assert.equal(await newestPageNumber(counted), known);
    assert.equal(statements, 0, "a request waits for no statement");
    const older = writePage(counted, SERIES, { ...pageOf(2), knownPage: known });
    await assert.rejects(older, isContested);
    assert.equal(await storedValue(first), 3);
    // Asked again, it knows of that page.
    await writePage(counted, SERIES, { ...pageOf(4), knownPage: await newestPageNumber(counted) });
    assert.equal(await storedValue(first), 4);
  },

  "and pages are not remembered for ever": async ({ first }) => {
    await writePage(first, SERIES, pageOf(1));
    await first.sql`select setval('page_numbers', (select last_value from page_numbers) + 200000)`;
    const known = await newestPageNumber(first);
    await writePage(first, SERIES, pageOf(2));
    const pages = await first.sql`select from recent_pages`;
    assert.equal(pages.length, 1);
    // What was asked for so long ago may be older than a page that is forgotten.
    const longAgo = writePage(first, SERIES, { ...pageOf(3), knownPage: known - 15_000 });
    await assert.rejects(longAgo, isContested);
    assert.equal(await storedValue(first), 2);
  },
};

testTwoPrograms("a newer answer stays", TESTS);

function pageOf(value: number, openTimeMs = CLOSE_MS): PageWrite {
  const text = String(value);
  return {
    candles: [{
      openTimeMs,
      open: text,
      high: text,
      low: text,
      close: text,
      volume: text,
    }],
    rejected: [],
    answered: { sinceMs: openTimeMs, untilMs: openTimeMs + MINUTE_MS },
    reachFromMs: undefined,
  };
}

async function storedValue({ sql }: Database, openTimeMs = CLOSE_MS): Promise<number> {
  const [row] = await sql<{ open: string }[]>`
    select open from ohlcv_1m where time = ${new Date(openTimeMs)}`;
  return Number(row?.open);
}
