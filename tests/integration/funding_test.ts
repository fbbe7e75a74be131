/** Funding rates from real CCXT classes over HTTP: as the exchange has them, with nothing claimed that it did not answer. */
import assert from "node:assert/strict";
import { fetchFunding } from "../../lib/fetch/funding.ts";
import { fundingJobs } from "../../lib/fetch/funding_job.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { contract } from "../../lib/local_exchange/contract.ts";
import type { LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readFundingCheckpoints, readFundingGaps } from "../../lib/store/funding_ledger.ts";
import { readFundingPage } from "../../lib/store/funding_rates.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const [LINEAR, INVERSE, HOURLY, FUTURE, SPOT] = [
  "BTC/USDT:USDT",
  "BTC/USD:BTC",
  "ETH/USDT:USDT",
  "BTC/USDT:USDT-240628",
  "BTC/USDT",
] as const;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FACTS = { price: 40_000, tickDecimals: 1, quoteVolume24h: 1_000_000 };
const LISTED_MS = START_MS - 500 * DAY_MS;
/** No exchange writes a payment later than this after its true time. */
const LATE_MS = 1_000;

const SYMBOLS: readonly LocalSymbol[] = [
  contract(LINEAR, { ...FACTS, size: 0.001, listedAtMs: LISTED_MS }),
  contract(INVERSE, { ...FACTS, size: 100 }),
  contract(HOURLY, { ...FACTS, size: 0.01, fundingMs: HOUR_MS }),
  contract(FUTURE, { ...FACTS, size: 0.001 }),
];

interface Scene {
  readonly database: Database;
  readonly clock: TestClock;
  readonly exchange: LocalExchange;
  readonly open: (
    change?: Readonly<Record<string, string>>,
    isLoaded?: boolean,
  ) => ReturnType<typeof openTestArchive>;
}

async function withScene(test: (scene: Scene) => Promise<void>): Promise<void> {
  const opened = await openAnyTest();
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock, symbols: SYMBOLS });
  try {
    await emptyDatabase(opened.database);
    await test({
      database: opened.database,
      clock,
      exchange,
      open: async (change = {}, isLoaded = true) => {
        const archive = await openTestArchive(opened.database, {
          EXCHANGES: "binance",
          SYMBOLS: [LINEAR, INVERSE, HOURLY, FUTURE].join(","),
          TIMEFRAMES: "1d",
          BACKFILL: "1d:600d",
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
          ...change,
        }, clock);
        if (isLoaded) await refreshMarkets(archive, archive.exchanges[0]!);
        return archive;
      },
    });
  } finally {
    await exchange.close();
    await opened.drop();
  }
}

function asked({ requests }: LocalExchange): number {
  return requests.filter(({ path }) => path.endsWith("/fundingRate")).length;
}

/** What is stored is what the exchange has, to the millisecond that it writes. */
async function assertSame(
  { database, exchange, clock }: Scene,
  symbol: string,
  sinceMs = clock.now() - 600 * DAY_MS,
): Promise<void> {
  const untilMs = clock.now();
  const stored = await readFundingPage(database, { exchange: "binance", symbol }, {
    sinceMs: 0,
    untilMs: untilMs + 1,
    rowsMax: 100_000,
  });
  const truth = exchange.funding(symbol, { sinceMs, untilMs }, untilMs);
  assert.equal(stored.length, truth.length, `${symbol}: number of rates`);
  for (const [at, { timeMs, rate }] of truth.entries()) {
    const lateMs = stored[at]!.timeMs - timeMs;
    assert(lateMs >= 0 && lateMs < LATE_MS, `${symbol}: ${lateMs} ms late`);
    assert.equal(Number(stored[at]!.rate), Number(rate), `${symbol} at ${timeMs}`);
  }
}

Deno.test("all funding rates of perpetuals are fetched once, and those of nothing else", () =>
  withScene(async (scene) => {
    const { database, exchange, open } = scene;
    const archive = await open({ SYMBOLS: [LINEAR, INVERSE, HOURLY, FUTURE].join(",") });
    const [report] = await fetchFunding(archive);
    assert.deepEqual([report?.problems, report?.left, report?.failed], [[], 0, 0]);
    for (const symbol of [LINEAR, INVERSE, HOURLY]) await assertSame(scene, symbol);
    const ledger = await readFundingCheckpoints(database);
    assert.deepEqual(
      ledger.map(({ symbol, intervalMs, covered }) => [symbol, intervalMs, covered.length]),
      [[INVERSE, 8 * HOUR_MS, 1], [LINEAR, 8 * HOUR_MS, 1], [HOURLY, HOUR_MS, 1]],
    );
    const before = asked(exchange);
    assert(before < 25, `${before} requests`);
    const [again] = await fetchFunding(archive);
    assert.equal(again?.pages, 0);
    assert.equal(asked(exchange), before, "what was answered for is not asked again");
  }));

Deno.test("the time before a perpetual was listed is explained", () =>
  withScene(async ({ database, open }) => {
    const archive = await open({ SYMBOLS: LINEAR });
    await fetchFunding(archive);
    const gaps = await readFundingGaps(database, { gapsMax: 10 });
    assert.deepEqual(gaps.map(({ state }) => state), ["before_listing"]);
    const days = (gaps[0]!.window.untilMs - gaps[0]!.window.sinceMs) / DAY_MS;
    assert(Math.abs(days - 100) < 1, `${days} days`);
  }));

Deno.test("faulty answers cost time and no rate", () =>
  withScene(async (scene) => {
    const { exchange, open } = scene;
    const archive = await open();
    const when = { about: "funding" } as const;
    const faults = [
      { kind: "status", status: 500 },
      { kind: "html" },
      { kind: "truncated" },
      { kind: "empty_body" },
      { kind: "reset" },
      { kind: "duplicate_rows", rows: 3 },
      { kind: "unordered_rows" },
    ] as const;
    for (const fault of faults) exchange.faults.add({ when, times: 1, fault });
    const [report] = await fetchFunding(archive);
    assert.deepEqual([report?.problems, report?.left], [[], 0]);
    for (const symbol of [LINEAR, INVERSE, HOURLY]) await assertSame(scene, symbol);
  }));

Deno.test("a run that is ended in between is gone on with, and repeats no page", () =>
  withScene(async (scene) => {
    const { exchange, open } = scene;
    const stopping = new AbortController();
    const archive = await open({ SYMBOLS: HOURLY });
    const rest = exchange.faults.add({
      when: { about: "funding", untilMs: scene.clock.now() - 500 * DAY_MS },
      fault: { kind: "hang" },
    });
    const run = fetchFunding(archive, { signal: stopping.signal });
    while (rest.struck === 0) await new Promise((resolve) => setImmediate(resolve));
    stopping.abort(new Error("killed"));
    const [report] = await run;
    assert(report!.added > 1_000, `${report!.added} rates before the end`);
    rest.remove();
    const [again] = await fetchFunding(await open({ SYMBOLS: HOURLY }));
    assert.deepEqual([again?.left, again?.problems], [0, []]);
    assert.equal(report!.added + again!.added, 600 * 24);
    assert.equal(again!.revised, 0);
    await assertSame(scene, HOURLY);
  }));

Deno.test("a rate that is missing is asked for again once, and then explained; one that comes is no gap", () =>
  withScene(async (scene) => {
    const { database, exchange, clock, open } = scene;
    const archive = await open({ SYMBOLS: LINEAR });
    const holeMs = Math.floor((clock.now() - 20 * DAY_MS) / DAY_MS) * DAY_MS;
    const hole = { kind: "holes", sinceMs: holeMs, untilMs: holeMs + 3 * 8 * HOUR_MS } as const;
    const lasting = exchange.faults.add({ when: { about: "funding" }, fault: hole });
    await fetchFunding(archive);
    const gaps = await readFundingGaps(database, { gapsMax: 10 });
    assert.deepEqual(
      gaps.map(({ state, missing }) => [state, missing]).slice(1),
      [["empty", 3]],
    );
    lasting.remove();
    const before = asked(exchange);
    await fetchFunding(archive);
    assert.equal(asked(exchange), before, "it is not asked for a third time");

    await emptyDatabase(database);
    exchange.faults.add({ when: { about: "funding" }, times: 1, fault: hole });
    exchange.faults.add({ when: { about: "funding" }, times: 1, fault: hole });
    await fetchFunding(await open({ SYMBOLS: LINEAR }));
    assert.deepEqual(
      (await readFundingGaps(database, { gapsMax: 10 })).map(({ state }) => state),
      ["before_listing"],
    );
    await assertSame(scene, LINEAR);
  }));

Deno.test("rates are polled when they are due, and not before", () =>
  withScene(async (scene) => {
    const { exchange, clock, database, open } = scene;
    const archive = await open({ SYMBOLS: `${LINEAR},${HOURLY}` }, false);
    const sinceMs = clock.now() - 600 * DAY_MS;
    let owed = 0;
    const jobs = fundingJobs(archive, { onOwed: () => owed++ });
    const [poll, history] = jobs;
    const { signal } = new AbortController();
    assert.deepEqual(await poll!.runOnce(signal), { asked: 0, added: 0, revised: 0, failed: 0 });
    await refreshMarkets(archive, archive.exchanges[0]!);
    await poll!.runOnce(signal);
    assert.equal(owed, 1, "all of the history is owed");
    await history!.runOnce(signal);
    await assertSame(scene, LINEAR);
    await poll!.runOnce(signal);
    assert.equal(owed, 1, "nothing is owed any more");
    let before = asked(exchange);
    await poll!.runOnce(signal);
    assert.equal(asked(exchange), before, "nothing is due");
    clock.pass(HOUR_MS);
    before = asked(exchange);
    assert.equal((await poll!.runOnce(signal))["added"], 1);
    assert.equal(asked(exchange), before + 1, "one of two is due");
    await assertSame(scene, HOURLY, sinceMs);
    clock.pass(8 * HOUR_MS);
    assert.equal((await poll!.runOnce(signal))["added"], 8 + 1);
    await assertSame(scene, LINEAR, sinceMs);
    const covered = await readFundingCheckpoints(database);
    assert(covered.every((one) => one.covered.length === 1));
  }));

Deno.test("metrics tell of the newest rates after a restart too, and no more of what is not wanted", () =>
  withScene(async ({ clock, open }) => {
    await fetchFunding(await open({ SYMBOLS: `${LINEAR},${HOURLY}` }));
    const told = async (SYMBOLS: string): Promise<readonly string[]> => {
      const archive = await open({ SYMBOLS });
      const [poll] = fundingJobs(archive, { onOwed: () => {} });
      await poll!.runOnce(new AbortController().signal);
      const text = await archive.metrics.text();
      return text.split("\n").filter((line) => line.startsWith("titan10_funding_last"));
    };
    const [hourly, linear] = (await told(`${LINEAR},${HOURLY}`)).toSorted((a, b) =>
      Number(a.includes(LINEAR)) - Number(b.includes(LINEAR))
    );
    const newestMs = Math.floor(clock.now() / HOUR_MS) * HOUR_MS;
    const agoMs = newestMs - Number(hourly?.split(" ").at(-1)) * 1000;
    assert(agoMs <= 0 && agoMs > -LATE_MS, String(hourly));
    assert.match(linear ?? "", /symbol="BTC\/USDT:USDT"/);
    assert.equal((await told(LINEAR)).length, 1);
  }));

Deno.test("a perpetual that pays no more is asked for less and less, and its next rate is found within the hour", () =>
  withScene(async (scene) => {
    const { exchange, clock, open } = scene;
    const archive = await open({ SYMBOLS: LINEAR });
    const sinceMs = clock.now() - 600 * DAY_MS;
    const [poll, history] = fundingJobs(archive, { onOwed: () => {} });
    const { signal } = new AbortController();
    await poll!.runOnce(signal);
    await history!.runOnce(signal);
    const silence = exchange.faults.add({
      when: { about: "funding" },
      fault: { kind: "holes", sinceMs: clock.now(), untilMs: clock.now() + DAY_MS },
    });
    const before = asked(exchange);
    for (let minute = 0; minute < 20 * 60; minute++) {
      clock.pass(60_000);
      await poll!.runOnce(signal);
    }
    const asks = asked(exchange) - before;
    // Some while it is a little late, and then one an hour.
    assert(asks > 12 && asks < 24, `${asks} requests`);
    silence.remove();
    for (let minute = 0; minute < 60; minute++) {
      clock.pass(60_000);
      await poll!.runOnce(signal);
    }
    await history!.runOnce(signal);
    await assertSame(scene, LINEAR, sinceMs);
  }));

Deno.test("what is never answered for is asked for less and less", () =>
  withScene(async ({ exchange, clock, open }) => {
    const archive = await open({ SYMBOLS: LINEAR });
    exchange.faults.add({
      when: { about: "funding" },
      fault: { kind: "status", status: 400, body: '{"code":-1121,"msg":"Invalid symbol."}' },
    });
    let owed = 0;
    const [poll, history] = fundingJobs(archive, { onOwed: () => owed++ });
    const { signal } = new AbortController();
    for (let minute = 0; minute < 24 * 60; minute++) {
      const before = owed;
      await poll!.runOnce(signal);
      if (owed > before) await history!.runOnce(signal);
      clock.pass(60_000);
    }
    assert(owed > 5 && owed < 15, `${owed} runs`);
  }));

Deno.test("nothing is asked where FUNDING is off, and for spot alone", () =>
  withScene(async ({ exchange, open }) => {
    await fetchFunding(await open({ FUNDING: "off" }));
    assert.equal(asked(exchange), 0);
    exchange.symbols.list({ ...FACTS, symbol: SPOT, base: "BTC", quote: "USDT" });
    await fetchFunding(await open({ SYMBOLS: SPOT }));
    assert.equal(asked(exchange), 0);
  }));
