/** Which dated futures have ended, by a list of markets and by what was known of them: no exchange, no database. @module */
import assert from "node:assert/strict";
import { expiredMarket } from "../../lib/exchange/expired_market.ts";
import type { CcxtMarket } from "../../lib/exchange/ccxt.ts";
import { type MarketFacts, marketList } from "../../lib/exchange/market_list.ts";
import { judgeListings, type ListingNews } from "../../lib/fetch/listing_change.ts";
import type { Listing } from "../../lib/store/listings.ts";

const FUTURE = "BTC/USDT:USDT-240628";
const OTHER = "ETH/USDT:USDT-240628";
const EXPIRES_MS = Date.UTC(2024, 5, 28, 8);
const HOUR_MS = 3_600_000;

const TERMS = { kind: "linear", settle: "USDT", contractSize: 1, volumeUnit: "base" } as const;

function listed(facts: Partial<MarketFacts> = {}): MarketFacts {
  return { id: "BTCUSDT_240628", isActive: true, expiryMs: EXPIRES_MS, ...TERMS, ...facts };
}

function known(facts: Partial<Listing> = {}): Listing {
  return {
    symbol: FUTURE,
    marketId: "BTCUSDT_240628",
    ...TERMS,
    ...{ replacedMs: undefined, untilMs: undefined, why: undefined },
    ...{ absentMs: undefined, missingMs: undefined, expiresMs: EXPIRES_MS },
    ...facts,
  };
}

function judge(
  markets: Readonly<Record<string, MarketFacts>>,
  listings: readonly Listing[],
  nowMs = EXPIRES_MS,
): ListingNews {
  const symbols = [FUTURE, ...listings.map(({ symbol }) => symbol).filter((one) => one !== FUTURE)];
  const list = new Map(Object.entries(markets));
  return judgeListings(list, { symbols, listings, respelled: new Map(), nowMs });
}

const EXPIRED = {
  ...{ kind: "ends", symbol: FUTURE, why: "expired", successor: undefined, atMs: EXPIRES_MS },
};

Deno.test("a future that is missing after its expiry has expired at once, and is no sign of a broken list", () => {
  const other = known({ symbol: OTHER, marketId: "ETHUSDT_240628" });
  const { changes, isNoneListed, absentSinceMs, gone, unlisted } = judge({}, [known(), other]);
  assert.deepEqual(changes, [EXPIRED, { ...EXPIRED, symbol: OTHER }]);
  assert.deepEqual([isNoneListed, absentSinceMs.size, unlisted], [false, 0, []]);
  assert.deepEqual(gone.map(({ symbol }) => symbol), [FUTURE, OTHER]);
});

Deno.test("a future that is missing before its expiry is missing as any other market", () => {
  const before = judge({}, [known()], EXPIRES_MS - 1);
  assert.deepEqual([before.changes, [...before.absentSinceMs.keys()]], [[], [FUTURE]]);
  const missing = known({ missingMs: EXPIRES_MS - 2 * HOUR_MS });
  const [change] = judge({}, [missing], EXPIRES_MS - HOUR_MS).changes;
  assert.equal(change?.kind === "ends" && change.why, "delisted");
  // What is delisted by then does not expire later.
  const delisted = known({ untilMs: EXPIRES_MS - HOUR_MS, why: "delisted" });
  const after = judge({}, [delisted]);
  assert.deepEqual([after.changes, after.expiresMs.size], [[], 0]);
});

Deno.test("a future expires by its own time, whatever its exchange still says of it", () => {
  for (const isActive of [true, false]) {
    const { changes, gone } = judge({ [FUTURE]: listed({ isActive }) }, [known()]);
    assert.deepEqual([changes, gone], [[EXPIRED], []], `active: ${isActive}`);
  }
  const suspended = known({ untilMs: EXPIRES_MS - HOUR_MS, why: "suspended" });
  assert.deepEqual(judge({ [FUTURE]: listed({ isActive: false }) }, [suspended]).changes, [
    EXPIRED,
  ]);
});

Deno.test("a future that has expired stays so, and its exchange has the last word on when it does", () => {
  const expired = known({ untilMs: EXPIRES_MS, why: "expired" });
  assert.deepEqual(judge({}, [expired]).changes, []);
  assert.deepEqual(judge({ [FUTURE]: listed({ isActive: false }) }, [expired]).changes, []);
  const later = listed({ expiryMs: EXPIRES_MS + HOUR_MS });
  const [back] = judge({ [FUTURE]: later }, [expired]).changes;
  assert.deepEqual(back?.kind === "returns" && [back.symbol, back.isNew], [FUTURE, false]);
  const moved = judge({ [FUTURE]: later }, [known()], EXPIRES_MS - HOUR_MS);
  assert.deepEqual(moved.changes, [{ kind: "identified", symbol: FUTURE }]);
  assert.equal(moved.markets[0]?.expiresMs, EXPIRES_MS + HOUR_MS);
});

Deno.test("a future that was never seen and has expired begins and ends at once, so that its history is asked for and nothing else", () => {
  const { changes } = judge({ [FUTURE]: listed({ isActive: false }) }, []);
  assert.deepEqual(changes, [
    { kind: "begins", symbol: FUTURE, marketId: "BTCUSDT_240628" },
    EXPIRED,
  ]);
});

const CONTRACT = {
  ...{ base: "BTC", quote: "USDT", settle: "USDT", spot: false, linear: true, active: true },
};

Deno.test("only a dated future expires: not a perpetual with a delivery date, not an option", () => {
  const facts = (symbol: string, market: Partial<CcxtMarket>): MarketFacts | undefined =>
    marketList("binance", {
      markets: { [symbol]: { ...CONTRACT, id: "X", symbol, expiry: EXPIRES_MS, ...market } },
      markets_by_id: {},
    }).get(symbol);
  assert.equal(facts(FUTURE, { future: true })?.expiryMs, EXPIRES_MS);
  assert.equal(facts(FUTURE, { future: true, expiry: String(EXPIRES_MS) })?.expiryMs, EXPIRES_MS);
  for (
    const [symbol, market] of [
      ["BTC/USDT:USDT", { swap: true, future: false }],
      // As a class may call it that is told of a delivery.
      ["BTC/USDT:USDT", { future: true }],
      ["BTC/USDT:USDT-240628-60000-C", { option: true, future: false }],
      [FUTURE, { future: true, expiry: undefined }],
      [FUTURE, { future: true, expiry: "soon" }],
    ] as const
  ) assert.equal(facts(symbol, market)?.expiryMs, undefined, symbol);
});

Deno.test("the market of an expired future is as another contract that is settled alike, with its own id", () => {
  const perpetual: CcxtMarket = { ...CONTRACT, id: "BTCUSDT", symbol: "BTC/USDT:USDT", swap: true };
  const next = { ...CONTRACT, id: "ETHUSDT_240927", symbol: "ETH/USDT:USDT-240927", future: true };
  const inverse = {
    ...CONTRACT,
    ...{ id: "BTCUSD_PERP", symbol: "BTC/USD:BTC", quote: "USD", settle: "BTC" },
    ...{ linear: false, inverse: true },
  };
  const markets = { a: inverse, b: { ...next, base: "ETH" }, c: perpetual };
  const [made, ...others] = expiredMarket({ markets }, known({ contractSize: 0.001 }));
  assert.deepEqual(others, []);
  const { id, symbol, base, future, active, contractSize } = made ?? perpetual;
  assert.deepEqual({ id, symbol, base, future, active, contractSize }, {
    ...{ id: "BTCUSDT_240628", symbol: FUTURE, base: "BTC" },
    ...{ future: true, active: false, contractSize: 0.001 },
  });
  assert.deepEqual(expiredMarket({ markets: { a: inverse } }, known()), []);
  assert.deepEqual(expiredMarket({ markets }, known({ marketId: undefined })), []);
});
