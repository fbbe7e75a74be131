/** Every exchange of `.env.example`: its real CCXT class, its true answer format, through to the database. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { LOCAL_SYMBOLS, type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { gate } from "../support/dialects/gate.ts";
import { htx } from "../support/dialects/htx.ts";
import { TESTED_DIALECTS } from "../support/dialects/tested_dialects.ts";
import { assertSameCandles, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { START_MS, testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";
import { TESTED_EXCHANGES } from "../support/tested_exchanges.ts";

interface Format {
  readonly dialect: Dialect;
  /** How far back hours can be had, where that is less than {@linkcode HOURS}. */
  readonly hoursMax?: number;
  /** Its markets; the first two are archived, and the first is silent for some hours. @default LOCAL_SYMBOLS */
  readonly markets?: readonly LocalSymbol[];
}

/** Where a dollar is a dollar. */
const DOLLAR_MARKETS = LOCAL_SYMBOLS.slice(0, 2).map(({ base, quote: _, symbol: __, ...facts }) =>
  market(`${base}/USD`, facts)
);

/** What is special about the format of an exchange. */
const SPECIAL: Readonly<Record<string, Omit<Format, "dialect">>> = {
  // The newest 720, the forming one included.
  kraken: { hoursMax: 719 },
  bitstamp: { markets: DOLLAR_MARKETS },
  // 61 days of closed ones.
  gemini: { markets: DOLLAR_MARKETS, hoursMax: 1_463 },
};

const FORMATS: readonly Format[] = TESTED_DIALECTS.map((dialect) => ({
  dialect,
  ...SPECIAL[dialect.exchange],
}));

/** CCXT reads the time of day itself: some classes choose an endpoint by it. */
Date.now = () => testClock.now();

/** Several pages of every exchange but bitfinex. */
const HOURS = 100 * 24;
const HOUR = parseTimeframe("1h");

Deno.test("every exchange that .env.example names has a format here", () => {
  const formats = FORMATS.map(({ dialect }) => dialect.exchange);
  assert.deepEqual(formats, TESTED_EXCHANGES);
});

Deno.test("every exchange's candles arrive value for value", async (t) => {
  const opened = await openAnyTest();
  if (opened === undefined) throw new Error("the embedded database is always there");
  try {
    for (const format of FORMATS) {
      await t.step(format.dialect.exchange, () => archiveOne(opened.database, format));
    }
  } finally {
    await opened.drop();
  }
});

Deno.test("candles that cannot be had, or not on UTC, are never claimed", async (t) => {
  const opened = await openAnyTest();
  if (opened === undefined) throw new Error("the embedded database is always there");
  const { database } = opened;
  try {
    await t.step(
      "gate's newest 9,998 are archived, and not one older one is asked for",
      () =>
        withBackfill(database, { dialect: gate, timeframe: "15m", reach: "120d" }, async (done) => {
          const { report, exchange, untilMs } = done;
          const { answered, young, left, problems } = report ?? assert.fail();
          // The newest one closed half a minute ago.
          assert.deepEqual([answered, young, left, problems], [9_997, 1, 0, []]);
          // A refusal would have cost a request for every halving of its window.
          assert.ok(exchange.requests.every(({ status }) => status === 200));
          await assertSameCandles(database, exchange, {
            exchange: "gate",
            symbol: "BTC/USDT",
            timeframe: "15m",
            window: { sinceMs: addCandles(parseTimeframe("15m"), untilMs, -9_998), untilMs },
          });
        }),
    );
    await t.step(
      "htx's days open at 16:00 UTC and are left out, its hours are not",
      () =>
        withBackfill(
          database,
          { dialect: htx, timeframe: "1d,1h", reach: "3d" },
          async ({ report, exchange }) => {
            assert.deepEqual([report?.left, report?.rejected, report?.problems], [0, 0, []]);
            assert.ok(exchange.requests.every(({ query }) => query["period"] !== "1day"));
            const rows = await database.sql`select distinct timeframe from checkpoints`;
            assert.deepEqual(rows.map(({ timeframe }) => timeframe), ["1h"]);
          },
        ),
    );
  } finally {
    await opened.drop();
  }
});

interface Backfilled {
  readonly report: Awaited<ReturnType<typeof backfill>>[number] | undefined;
  readonly exchange: LocalExchange;
  /** The end of the last closed candle. */
  readonly untilMs: number;
}

async function withBackfill(
  database: Database,
  { dialect, timeframe: text, reach }: {
    readonly dialect: Dialect;
    readonly timeframe: string;
    readonly reach: string;
  },
  use: (done: Backfilled) => Promise<void>,
): Promise<void> {
  await emptyDatabase(database);
  const timeframe = parseTimeframe(text.split(",").at(-1) ?? text);
  // It starts when a candle opens, so that none closes while the test runs.
  const untilMs = closedUntil(timeframe, START_MS);
  testClock.restart(untilMs);
  const exchange = await startLocalExchange({ clock: testClock, dialect });
  const id = dialect.exchange;
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: id,
      SYMBOLS: "BTC/USDT",
      TIMEFRAMES: text,
      BACKFILL: `${timeframe.text}:${reach}`,
      EXCHANGE_PROXY_URL: exchange.proxyUrl,
      [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify({ rateLimit: 1 }),
    });
    const [report] = await backfill(archive, { patient: false });
    await use({ report, exchange, untilMs });
  } finally {
    await exchange.close();
  }
}

async function archiveOne(
  database: Database,
  { dialect, hoursMax = HOURS, markets = LOCAL_SYMBOLS }: Format,
): Promise<void> {
  await emptyDatabase(database);
  testClock.restart();
  const untilMs = closedUntil(HOUR, testClock.now());
  const silent = {
    sinceMs: addCandles(HOUR, untilMs, -300),
    untilMs: addCandles(HOUR, untilMs, -295),
  };
  const symbols = markets.map((entry, index) =>
    index === 0 ? { ...entry, holes: [silent] } : entry
  );
  const archived = symbols.slice(0, 2).map(({ symbol }) => symbol);
  const exchange = await startLocalExchange({ clock: testClock, symbols, dialect });
  const id = dialect.exchange;
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: id,
      SYMBOLS: archived.join(","),
      TIMEFRAMES: "1h",
      BACKFILL: `1h:${HOURS}h`,
      EXCHANGE_PROXY_URL: exchange.proxyUrl,
      [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify({ rateLimit: 1 }),
    });
    const [report] = await backfill(archive, { patient: false });
    assert.deepEqual(report?.problems, []);
    assert.equal(report?.left, 0);
    const poll = await new Poll(archive).runOnce();
    assert.deepEqual([poll.asked, poll.failed, poll.revised], [archived.length, 0, 0]);
    for (const symbol of archived) {
      const window = { sinceMs: addCandles(HOUR, untilMs, -hoursMax), untilMs };
      await assertSameCandles(database, exchange, {
        exchange: id,
        symbol,
        timeframe: "1h",
        window,
      });
    }
    const [{ rejected } = { rejected: -1 }] = await database.sql<{ rejected: number }[]>`
      select count(*)::int as rejected from rejected_candles`;
    assert.equal(rejected, 0);
  } finally {
    await exchange.close();
  }
}
