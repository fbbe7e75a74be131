/** One series that always fails: the others of its exchange are polled and backfilled all the same. @module */
import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const [BTC, ETH] = ["BTC/USDT", "ETH/USDT"];
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Of twenty days. */
const HOURS = 480;
const DEADLINE_MS = 50_000;

/** Waits of a second and more pass when the test lets time pass. Deadlines do not. */
class SteppedClock extends TestClock {
  readonly #waits = new Set<{ readonly untilMs: number; readonly end: () => void }>();
  #waiting = Promise.withResolvers<void>();

  override async sleep(
    ms: number,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    if (ms < 1_000 || ms === DEADLINE_MS) return await super.sleep(ms, options);
    await new Promise<void>((resolve, reject) => {
      options.signal?.throwIfAborted();
      options.signal?.addEventListener("abort", () => reject(options.signal?.reason));
      this.#waits.add({ untilMs: this.now() + ms, end: resolve });
      this.#waiting.resolve();
    });
  }

  /** Ends the waits that are over now. */
  endWaits(): void {
    for (const wait of this.#waits) {
      if (wait.untilMs > this.now()) continue;
      this.#waits.delete(wait);
      wait.end();
    }
    if (this.#waits.size === 0) this.#waiting = Promise.withResolvers();
  }

  /** Resolves when something waits. */
  get waiting(): Promise<void> {
    return this.#waiting.promise;
  }
}

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  /** Lets an hour, or less, pass: the backfill goes on as far as it can, then comes a poll. Returns how many failed. */
  readonly pass: (ms?: number) => Promise<number>;
  /** The candles of a symbol that are covered. */
  readonly covered: (symbol: string) => Promise<number>;
}

/** A backfill of two symbols, with polls, where something is wrong from the start. */
async function withScene(
  fault: (exchange: LocalExchange) => void,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const opened = await openAnyTest();
  const { database } = opened;
  const clock = new SteppedClock();
  const exchange = await startLocalExchange({ clock, symbols: LOCAL_SYMBOLS.slice(0, 2) });
  const stopping = new AbortController();
  try {
    await emptyDatabase(database);
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: `${BTC},${ETH}`,
      TIMEFRAMES: "1h",
      BACKFILL: "1h:20d",
      PAGE_LIMIT: "40",
      FETCH_TIMEOUT: `${DEADLINE_MS / 1_000}s`,
      BREAKER_FAILURES: "2",
      BREAKER_COOLDOWN: "1h",
      EXCHANGE_PROXY_URL: exchange.proxyUrl,
      EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
    }, clock);
    const poll = new Poll(archive);
    await poll.runOnce();
    fault(exchange);
    const filling = backfill(archive, {
      patient: true,
      pagesInFlight: 1,
      signal: stopping.signal,
    });
    await Promise.race([clock.waiting, filling]);
    await test({
      database,
      exchange,
      pass: async (ms = HOUR_MS) => {
        clock.pass(ms);
        clock.endWaits();
        await Promise.race([clock.waiting, filling]);
        return (await poll.runOnce()).failed;
      },
      covered: (symbol) => coveredOf(archive, symbol),
    });
    stopping.abort(new Error("the test has ended"));
    await filling;
  } finally {
    stopping.abort(new Error("the test has ended"));
    await exchange.close();
    await opened.drop();
  }
}

async function coveredOf({ database }: Archive, symbol: string): Promise<number> {
  const all = await readCheckpoints(database);
  const { covered = [] } = all.find(({ series }) => series.symbol === symbol) ?? {};
  return covered.reduce((sum, { sinceMs, untilMs }) => sum + (untilMs - sinceMs) / HOUR_MS, 0);
}

Deno.test("a history that always fails keeps no poll and no other history from being answered", () => {
  let fault: { remove(): void } | undefined;
  return withScene((exchange) => {
    fault = exchange.faults.add({
      when: { symbol: BTC, untilMs: START_MS - 48 * HOUR_MS },
      fault: { kind: "status", status: 500 },
    });
  }, async ({ exchange, pass, covered }) => {
    // The first ticks may meet the open breaker.
    const failed: number[] = [];
    while (failed.length < 12) failed.push(await pass());
    assert.deepEqual(failed.slice(-10), Array(10).fill(0), `failed polls: ${failed}`);
    assert(await covered(ETH!) >= HOURS, "the other history is whole");

    const before = exchange.requests.length;
    for (let minute = 0; minute < 60; minute++) await pass(MINUTE_MS);
    const asked = exchange.requests.length - before;
    assert(asked < 40, `${asked} requests in an hour: the failing history rests`);
    fault?.remove();
    await pass();
    assert(await covered(BTC!) >= HOURS, "the history comes when it is answered");
  });
});

Deno.test("a series of which nothing is answered costs the others of its exchange neither polls nor history", () =>
  withScene((exchange) => {
    exchange.faults.add({ when: { symbol: BTC }, fault: { kind: "status", status: 500 } });
  }, async ({ pass, covered }) => {
    const failed: number[] = [];
    while (failed.length < 12) failed.push(await pass());
    assert.deepEqual(failed.slice(-8), Array(8).fill(1), `failed polls: ${failed}`);
    assert(await covered(ETH!) >= HOURS);
  }));

Deno.test("after an outage of all series history goes on within two cooldowns", () => {
  let fault: { remove(): void } | undefined;
  return withScene((exchange) => {
    fault = exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "status", status: 500 },
    });
  }, async ({ pass, covered }) => {
    for (let hour = 0; hour < 9; hour++) assert.equal(await pass(), 2);
    fault?.remove();
    await pass();
    await pass();
    await pass(MINUTE_MS);
    assert(await covered(BTC!) >= HOURS && await covered(ETH!) >= HOURS);
  });
});
