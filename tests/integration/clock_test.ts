/** A machine whose clock is wrong and then set right: nothing is claimed that has not happened, and nothing is left out. @module */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { unite } from "../../lib/market/coverage.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import {
  assertSameCandles,
  binanceAt,
  emptyDatabase,
  openTestArchive,
} from "../support/local_archive.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Goes like the machine's, ahead of it by what a test says; waits a hundredth of the time. */
class OtherClock implements Clock {
  aheadMs = 0;
  readonly #base: Clock;
  constructor(base: Clock, aheadMs = 0) {
    this.#base = base;
    this.aheadMs = aheadMs;
  }
  now(): number {
    return this.#base.now() + this.aheadMs;
  }
  sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    return systemClock.sleep(ms / 100, options);
  }
}

Deno.test("a clock that is some seconds ahead stores no candle that is still forming, and waits for it", async () => {
  const real = new OtherClock(systemClock, Date.UTC(2024, 0, 1) - systemClock.now());
  const exchange = await startLocalExchange({ clock: real });
  const opened = await openAnyTest();
  const { database } = opened;
  try {
    for (const behindMs of [300, 4_000]) {
      await emptyDatabase(database);
      const waits: number[] = [];
      const wrong: Clock = {
        now: () => real.now() + behindMs,
        sleep: (ms, options) => {
          if (ms < 10_000) {
            waits.push(ms);
            real.aheadMs += ms;
          }
          return systemClock.sleep(ms / 100, options);
        },
      };
      const archive = await openTestArchive(database, {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1m",
        BACKFILL: "off",
        FETCH_TIMEOUT: "200s",
        EXCHANGE_BINANCE: binanceAt(exchange),
      }, wrong);
      const poll = new Poll(archive);
      await poll.runOnce();
      // By the exchange's clock the minute has not ended yet, by ours it has.
      const closeMs = Math.ceil(real.now() / MINUTE_MS) * MINUTE_MS;
      real.aheadMs += closeMs - behindMs / 2 - real.now();
      const asked = exchange.requests.length;
      assert.equal((await poll.runOnce()).added, 1, `${behindMs} ms behind`);
      assert.equal(exchange.requests.length - asked, 2);
      assert(waits.some((ms) => ms > 0 && ms <= behindMs + 1_000), `waits ${waits}`);
      const [checkpoint] = await readCheckpoints(database);
      // The newest candle is stored, and not covered yet.
      const [window] = unite(checkpoint?.covered ?? [], checkpoint?.unsettled ?? []);
      assert(window !== undefined);
      assert.equal(window.untilMs, closeMs);
      await assertSameCandles(database, exchange, { symbol: "BTC/USDT", timeframe: "1m", window });
      assert.equal((await database.sql`select * from candle_revisions`).length, 0);
    }
  } finally {
    await opened.drop();
    await exchange.close();
  }
});

Deno.test("a clock that is hours ahead or behind for a while neither skips a candle nor claims one of the future", async () => {
  const real = new OtherClock(systemClock, Date.UTC(2024, 0, 1) - systemClock.now());
  const wrong = new OtherClock(real);
  const exchange = await startLocalExchange({ clock: real });
  const opened = await openAnyTest();
  const { database } = opened;
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: "BTC/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "off",
      FETCH_TIMEOUT: "200s",
      EXCHANGE_BINANCE: binanceAt(exchange),
    }, wrong);
    const poll = new Poll(archive);
    for (const aheadMs of [0, 6 * HOUR_MS, 0, -3 * HOUR_MS, 0, 400 * 24 * HOUR_MS, 0]) {
      wrong.aheadMs = aheadMs;
      for (let minute = 0; minute < 4; minute++) {
        real.aheadMs += MINUTE_MS;
        assert.equal((await poll.runOnce()).failed, 0);
      }
      const [checkpoint] = await readCheckpoints(database);
      const untilMs = checkpoint?.covered.at(-1)?.untilMs ?? 0;
      assert(untilMs <= real.now(), `${aheadMs} ms ahead: claims the future`);
      if (aheadMs !== 0) continue;
      // The clock is right: whatever it was before, all there is has been stored.
      const [window, ...others] = unite(checkpoint?.covered ?? [], checkpoint?.unsettled ?? []);
      assert(window !== undefined && others.length === 0);
      assert(untilMs > real.now() - 4 * MINUTE_MS, "polls wait for a time that was never there");
      assert(window.untilMs > real.now() - 2 * MINUTE_MS, "the newest candles wait for that time");
      await assertSameCandles(database, exchange, { symbol: "BTC/USDT", timeframe: "1m", window });
    }
    const warnings = archive.lines.filter((line) => line.includes("clock is ahead"));
    assert.equal(warnings.length, 2, "said once each time");
  } finally {
    await opened.drop();
    await exchange.close();
  }
});
