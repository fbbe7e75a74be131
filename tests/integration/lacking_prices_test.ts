/** Prices that an exchange does not have: what is told of them, and that no other candles take their place. @module */
import assert from "node:assert/strict";
import { lostSymbols } from "../../lib/fetch/lost_symbols.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { contractMarkets } from "../support/dialects/contract_markets.ts";
import { okx } from "../support/dialects/okx.ts";
import { LOCAL_CONTRACTS } from "../../lib/local_exchange/contract.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import type { FaultRule } from "../support/local_exchange/fault.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MARK = "BTC/USDT:USDT@mark";
const PREMIUM = "BTC/USDT:USDT@premium";

Deno.test("a price that OKX does not have is refused with those that it has, and gets no candle of another one", async () => {
  await withDatabase(async (database) => {
    const clock = new TestClock();
    const exchange = await startLocalExchange({
      clock,
      dialect: okx,
      symbols: contractMarkets("okx"),
    });
    try {
      const archive = await openTestArchive(database, {
        ...variables("okx", exchange),
        SYMBOLS: `${PREMIUM},${MARK}`,
      }, clock);
      const [report] = await backfill(archive, { patient: false });
      const problems = report?.problems.join("\n") ?? "";
      assert.match(
        problems,
        /okx has no premium candles of BTC.USDT:USDT, also mark and index/,
      );
      assert.deepEqual(lostSymbols(archive), [
        `${PREMIUM} is not listed by okx. The nearest names: ${MARK}, BTC/USDT:USDT@index. Correct SYMBOLS`,
      ]);
      assert.deepEqual(await candlesBySymbol(database), { [MARK]: 60 });
    } finally {
      await exchange.close();
    }
  });
});

Deno.test("rows that no price can be are rejected, a premium below zero is none of them", async () => {
  const NO_CANDLE: readonly FaultRule[] = [
    { when: { symbol: MARK }, fault: { kind: "bad_value", value: "negative_price", row: 5 } },
    { when: { symbol: PREMIUM }, fault: { kind: "bad_value", value: "nan_text", row: 7 } },
  ];
  await withDatabase(async (database) => {
    const clock = new TestClock();
    const exchange = await startLocalExchange({ clock, symbols: LOCAL_CONTRACTS });
    try {
      for (const rule of NO_CANDLE) exchange.faults.add(rule);
      const archive = await openTestArchive(database, {
        ...variables("binance", exchange),
        SYMBOLS: `${PREMIUM},${MARK}`,
      }, clock);
      await backfill(archive, { patient: false });
      const rejected = await database.sql`
        select distinct symbol, reason from rejected_candles order by symbol`;
      assert.deepEqual(rejected.map((row) => ({ ...row })), [
        { symbol: MARK, reason: "price_not_positive" },
        { symbol: PREMIUM, reason: "not_a_finite_number" },
      ]);
      assert.deepEqual(await candlesBySymbol(database), { [MARK]: 59, [PREMIUM]: 59 });
    } finally {
      await exchange.close();
    }
  });
});

Deno.test("a pattern of mark prices archives those of all contracts that are traded, and nothing else", async () => {
  await withDatabase(async (database) => {
    const clock = new TestClock();
    const exchange = await startLocalExchange({ clock, symbols: LOCAL_CONTRACTS });
    try {
      const archive = await openTestArchive(database, {
        ...variables("binance", exchange),
        SYMBOLS: "*/USDT:USDT@mark,*/USD:BTC@index,!ETH/*:*@mark,!BTC/USD:BTC",
      }, clock);
      await backfill(archive, { patient: false });
      assert.deepEqual(await candlesBySymbol(database), { [MARK]: 60, "BTC/USD:BTC@index": 60 });
      const hosts = new Set(exchange.requests.map(({ path }) => /[fd]api\b/.exec(path)?.[0]));
      assert.deepEqual([...hosts].sort(), ["dapi", "fapi"]);
    } finally {
      await exchange.close();
    }
  });
});

async function withDatabase(use: (database: Database) => Promise<void>): Promise<void> {
  const { database, drop } = await openAnyTest();
  try {
    await emptyDatabase(database);
    await use(database);
  } finally {
    await drop();
  }
}

function variables(id: string, { proxyUrl }: LocalExchange): Readonly<Record<string, string>> {
  return {
    EXCHANGES: id,
    TIMEFRAMES: "1m",
    BACKFILL: "1m:1h",
    FUNDING: "off",
    [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify({ rateLimit: 1, proxyUrl }),
  };
}

async function candlesBySymbol({ sql }: Database): Promise<unknown> {
  const rows = await sql<{ symbol: string; n: number }[]>`
    select symbol, count(*)::int as n from ohlcv_1m group by symbol order by symbol`;
  return Object.fromEntries(rows.map(({ symbol, n }) => [symbol, n]));
}
