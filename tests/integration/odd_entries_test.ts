/** Odd markets and tickers among true ones: the real CCXT classes over HTTP. @module */
import assert from "node:assert/strict";
import { type ExchangeClient, openExchange } from "../../lib/exchange/client.ts";
import { LOCAL_SYMBOLS, market } from "../../lib/local_exchange/local_symbol.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { NOW_MS, STILL_CLOCK } from "../support/dialects/local_client.ts";
import { TESTED_DIALECTS } from "../support/dialects/tested_dialects.ts";
import { withFront } from "../support/fronted_exchange.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { withOddEntries } from "../support/odd_entries.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

Deno.test("odd entries in lists of markets and tickers cost no other market, and are not chosen", async (t) => {
  // Most entries are good, as in every list.
  const [{ base: _base, quote: _quote, symbol: _symbol, ...facts }] = LOCAL_SYMBOLS as [
    typeof LOCAL_SYMBOLS[number],
  ];
  const more = Array.from({ length: 60 }, (_, at) => market(`COIN${at}/USDT`, facts));
  const exchange = await startLocalExchange({
    clock: STILL_CLOCK,
    dialect: TESTED_DIALECTS,
    symbols: [...LOCAL_SYMBOLS, ...more],
  });
  let isOdd = false;
  try {
    await withFront(exchange, (body) => isOdd ? withOddEntries(body) : undefined, async (front) => {
      for (const { exchange: id } of TESTED_DIALECTS) {
        await t.step(id, async () => {
          const options = { clock: new ManualClock({ startMs: NOW_MS }), proxyUrl: front.proxyUrl };
          isOdd = false;
          const truth = await chosenOf(await openExchange(id, options));
          isOdd = true;
          const odd = await chosenOf(await openExchange(id, options));
          assert.deepEqual(odd.top, truth.top);
          for (const symbol of truth.symbols) assert(odd.symbols.includes(symbol), symbol);
        });
      }
    });
  } finally {
    await exchange.close();
  }
});

async function chosenOf(
  client: ExchangeClient,
): Promise<{ readonly symbols: readonly string[]; readonly top: readonly string[] }> {
  const list = await client.loadMarkets();
  return {
    symbols: [...list.keys()],
    top: await client.topSymbols(list, { tops: [{ count: 3 }] }),
  };
}

Deno.test("an archived market whose entry cannot be read is told of, and not taken for delisted", async () => {
  const opened = await openAnyTest();
  const { sql } = opened.database;
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  let isOdd = false;
  const change = (body: string, path: string): string | undefined => {
    if (!isOdd || !path.includes("exchangeInfo")) return undefined;
    const info: { symbols: { symbol: string }[] } = JSON.parse(body);
    const symbols = info.symbols.map((market) =>
      market.symbol === "BTCUSDT" ? { ...market, filters: [null, 7, {}], baseAsset: null } : market
    );
    return JSON.stringify({ ...info, symbols: [...symbols, null] });
  };
  try {
    await emptyDatabase(opened.database);
    await withFront(exchange, change, async ({ proxyUrl }) => {
      const archive = await openTestArchive(opened.database, {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT,ETH/USDT",
        TIMEFRAMES: "1h",
        BACKFILL: "off",
        EXCHANGE_PROXY_URL: proxyUrl,
        EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
      }, clock);
      const poll = new Poll(archive);
      const added = async (): Promise<number> => {
        clock.pass(3_600_000);
        return (await poll.runOnce()).added;
      };
      assert.equal(await added() > 0, true);
      isOdd = true;
      clock.pass(24 * 3_600_000);
      for (let hour = 0; hour < 4; hour++) await added();
      const [told] = await sql`select last_error from exchanges where exchange = 'binance'`;
      const ended = await sql`select symbol, why from listings where until is not null`;
      assert.deepEqual([...ended], []);
      assert.match(told?.["last_error"], /^Cannot load all markets of binance: 2 of its entries/);
      isOdd = false;
      assert.equal(await added() > 0, true);
      const series = await sql`select symbol, candles::int as candles from checkpoints order by 1`;
      assert.deepEqual(series.map(({ symbol }) => symbol), ["BTC/USDT", "ETH/USDT"]);
    });
  } finally {
    await exchange.close();
    await opened.drop();
  }
});
