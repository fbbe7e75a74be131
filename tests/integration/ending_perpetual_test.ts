/** A perpetual of KuCoin that will be delisted, which CCXT takes for a dated future from then on. */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { fetchFunding } from "../../lib/fetch/funding.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const SYMBOL = "OMNI/USDT:USDT";
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** As KuCoin's document of `GET /api/v1/contracts/active` has it. */
const CONTRACT = {
  ...{ symbol: "OMNIUSDTM", rootSymbol: "USDT", type: "FFWCSX", firstOpenDate: 1_585_555_200_000 },
  ...{ expireDate: null, settleDate: null, baseCurrency: "OMNI", quoteCurrency: "USDT" },
  ...{ settleCurrency: "USDT", maxOrderQty: 1_000_000, maxPrice: 1_000_000.0, lotSize: 1 },
  ...{ tickSize: 0.1, multiplier: 0.1, isQuanto: true, isInverse: false, status: "Open" },
  ...{ nextFundingRateTime: 25_481_884, maxLeverage: 100 },
};

/** One of those that end: its type says so. */
const FUTURE = {
  ...{ ...CONTRACT, symbol: "XBTMH24", type: "FFICSX", baseCurrency: "XBT", quoteCurrency: "USD" },
  ...{ settleCurrency: "XBT", isInverse: true, nextFundingRateTime: null },
  expireDate: Date.UTC(2024, 2, 29, 8),
};

/** The answer to a request; undefined if KuCoin has no such endpoint here. */
function answerOf({ pathname, searchParams }: URL, contracts: readonly object[]): unknown {
  if (pathname === "/api/v1/contracts/active") return { code: "200000", data: contracts };
  const [from, to] = [Number(searchParams.get("from")), Number(searchParams.get("to"))];
  const times = (everyMs: number): readonly number[] => {
    const firstMs = Math.ceil(from / everyMs) * everyMs;
    const count = Math.max(0, Math.floor((to - firstMs) / everyMs) + 1);
    return Array.from({ length: count }, (_, at) => firstMs + at * everyMs);
  };
  if (pathname === "/api/v1/kline/query") {
    const data = times(DAY_MS).map((time) => [time, 60.1, 61.5, 59, 60.2, 78_051]);
    return { code: "200000", data };
  }
  if (pathname !== "/api/v1/contract/funding-rates") return undefined;
  const data = times(8 * HOUR_MS).map((timepoint) => ({
    ...{ symbol: "OMNIUSDTM", fundingRate: 2.26e-4, timepoint },
  }));
  return { code: "200000", data };
}

Deno.test("a perpetual that will be delisted gets candles and funding rates until its last day (ccxt#26849)", async () => {
  const clock = new TestClock();
  let contracts: readonly object[] = [CONTRACT, FUTURE];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const answer = answerOf(new URL(request.url), contracts);
    return answer === undefined ? new Response(null, { status: 404 }) : Response.json(answer);
  });
  const { database, drop } = await openAnyTest();
  try {
    await emptyDatabase(database);
    const url = `http://127.0.0.1:${server.addr.port}`;
    const archive = await openTestArchive(database, {
      EXCHANGES: "kucoin",
      SYMBOLS: `${SYMBOL},BTC/USD:BTC-240329`,
      TIMEFRAMES: "1d",
      BACKFILL: "1d:10d",
      EXCHANGE_KUCOIN: JSON.stringify({
        rateLimit: 1,
        urls: { api: { public: url, futuresPublic: url } },
      }),
    }, clock);
    const run = async (): Promise<unknown> => {
      const [report] = await backfill(archive, { patient: false });
      await fetchFunding(archive);
      const [candles] = await database.sql`
        select count(*)::int as count from ohlcv_1d where symbol = ${SYMBOL}`;
      const [rates] = await database.sql`
        select count(*)::int as count from funding_rates where symbol = ${SYMBOL}`;
      const futures = await database.sql`select from ohlcv_1d where symbol <> ${SYMBOL}`;
      return [report?.leftOut, candles?.["count"], rates?.["count"], futures.length > 0];
    };
    assert.deepEqual(await run(), [[], 10, 30, true]);
    // Told to end in a week.
    const expireDate = clock.now() + 7 * DAY_MS;
    contracts = [{ ...CONTRACT, expireDate, nextFundingRateTime: null }, FUTURE];
    clock.pass(2 * DAY_MS);
    assert.deepEqual(await run(), [[], 12, 36, true]);
    const listings = await database.sql`
      select symbol, market_id, until from listings where market_id = 'OMNIUSDTM'`;
    assert.deepEqual(listings.map((row) => ({ ...row })), [
      { symbol: SYMBOL, market_id: "OMNIUSDTM", until: null },
    ]);
  } finally {
    await drop();
    await server.shutdown();
  }
});
