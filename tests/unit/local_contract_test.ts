/** The contracts of the local exchange: what their symbols say, how their prices hang together, what is paid. @module */
import assert from "node:assert/strict";
import {
  contract,
  contractsText,
  findMarket,
  fundingRates,
  LOCAL_CONTRACTS,
  pricedMarket,
} from "../../lib/local_exchange/contract.ts";
import { closedCandles } from "../../lib/local_exchange/history.ts";
import type { LocalSymbol, OtherPrice } from "../../lib/local_exchange/local_symbol.ts";
import type { LocalCandle } from "../../lib/local_exchange/price_walk.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SINCE_MS = Date.UTC(2024, 5, 1);
const WINDOW = { sinceMs: SINCE_MS, untilMs: SINCE_MS + 5 * DAY_MS };
const FACTS = { tickDecimals: 1, price: 60_000, quoteVolume24h: 1_000_000, size: 100 };
const PRICES: readonly OtherPrice[] = ["mark", "index", "premium"];

function candles(symbol: LocalSymbol, timeframe = "1h"): LocalCandle[] {
  const nowMs = WINDOW.untilMs;
  return closedCandles(
    { symbol, timeframe: parseTimeframe(timeframe), silence: "omitted", nowMs },
    WINDOW,
  );
}

Deno.test("a contract's symbol says what settles it, its kind and when it ends", () => {
  const told = (symbol: string): unknown => {
    const { base, quote, contract: made, delistedAtMs } = contract(symbol, FACTS);
    return [base, quote, made?.kind, made?.settle, made?.expiryMs, delistedAtMs];
  };
  const expiryMs = Date.UTC(2024, 11, 27, 8);
  const linear = ["BTC", "USDT", "linear", "USDT"];
  const inverse = ["BTC", "USD", "inverse", "BTC"];
  assert.deepEqual(told("BTC/USDT:USDT"), [...linear, undefined, undefined]);
  assert.deepEqual(told("BTC/USD:BTC"), [...inverse, undefined, undefined]);
  assert.deepEqual(told("BTC/USDT:USDT-241227"), [...linear, expiryMs, expiryMs]);
  assert.deepEqual(told("BTC/USD:BTC-241227"), [...inverse, expiryMs, expiryMs]);
  for (const symbol of ["BTC/USDT", "BTCUSDT", "BTC/USDT:", "BTC/USDT:USDT-2412"]) {
    assert.throws(() => contract(symbol, FACTS), /expected a contract such as BTC\/USDT:USDT/);
  }
});

Deno.test("what ends a contract earlier than its expiry counts", () => {
  const delistedAtMs = Date.UTC(2024, 8, 1);
  const ended = contract("BTC/USD:BTC-241227", { ...FACTS, delistedAtMs });
  assert.equal(ended.delistedAtMs, delistedAtMs);
});

Deno.test("every candle of a contract and of its prices is a valid one, and opens where the last one closed", () => {
  for (const market of LOCAL_CONTRACTS) {
    for (const symbol of [market, ...PRICES.map((price) => pricedMarket(market, price))]) {
      let last: LocalCandle | undefined;
      for (const candle of candles(symbol, "1d")) {
        const [open, high, low, close] = [candle.open, candle.high, candle.low, candle.close]
          .map(Number) as [number, number, number, number];
        assert(low <= Math.min(open, close) && high >= Math.max(open, close), symbol.symbol);
        if (last !== undefined) assert.equal(candle.open, last.close);
        assert.equal(Number(candle.volume) > 0, symbol.priced === undefined);
        last = candle;
      }
    }
  }
});

Deno.test("contracts and mark prices stay within 0.2 % of the index, and no two are the same", () => {
  for (const market of LOCAL_CONTRACTS) {
    const index = candles(pricedMarket(market, "index"));
    for (const symbol of [market, pricedMarket(market, "mark")]) {
      const own = candles(symbol);
      const apart = own.map(({ open }, at) => Number(open) / Number(index[at]?.open) - 1);
      assert(apart.every((share) => Math.abs(share) < 0.002), symbol.symbol);
      assert(new Set(apart.map((share) => share.toFixed(5))).size > 20, symbol.symbol);
    }
  }
});

Deno.test("a price of a contract is found by its symbol, unless a test lists one of its own", () => {
  const [market] = LOCAL_CONTRACTS as readonly [LocalSymbol];
  const mark = pricedMarket(market, "mark");
  assert.deepEqual(findMarket(LOCAL_CONTRACTS, "BTC/USDT:USDT@mark"), mark);
  const own = { ...mark, holes: [WINDOW] };
  assert.equal(findMarket([...LOCAL_CONTRACTS, own], "BTC/USDT:USDT@mark"), own);
  assert.equal(findMarket(LOCAL_CONTRACTS, "BTC/USDT:USDT@last"), undefined);
  assert.equal(findMarket(LOCAL_CONTRACTS, "SOL/USDT:USDT@mark"), undefined);
});

Deno.test("contracts are counted in whole ones, and a volume that is left out stays so", () => {
  const inverse = contract("BTC/USD:BTC", FACTS);
  const linear = contract("BTC/USDT:USDT", { ...FACTS, size: 0.01 });
  const told = { volume: "1.50000000", quoteVolume: "90000.00000000" };
  assert.equal(contractsText(inverse, told), "900");
  assert.equal(contractsText(linear, told), "150");
  assert.equal(contractsText(linear, { ...told, volume: undefined }), undefined);
  assert.equal(contractsText(inverse, { ...told, volume: null }), null);
});

Deno.test("a perpetual is paid at each interval from after its listing to before its end", () => {
  const times = (symbol: LocalSymbol, nowMs: number): number[] =>
    fundingRates(symbol, WINDOW, nowMs).map(({ timeMs }) => (timeMs - SINCE_MS) / HOUR_MS);
  const perpetual = contract("BTC/USD:BTC", { ...FACTS, listedAtMs: SINCE_MS + 8 * HOUR_MS });
  assert.deepEqual(times(perpetual, SINCE_MS + DAY_MS), [16, 24]);
  assert.deepEqual(times(perpetual, SINCE_MS + DAY_MS - 1), [16]);
  const ended = { ...perpetual, delistedAtMs: SINCE_MS + 32 * HOUR_MS };
  assert.deepEqual(times(ended, WINDOW.untilMs), [16, 24]);
  const hourly = contract("BTC/USD:BTC", { ...FACTS, fundingMs: HOUR_MS });
  assert.equal(times(hourly, SINCE_MS + DAY_MS).length, 25);
  assert.deepEqual(times(contract("BTC/USD:BTC-241227", FACTS), WINDOW.untilMs), []);
});

Deno.test("half of the funding rates are the usual one, others have either sign", () => {
  const [perpetual] = LOCAL_CONTRACTS as readonly [LocalSymbol];
  const window = { sinceMs: SINCE_MS - 1_000 * DAY_MS, untilMs: SINCE_MS };
  const rates = fundingRates(perpetual, window, SINCE_MS).map(({ rate }) => rate);
  assert.equal(rates.length, 3_000);
  const usual = rates.filter((rate) => rate === "0.00010000").length;
  assert(usual > 1_350 && usual < 1_650, String(usual));
  assert(rates.filter((rate) => Number(rate) < 0).length > 500);
  assert(rates.every((rate) => /^-?0\.000\d{5}$/.test(rate)));
});
