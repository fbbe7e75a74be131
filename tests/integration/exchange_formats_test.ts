/** Every exchange of `.env.example`: its real CCXT class, its true answer format, through to the database. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/ingest/backfill.ts";
import { Poll } from "../../lib/ingest/poll.ts";
import { binance } from "../../lib/local_exchange/binance.ts";
import type { Dialect } from "../../lib/local_exchange/dialect.ts";
import { startLocalExchange } from "../../lib/local_exchange/server.ts";
import { LOCAL_SYMBOLS, type LocalSymbol, market } from "../../lib/local_exchange/symbol.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/database.ts";
import { bingx } from "../support/dialects/bingx.ts";
import { bitfinex } from "../support/dialects/bitfinex.ts";
import { bitstamp } from "../support/dialects/bitstamp.ts";
import { bitvavo } from "../support/dialects/bitvavo.ts";
import { bybit } from "../support/dialects/bybit.ts";
import { coinbase } from "../support/dialects/coinbase.ts";
import { cryptocom } from "../support/dialects/cryptocom.ts";
import { gemini } from "../support/dialects/gemini.ts";
import { hitbtc } from "../support/dialects/hitbtc.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { okx } from "../support/dialects/okx.ts";
import { poloniex } from "../support/dialects/poloniex.ts";
import { upbit } from "../support/dialects/upbit.ts";
import { whitebit } from "../support/dialects/whitebit.ts";
import { assertSameCandles, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { openTestDatabase } from "../support/test_database.ts";

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

const FORMATS: readonly Format[] = [
  { dialect: binance },
  { dialect: coinbase },
  // The newest 720, the forming one included.
  { dialect: kraken, hoursMax: 719 },
  { dialect: okx },
  { dialect: bybit },
  { dialect: bingx },
  { dialect: upbit },
  { dialect: poloniex },
  { dialect: hitbtc },
  { dialect: bitvavo },
  { dialect: cryptocom },
  { dialect: bitfinex },
  { dialect: bitstamp, markets: DOLLAR_MARKETS },
  // 61 days of closed ones.
  { dialect: gemini, markets: DOLLAR_MARKETS, hoursMax: 1_463 },
  { dialect: whitebit },
];

/** Several pages of every exchange but bitfinex. */
const HOURS = 100 * 24;
const HOUR = parseTimeframe("1h");

Deno.test("every exchange's candles arrive value for value", async (t) => {
  const opened = await openTestDatabase("embedded");
  if (opened === undefined) throw new Error("the embedded database is always there");
  try {
    for (const format of FORMATS) {
      await t.step(format.dialect.exchange, () => archiveOne(opened.database, format));
    }
  } finally {
    await opened.drop();
  }
});

async function archiveOne(
  database: Database,
  { dialect, hoursMax = HOURS, markets = LOCAL_SYMBOLS }: Format,
): Promise<void> {
  await emptyDatabase(database);
  const untilMs = closedUntil(HOUR, systemClock.now());
  const silent = {
    sinceMs: addCandles(HOUR, untilMs, -300),
    untilMs: addCandles(HOUR, untilMs, -295),
  };
  const symbols = markets.map((entry, index) =>
    index === 0 ? { ...entry, holes: [silent] } : entry
  );
  const archived = symbols.slice(0, 2).map(({ symbol }) => symbol);
  const exchange = await startLocalExchange({ clock: systemClock, symbols, dialect });
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
