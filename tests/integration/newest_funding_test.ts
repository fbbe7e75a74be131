/** Funding rates of a class that tells only where a window ends, so that the newest before that come: dYdX's. @module */
import assert from "node:assert/strict";
import { fetchFunding } from "../../lib/fetch/funding.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { readFundingGaps } from "../../lib/store/funding_ledger.ts";
import { readFundingPage } from "../../lib/store/funding_rates.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const HOUR_MS = 3_600_000;
const SYMBOL = "BTC/USDC:USDC";
const RATES = 500;

/** As the indexer's documentation shows. */
const MARKET = {
  clobPairId: "0",
  ticker: "BTC-USD",
  status: "ACTIVE",
  oraclePrice: "118976.5376",
  atomicResolution: -10,
  quantumConversionExponent: -9,
  tickSize: "1",
  stepSize: "0.0001",
  stepBaseQuantums: 1_000_000,
  subticksPerTick: 100_000,
  marketType: "CROSS",
};

/** One every hour up to the start of the clock, newest first. */
const TIMES = Array.from(
  { length: RATES },
  (_, at) => Math.floor(START_MS / HOUR_MS) * HOUR_MS - (at + 1) * HOUR_MS + 13,
);

function answer(request: Request, isEndHeard: boolean): Response {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname.endsWith("/perpetualMarkets")) {
    return Response.json({ markets: { "BTC-USD": MARKET } });
  }
  if (!pathname.endsWith("/historicalFunding/BTC-USD")) return new Response(null, { status: 404 });
  const endMs = isEndHeard ? Date.parse(searchParams.get("effectiveBeforeOrAt") ?? "") : Infinity;
  const times = TIMES.filter((ms) => ms <= endMs).slice(0, Number(searchParams.get("limit")));
  return Response.json({
    historicalFunding: times.map((ms) => ({
      ticker: "BTC-USD",
      rate: "0.0000125",
      price: "116302.62419",
      effectiveAtHeight: "44865196",
      effectiveAt: new Date(ms).toISOString(),
    })),
  });
}

interface Fetched {
  readonly left: number | undefined;
  readonly problems: readonly string[] | undefined;
  readonly times: readonly number[];
  readonly states: readonly string[];
  readonly requests: number;
}

async function fetchAll(isEndHeard: boolean): Promise<Fetched> {
  let requests = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    if (request.url.includes("historicalFunding")) requests++;
    return answer(request, isEndHeard);
  });
  const { database, drop } = await openAnyTest();
  try {
    await emptyDatabase(database);
    const archive = await openTestArchive(database, {
      EXCHANGES: "dydx",
      SYMBOLS: SYMBOL,
      TIMEFRAMES: "1d",
      BACKFILL: "1d:60d",
      EXCHANGE_DYDX: JSON.stringify({
        rateLimit: 1,
        urls: { api: { indexer: `http://127.0.0.1:${server.addr.port}/v4` } },
      }),
    }, new TestClock());
    await refreshMarkets(archive, archive.exchanges[0]!);
    const [report] = await fetchFunding(archive);
    const asked = requests;
    await fetchFunding(archive);
    assert.equal(requests, asked, "nothing is owed");
    const stored = await readFundingPage(database, { exchange: "dydx", symbol: SYMBOL }, {
      ...{ sinceMs: 0, untilMs: START_MS, rowsMax: 10_000 },
    });
    return {
      left: report?.left,
      problems: report?.problems,
      times: stored.map(({ timeMs }) => timeMs),
      states: (await readFundingGaps(database, { gapsMax: 5 })).map(({ state }) => state),
      requests,
    };
  } finally {
    await server.shutdown();
    await drop();
  }
}

Deno.test("an answer with the newest rates does not say that there are no older ones", async () => {
  const { left, problems, times, states } = await fetchAll(true);
  assert.deepEqual([left, problems, states], [0, [], ["before_listing"]]);
  assert.deepEqual(times, TIMES.toReversed());
});

Deno.test("an exchange that gives the newest rates whatever it is asked for is asked once more, and not for ever", async () => {
  const { left, times, requests } = await fetchAll(false);
  assert.deepEqual([left, times.length, requests], [0, 100, 2]);
});
