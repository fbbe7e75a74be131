/** `top:N:QUOTE:KIND`: CCXT's class over HTTP chooses among Binance's spot markets, perpetuals and futures. @module */
import assert from "node:assert/strict";
import { Poll } from "../../lib/fetch/poll.ts";
import { contract } from "../../lib/local_exchange/contract.ts";
import { type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const DAY_MS = 24 * 3_600_000;

const LISTED = { tickDecimals: 2, listedAtMs: Date.UTC(2022, 0, 1) } as const;

/** In millions of the quote currency a day. */
function traded(symbol: string, millions: number, price: number, size?: number): LocalSymbol {
  const facts = { ...LISTED, price, quoteVolume24h: millions * 1e6 };
  return size === undefined ? market(symbol, facts) : contract(symbol, { ...facts, size });
}

const MARKETS: readonly LocalSymbol[] = [
  traded("BTC/USDT", 900, 62_000),
  traded("ETH/USDT", 100, 2_900),
  traded("DOGE/USDT:USDT", 400, 12, 1),
  traded("BTC/USDT:USDT", 9_000, 62_000, 0.001),
  traded("ETH/USDT:USDT", 7_000, 2_900, 0.001),
  traded("ETH/USDC:USDC", 8_000, 2_900, 0.001),
  traded("USDC/USDT:USDT", 9_900, 12, 1),
  traded("BTC/USDT:USDT-240628", 9_990, 62_000, 0.001),
  // By contracts, and by coins, it is the other way round.
  traded("BTC/USD:BTC", 900, 62_000, 100),
  traded("ETH/USD:ETH", 800, 2_900, 10),
  traded("BTC/USD:BTC-240628", 990, 62_000, 100),
];

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  readonly clock: TestClock;
  /** Polls once with these symbols. Resolves to those that are asked for. */
  readonly chosen: (symbols: string) => Promise<readonly string[]>;
}

Deno.test("top:N of a kind", async (t) => {
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
  "takes perpetuals alone, by what they turn over in a day, whatever a contract is worth": async (
    { chosen },
  ) => {
    assert.deepEqual(await chosen("top:2:USDT:linear"), ["BTC/USDT:USDT", "ETH/USDT:USDT"]);
    assert.deepEqual(await chosen("top:3:USDT:linear,!ETH/USDT:USDT"), [
      ...["BTC/USDT:USDT", "DOGE/USDT:USDT"],
    ]);
  },

  "takes only perpetuals of the quote that is named": async ({ chosen }) => {
    assert.deepEqual(await chosen("top:1:USDC:linear"), ["ETH/USDC:USDC"]);
  },

  "honours how many dollars an inverse contract is worth": async ({ chosen }) => {
    assert.deepEqual(await chosen("top:1:USD:inverse"), ["BTC/USD:BTC"]);
  },

  "stands beside tops of other kinds, each with its own volumes": async ({ chosen }) => {
    assert.deepEqual(await chosen("top:1,top:1:USDT:linear,top:2:USD:inverse"), [
      ...["BTC/USD:BTC", "BTC/USDT", "BTC/USDT:USDT", "ETH/USD:ETH"],
    ]);
  },

  "leaves the others alone when its exchange refuses it, and comes when that is over": async (
    { chosen, exchange, clock },
  ) => {
    const refusal = exchange.faults.add({
      when: { about: "tickers", host: "fapi.binance.com" },
      fault: { kind: "status", status: 451 },
    });
    const symbols = "top:1,top:1:USDT:linear,top:1:USD:inverse";
    assert.deepEqual(await chosen(symbols), ["BTC/USD:BTC", "BTC/USDT"]);
    assert.ok(refusal.struck > 0);
    refusal.remove();
    clock.pass(11 * 60_000);
    assert.deepEqual(await chosen(symbols), ["BTC/USD:BTC", "BTC/USDT", "BTC/USDT:USDT"]);
  },

  "keeps what it has chosen while it is there, and only then": async (
    { chosen, exchange, clock },
  ) => {
    assert.deepEqual(await chosen("top:1:USDT:linear"), ["BTC/USDT:USDT"]);
    exchange.symbols.list(traded("ETH/USDT:USDT", 99_000, 2_900, 0.001));
    clock.pass(DAY_MS + 60_000);
    const both = ["BTC/USDT:USDT", "ETH/USDT:USDT"];
    assert.deepEqual(await chosen("top:1:USDT:linear"), both);
    assert.deepEqual(await chosen("top:1:USDT:linear,top:1"), ["BTC/USDT", ...both]);
    assert.deepEqual(await chosen("top:1"), ["BTC/USDT"]);
  },
};

async function withScene(database: Database, test: (scene: Scene) => Promise<void>): Promise<void> {
  await emptyDatabase(database);
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock, symbols: MARKETS });
  try {
    await test({
      ...{ database, exchange, clock },
      chosen: async (symbols) => {
        const archive = await openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: symbols,
          TIMEFRAMES: "1h",
          BACKFILL: "1h:1d",
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
        }, clock);
        await new Poll(archive).runOnce();
        const [binance] = archive.exchanges;
        const known = new Set((await readCheckpoints(database)).map(({ series }) => series.symbol));
        const asked = (binance?.series ?? []).map(({ symbol }) => symbol).toSorted();
        assert.deepEqual(asked.filter((symbol) => !known.has(symbol)), []);
        return asked;
      },
    });
  } finally {
    await exchange.close();
  }
}
