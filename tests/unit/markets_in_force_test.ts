/** When markets are loaded again, and that they are replaced as a whole. @module */
import assert from "node:assert/strict";
import { setImmediate as turnOfTheEventLoop } from "node:timers/promises";
import { FetchError } from "../../lib/exchange/fetch_error.ts";
import { type Markets, MarketsInForce } from "../../lib/archive/markets_in_force.ts";
import { ManualClock } from "../support/manual_clock.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

interface Scene {
  readonly clock: ManualClock;
  readonly markets: MarketsInForce;
  /** Lets time pass, asks for the markets, and says how often they have been loaded by now. */
  after(ms: number): Promise<number>;
  /** What the next loads bring, or fail with. */
  next: Partial<Markets> | Error;
  readonly failures: unknown[];
}

function sceneOf(): Scene {
  const clock = new ManualClock();
  const markets = new MarketsInForce(clock);
  let loads = 0;
  const scene: Scene = {
    clock,
    markets,
    next: {},
    failures: [],
    after: async (ms) => {
      await clock.advance(ms);
      await markets.refresh({
        load: () => {
          loads++;
          return scene.next instanceof Error
            ? Promise.reject(scene.next)
            : Promise.resolve(marketsAt(clock.now(), scene.next));
        },
        onFailure: (error) => {
          scene.failures.push(error);
          return Promise.resolve();
        },
      });
      return loads;
    },
  };
  return scene;
}

function marketsAt(loadedAtMs: number, given: Partial<Markets> = {}): Markets {
  return {
    exchange: "binance",
    loadedAtMs,
    list: new Map(),
    series: [],
    suspended: new Set(),
    isPartial: false,
    unloaded: [],
    leftOut: [],
    renamed: [],
    replaced: [],
    replacedMs: new Map(),
    unlisted: [],
    absentSinceMs: new Map(),
    expired: new Set(),
    expiresMs: new Map(),
    gone: new Set(),
    ...given,
  };
}

Deno.test("markets are loaded once a day, and replaced as a whole", async () => {
  const scene = sceneOf();
  assert.equal(await scene.after(0), 1);
  const first = scene.markets.value;
  assert.equal(await scene.after(DAY_MS - 1), 1);
  assert.equal(scene.markets.value, first);
  assert.equal(await scene.after(1), 2);
  assert.notEqual(scene.markets.value, first);
  assert.equal(first?.loadedAtMs, scene.clock.now() - DAY_MS);
});

Deno.test("a symbol that was refused, or is missing, has them loaded again after ten minutes", async () => {
  const scene = sceneOf();
  await scene.after(0);
  scene.markets.doubt();
  assert.equal(await scene.after(10 * MINUTE_MS - 1), 1);
  assert.equal(await scene.after(1), 2);
  assert.equal(await scene.after(10 * MINUTE_MS), 2, "the doubt is answered");
  scene.next = { absentSinceMs: new Map([["BTC/USDT", 0]]) };
  assert.equal(await scene.after(DAY_MS), 3);
  assert.equal(await scene.after(10 * MINUTE_MS), 4);
  assert.equal(await scene.after(10 * MINUTE_MS), 5);
});

Deno.test("at the expiry of a future they are loaded at once, and every ten minutes until it has ended", async () => {
  const scene = sceneOf();
  const expiresMs = new Map([["BTC/USDT:USDT-240628", scene.clock.now() + 3 * MINUTE_MS]]);
  scene.next = { expiresMs };
  assert.equal(await scene.after(0), 1);
  assert.equal(await scene.after(3 * MINUTE_MS - 1), 1);
  assert.equal(await scene.after(1), 2);
  assert.equal(await scene.after(10 * MINUTE_MS - 1), 2);
  scene.next = { expiresMs, expired: new Set(expiresMs.keys()) };
  assert.equal(await scene.after(1), 3);
  assert.equal(await scene.after(DAY_MS - 1), 3);
});

Deno.test("markets that cannot be loaded again still serve, and are tried again after ten minutes", async () => {
  const scene = sceneOf();
  await scene.after(0);
  const before = scene.markets.value;
  scene.next = new Error("down");
  assert.equal(await scene.after(DAY_MS), 2);
  assert.deepEqual([scene.markets.value, scene.failures], [before, [scene.next]]);
  assert.equal(await scene.after(10 * MINUTE_MS - 1), 2);
  assert.equal(await scene.after(1), 3);
  scene.next = {};
  assert.equal(await scene.after(10 * MINUTE_MS), 4);
  assert.equal(scene.markets.value?.loadedAtMs, scene.clock.now());
});

Deno.test("a load that was cancelled, because another node is to ask, is begun again at once", async () => {
  const scene = sceneOf();
  await scene.after(0);
  scene.next = new FetchError("cancelled", "not wanted now");
  assert.equal(await scene.after(DAY_MS), 2);
  assert.equal(await scene.after(1), 3);
  scene.next = {};
  assert.equal(await scene.after(1), 4);
  assert.equal(await scene.after(1), 4);
});

Deno.test("markets that could never be loaded are tried by every call, and fail it", async () => {
  const scene = sceneOf();
  scene.next = new Error("down");
  for (const _ of [1, 2]) await assert.rejects(scene.after(0), /down/);
  assert.deepEqual(scene.failures, []);
  scene.next = {};
  assert.equal(await scene.after(0), 3);
});

Deno.test("a caller that aborts while they are loaded leaves the other waiting, and what it gets is in force", async () => {
  const clock = new ManualClock();
  const markets = new MarketsInForce(clock);
  const loaded = Promise.withResolvers<Markets>();
  const abort = new AbortController();
  let signal: AbortSignal | undefined;
  const options = {
    load: (_: Markets | undefined, given: { readonly signal: AbortSignal }): Promise<Markets> => {
      signal = given.signal;
      return loaded.promise;
    },
    onFailure: () => Promise.resolve(),
  };
  const poll = markets.refresh({ ...options, signal: abort.signal });
  const backfill = markets.refresh(options);
  await turnOfTheEventLoop();
  abort.abort(new Error("the poll is stopping"));
  await assert.rejects(poll, /the poll is stopping/);
  assert.equal(signal?.aborted, false);
  const value = marketsAt(clock.now());
  loaded.resolve(value);
  assert.equal(await backfill, value);
  assert.equal(markets.value, value);
});

Deno.test("a kind of markets that was not loaded is tried again after ten minutes", async () => {
  const scene = sceneOf();
  scene.next = { isPartial: true };
  assert.equal(await scene.after(0), 1);
  assert.equal(await scene.after(10 * MINUTE_MS - 1), 1);
  scene.next = {};
  assert.equal(await scene.after(1), 2);
  assert.equal(await scene.after(10 * MINUTE_MS), 2);
});

Deno.test("markets that proved to be older than the ledger are loaded again at once, and only then", async () => {
  const scene = sceneOf();
  assert.equal(await scene.after(0), 1);
  const old = scene.markets.value;
  scene.markets.outdate(old);
  assert.equal(await scene.after(0), 2);
  scene.markets.outdate(old);
  assert.equal(await scene.after(0), 2, "newer ones are in force by now");
});
