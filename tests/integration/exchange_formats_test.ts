/** Every exchange of `.env.example`: its real CCXT class, its true answer format, through to the database. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/ingest/backfill.ts";
import { Poll } from "../../lib/ingest/poll.ts";
import { binance } from "../../lib/local_exchange/binance.ts";
import type { Dialect } from "../../lib/local_exchange/dialect.ts";
import { startLocalExchange } from "../../lib/local_exchange/server.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/symbol.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/database.ts";
import { bingx } from "../support/dialects/bingx.ts";
import { bitvavo } from "../support/dialects/bitvavo.ts";
import { bybit } from "../support/dialects/bybit.ts";
import { coinbase } from "../support/dialects/coinbase.ts";
import { hitbtc } from "../support/dialects/hitbtc.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { okx } from "../support/dialects/okx.ts";
import { poloniex } from "../support/dialects/poloniex.ts";
import { upbit } from "../support/dialects/upbit.ts";
import { assertSameCandles, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { openTestDatabase } from "../support/test_database.ts";

interface Format {
  readonly dialect: Dialect;
  /** How far back hours can be had, where that is less than {@linkcode HOURS}. */
  readonly hoursMax?: number;
}

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
];

/** Several pages of every exchange but bitfinex. */
const HOURS = 100 * 24;
const HOUR = parseTimeframe("1h");
const SYMBOLS = ["BTC/USDT", "ETH/USDT"];

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
  { dialect, hoursMax = HOURS }: Format,
): Promise<void> {
  await emptyDatabase(database);
  const untilMs = closedUntil(HOUR, systemClock.now());
  const silent = {
    sinceMs: addCandles(HOUR, untilMs, -300),
    untilMs: addCandles(HOUR, untilMs, -295),
  };
  const symbols = LOCAL_SYMBOLS.map((symbol) =>
    symbol.symbol === "BTC/USDT" ? { ...symbol, holes: [silent] } : symbol
  );
  const exchange = await startLocalExchange({ clock: systemClock, symbols, dialect });
  const id = dialect.exchange;
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: id,
      SYMBOLS: SYMBOLS.join(","),
      TIMEFRAMES: "1h",
      BACKFILL: `1h:${HOURS}h`,
      EXCHANGE_PROXY_URL: exchange.proxyUrl,
      [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify({ rateLimit: 1 }),
    });
    const [report] = await backfill(archive, { patient: false });
    assert.deepEqual(report?.problems, []);
    assert.equal(report?.left, 0);
    const poll = await new Poll(archive).runOnce();
    assert.deepEqual([poll.asked, poll.failed, poll.revised], [SYMBOLS.length, 0, 0]);
    for (const symbol of SYMBOLS) {
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
