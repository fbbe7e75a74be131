/** Dated futures end at their expiry: CCXT's class over HTTP, Binance's contracts, a real database. @module */
import assert from "node:assert/strict";
import { polledEnds, staleConditions } from "../../lib/alert/conditions.ts";
import type { Archive } from "../../lib/archive/archive.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { readAccounts, type SeriesAccount } from "../../lib/gap/account.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { contract } from "../../lib/local_exchange/contract.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readCoverageEnds } from "../../lib/store/coverage_ends.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { assertSameCandles, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const PERPETUAL = "BTC/USDT:USDT";
/** Expires at eight o'clock of the day after the clock begins. */
const FUTURE = "BTC/USDT:USDT-240316";
const EXPIRES_MS = Date.UTC(2024, 2, 16, 8);
const LISTED_MS = START_MS - 5 * DAY_MS;

/** What Binance says of the futures, whatever the local exchange has. */
interface Words {
  /** Whether its list lacks what has expired. */
  isGone: boolean;
  /** Whether it answers for candles of the future without any. */
  isSilent: boolean;
  /** How much later its list says that the future expires. */
  laterMs: number;
}

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  readonly clock: TestClock;
  readonly words: Words;
  readonly open: (variables?: Readonly<Record<string, string>>) => Promise<Archive>;
  /** The requests for candles of the future. */
  readonly asks: () => number;
}

Deno.test("dated futures end at their expiry", async (t) => {
  const opened = await openAnyTest();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, () => withScene(opened.database, test));
    }
  } finally {
    await opened.drop();
  }
});

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "the last candle holds the moment before the expiry, and then nothing is asked any more": async (
    scene,
  ) => {
    const { clock, database, asks } = scene;
    const archive = await scene.open();
    await backfillAll(archive);
    const poll = new Poll(archive);
    await pollUntil(scene, poll, EXPIRES_MS + HOUR_MS);
    await assertComplete(scene, ["1h"]);
    const [day] = (await readCheckpoints(database)).filter(isOf("1d"));
    assert.deepEqual([day?.endedWhy, day?.endedMs], ["expired", Date.UTC(2024, 2, 17)]);

    await pollUntil(scene, poll, Date.UTC(2024, 2, 17, 2));
    await assertComplete(scene, ["1h", "1d"]);
    // Where its history begins is confirmed once.
    await repairGaps(archive);
    clock.pass(2 * HOUR_MS);
    await repairGaps(archive);
    const before = asks();
    for (let day = 0; day < 3; day++) {
      await pollUntil(scene, poll, clock.now() + DAY_MS);
      await backfillAll(archive);
      await repairGaps(archive);
    }
    assert.equal(asks(), before);
    const [listing] = await database.sql`
      select why, until = expires_at as ends_there, expires_at from listings where symbol = ${FUTURE}`;
    assert.deepEqual({ ...listing }, {
      why: "expired",
      ends_there: true,
      expires_at: new Date(EXPIRES_MS),
    });
    assert.deepEqual(await events(scene, archive), [["expired", FUTURE]]);
  },

  "it is never late: neither at its expiry nor after it": async (scene) => {
    const archive = await scene.open();
    await backfillAll(archive);
    const poll = new Poll(archive);
    for (let hour = 0; hour < 40; hour++) {
      await pollUntil(scene, poll, scene.clock.now() + HOUR_MS);
      const ends = polledEnds(await readCoverageEnds(scene.database), archive.config);
      const { exchanges } = archive;
      assert.deepEqual(staleConditions(ends, { exchanges, nowMs: scene.clock.now() }), []);
    }
  },

  "an exchange that lists it no more is asked for the last candles all the same, after a stop of the daemon, too":
    async (scene) => {
      scene.words.isGone = true;
      const archive = await scene.open();
      await backfillAll(archive);
      scene.clock.pass(EXPIRES_MS - scene.clock.now() + 30 * HOUR_MS);
      const later = await scene.open();
      await backfillAll(later);
      const poll = new Poll(later);
      await poll.runOnce();
      await assertComplete(scene, ["1h", "1d"]);
      const before = scene.asks();
      await pollUntil(scene, poll, scene.clock.now() + 2 * DAY_MS);
      await backfillAll(later);
      assert.equal(scene.asks(), before);
    },

  "its mark price ends with it, also where its exchange lists it no more": async (scene) => {
    scene.words.isGone = true;
    const SYMBOLS = `${FUTURE},${FUTURE}@mark`;
    await backfillAll(await scene.open({ SYMBOLS }));
    scene.clock.pass(EXPIRES_MS - scene.clock.now() + 30 * HOUR_MS);
    await backfillAll(await scene.open({ SYMBOLS }));
    await assertComplete(scene, ["1h", "1d"]);
    const marks = (await readCheckpoints(scene.database)).filter(({ series }) =>
      series.symbol === `${FUTURE}@mark`
    );
    const window = { sinceMs: LISTED_MS - DAY_MS, untilMs: Date.UTC(2024, 2, 17) };
    assert.deepEqual(
      marks.map(({ series, candles, endedWhy }) => [series.timeframe.text, candles, endedWhy]),
      marks.map(({ series }) => [
        series.timeframe.text,
        scene.exchange.truth(series.symbol, series.timeframe, window).length,
        "expired",
      ]),
    );
    assert.equal(marks.length, 2);
  },

  "a timeframe that is added after the expiry gets the history that the exchange still gives":
    async (
      scene,
    ) => {
      scene.words.isGone = true;
      const archive = await scene.open({ TIMEFRAMES: "1h", BACKFILL: "1h:30d" });
      await backfillAll(archive);
      scene.clock.pass(EXPIRES_MS - scene.clock.now() + 30 * HOUR_MS);
      await backfillAll(await scene.open({ TIMEFRAMES: "1h", BACKFILL: "1h:30d" }));
      scene.clock.pass(25 * HOUR_MS);
      await backfillAll(await scene.open());
      await assertComplete(scene, ["1h", "1d"]);
      const [day] = (await readCheckpoints(scene.database)).filter(isOf("1d"));
      assert.equal(day?.endedWhy, "expired");
    },

  "what the exchange refuses after the expiry is explained, and neither owed nor asked for ever":
    async (scene) => {
      const archive = await scene.open({ TIMEFRAMES: "1h", BACKFILL: "1h:30d" });
      await backfillAll(archive);
      scene.exchange.symbols.delist(FUTURE, { forget: true });
      scene.clock.pass(EXPIRES_MS - scene.clock.now() + HOUR_MS);
      const poll = new Poll(archive);
      await pollUntil(scene, poll, scene.clock.now() + 3 * HOUR_MS, 5 * 60_000);
      await assertExplained(scene, archive);
      const before = scene.asks();
      await pollUntil(scene, poll, scene.clock.now() + 2 * DAY_MS);
      await backfillAll(archive);
      await repairGaps(archive);
      assert.equal(scene.asks(), before);
      await assertExplained(scene, archive);
    },

  "a command gives it up as well, and has nothing left then": async (scene) => {
    const archive = await scene.open({ TIMEFRAMES: "1h", BACKFILL: "1h:30d" });
    await backfillAll(archive);
    scene.exchange.symbols.delist(FUTURE, { forget: true });
    scene.clock.pass(EXPIRES_MS - scene.clock.now() + HOUR_MS);
    const [report] = await backfill(await hasty(scene), { patient: false });
    assert.equal(report?.left, 0);
    await assertExplained(scene, archive);
  },

  "an answer without candles says nothing of an expired market, unless its newest stored candle still comes":
    async (scene) => {
      scene.words.isGone = true;
      const archive = await scene.open({ TIMEFRAMES: "1h", BACKFILL: "1h:30d" });
      await backfillAll(archive);
      scene.words.isSilent = true;
      scene.clock.pass(EXPIRES_MS - scene.clock.now() + HOUR_MS);
      const poll = new Poll(archive);
      await pollUntil(scene, poll, scene.clock.now() + 3 * HOUR_MS, 5 * 60_000);
      await assertExplained(scene, archive);
    },

  "an exchange that lets it expire later has the last word": async (scene) => {
    const archive = await scene.open({ TIMEFRAMES: "1h", BACKFILL: "1h:30d" });
    await backfillAll(archive);
    const poll = new Poll(archive);
    await pollUntil(scene, poll, EXPIRES_MS + HOUR_MS);
    assert.deepEqual(await events(scene, archive), [["expired", FUTURE]]);
    // The day in its name stays.
    scene.words.laterMs = 10 * HOUR_MS;
    scene.exchange.symbols.list(future({ expiryMs: EXPIRES_MS + 10 * HOUR_MS }));
    scene.clock.pass(DAY_MS - 3 * HOUR_MS);
    archive.exchanges[0]?.markets.outdate(archive.exchanges[0].markets.value);
    await pollUntil(scene, poll, scene.clock.now() + HOUR_MS);
    await backfillAll(archive);
    const [hour] = (await readCheckpoints(scene.database)).filter(isOf("1h"));
    assert.equal(hour?.endedMs, EXPIRES_MS + 10 * HOUR_MS);
    await assertSameCandles(scene.database, scene.exchange, {
      symbol: FUTURE,
      timeframe: "1h",
      window: { sinceMs: LISTED_MS - DAY_MS, untilMs: EXPIRES_MS + 10 * HOUR_MS },
    });
  },

  "a perpetual that is delisted does not expire, whatever its delivery date is": async (scene) => {
    const archive = await scene.open({ SYMBOLS: `${PERPETUAL},${FUTURE}` });
    await backfillAll(archive);
    scene.exchange.symbols.delist(PERPETUAL);
    scene.clock.pass(25 * HOUR_MS);
    await new Poll(archive).runOnce();
    const ends = (await readCheckpoints(scene.database)).map(({ series, endedWhy }) =>
      [series.symbol, endedWhy] as const
    );
    assert.deepEqual(new Map(ends), new Map([[PERPETUAL, "suspended"], [FUTURE, "expired"]]));
    const [row] = await scene.database.sql`
      select expires_at from listings where symbol = ${PERPETUAL}`;
    assert.equal(row?.["expires_at"], null);
  },

  "a pattern takes each new future from its listing on, and lets each end by itself": async (
    scene,
  ) => {
    const archive = await scene.open({
      SYMBOLS: "BTC/USDT:USDT-*",
      TIMEFRAMES: "1h",
      BACKFILL: "1h:30d",
    });
    await backfillAll(archive);
    const poll = new Poll(archive);
    const next = "BTC/USDT:USDT-240329";
    const listedAtMs = EXPIRES_MS - 4 * HOUR_MS;
    scene.exchange.symbols.list(contract(next, { ...FACTS, listedAtMs }));
    await pollUntil(scene, poll, EXPIRES_MS + 30 * HOUR_MS);
    await backfillAll(archive);
    await assertComplete(scene, ["1h"]);
    await assertSameCandles(scene.database, scene.exchange, {
      symbol: next,
      timeframe: "1h",
      window: { sinceMs: listedAtMs - DAY_MS, untilMs: EXPIRES_MS + 30 * HOUR_MS },
    });
    const [row] = await scene.database.sql`
      select until, why from listings where symbol = ${next}`;
    assert.deepEqual({ ...row }, { until: null, why: null });
  },
};

const FACTS = { size: 0.001, tickDecimals: 1, price: 65_000, quoteVolume24h: 2e9 } as const;

function future(facts: Partial<Parameters<typeof contract>[1]> = {}): ReturnType<typeof contract> {
  return contract(FUTURE, { ...FACTS, listedAtMs: LISTED_MS, ...facts });
}

function isOf(timeframe: string): (one: Pick<SeriesAccount, "series">) => boolean {
  return ({ series }) => series.symbol === FUTURE && series.timeframe.text === timeframe;
}

/** Polls up to a time, once an hour. */
async function pollUntil(
  { clock }: Scene,
  poll: Poll,
  untilMs: number,
  everyMs = HOUR_MS,
): Promise<void> {
  while (clock.now() < untilMs) {
    clock.pass(Math.min(everyMs, untilMs - clock.now()));
    await poll.runOnce();
  }
}

/** The same archive whose pauses are short. */
async function hasty(scene: Scene): Promise<Archive> {
  const archive = await scene.open({ TIMEFRAMES: "1h", BACKFILL: "1h:30d" });
  const clock = {
    now: () => scene.clock.now(),
    sleep: (ms: number) => Promise.resolve(scene.clock.pass(ms)),
  };
  return { ...archive, clock };
}

async function backfillAll(archive: Archive): Promise<void> {
  const [report] = await backfill(archive, { patient: false });
  assert.deepEqual([report?.problems, report?.left], [[], 0]);
}

async function accountsOf({ database, clock }: Scene, archive: Archive): Promise<SeriesAccount[]> {
  const accounts = await readAccounts(database, {
    config: archive.config,
    nowMs: clock.now(),
    newestCandlesMax: () => undefined,
  });
  return accounts.filter(({ series }) => series.symbol === FUTURE);
}

/** All candles of the future are stored, and its series have ended. */
async function assertComplete(scene: Scene, timeframes: readonly string[]): Promise<void> {
  const archive = await scene.open();
  for (const timeframe of timeframes) {
    await assertSameCandles(scene.database, scene.exchange, {
      symbol: FUTURE,
      timeframe,
      window: { sinceMs: LISTED_MS - DAY_MS, untilMs: Date.UTC(2024, 2, 17) },
    });
    const account = (await accountsOf(scene, archive)).find(isOf(timeframe));
    assert.deepEqual([account?.owed, account?.missing, account?.endedWhy], [0, 0, "expired"]);
  }
}

/** What was not fetched before the future ended has a reason. */
async function assertExplained(scene: Scene, archive: Archive): Promise<void> {
  await repairGaps(archive);
  const [account] = (await accountsOf(scene, archive)).filter(isOf("1h"));
  assert.deepEqual([account?.owed, account?.missing, account?.endedWhy, account?.lastError], [
    ...[0, 0, "expired", undefined],
  ]);
  const lastMs = account?.lastMs ?? 0;
  assert.equal(account?.reasons.retention, (EXPIRES_MS - lastMs) / HOUR_MS - 1);
}

async function events({ database }: Scene, archive: Archive): Promise<readonly unknown[]> {
  await archive.events.flush(database);
  const rows = await database.sql`
    select kind, symbol from events where kind in ('expired', 'delisted', 'suspended', 'relisted') order by id`;
  return rows.map(({ kind, symbol }) => [kind, symbol]);
}

async function withScene(database: Database, test: (scene: Scene) => Promise<void>): Promise<void> {
  await emptyDatabase(database);
  const clock = new TestClock();
  const words: Words = { isGone: false, isSilent: false, laterMs: 0 };
  const exchange = await startLocalExchange({ clock, symbols: [] });
  exchange.symbols.list(contract(PERPETUAL, { ...FACTS, listedAtMs: LISTED_MS }));
  exchange.symbols.list(future());
  const server = spokenBy(exchange, { clock, words });
  const asks = (): number =>
    exchange.requests.filter(({ endpoint, query }) =>
      endpoint?.endsWith("klines") === true && query["symbol"] === "BTCUSDT_240316"
    ).length;
  try {
    await test({
      ...{ database, exchange, clock, words, asks },
      open: (variables = {}) =>
        openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: FUTURE,
          TIMEFRAMES: "1h,1d",
          BACKFILL: "1h:30d,1d:30d",
          EXCHANGE_PROXY_URL: `http://127.0.0.1:${server.addr.port}/`,
          EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
          ...variables,
        }, clock),
    });
  } finally {
    await server.shutdown();
    await exchange.close();
  }
}

/** The local exchange, whose list and candles are changed on the way. */
function spokenBy(
  exchange: LocalExchange,
  { clock, words }: { readonly clock: TestClock; readonly words: Words },
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { origin } = new URL(request.url);
    const answer = await fetch(exchange.proxyUrl + request.url.slice(origin.length + 1));
    const body = await answer.json();
    const headers = { date: new Date(clock.now()).toUTCString() };
    if (request.url.includes("exchangeInfo") && words.isGone) {
      const isLeft = (one: { readonly deliveryDate: number }): boolean =>
        one.deliveryDate > clock.now();
      return Response.json({ ...body, symbols: body.symbols.filter(isLeft) }, { headers });
    }
    if (request.url.includes("klines") && words.isSilent) return Response.json([], { headers });
    return Response.json(body, { status: answer.status, headers });
  });
}
