/** Funding rates of classes that do not tell an exchange where a window ends, or that answer with everything. */
import assert from "node:assert/strict";
import { fetchFunding, type FundingReport } from "../../lib/fetch/funding.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import type { FundingRate } from "../../lib/market/funding_rate.ts";
import { readFundingGaps } from "../../lib/store/funding_ledger.ts";
import { readFundingPage } from "../../lib/store/funding_rates.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const HOUR_MS = 3_600_000;

/** An exchange as its documents have it: answers are the newest first. */
interface Voice {
  readonly id: string;
  readonly symbol: string;
  readonly market: { readonly path: string; readonly answer: unknown };
  readonly everyMs: number;
  /** Undefined: the request is for something else. */
  readonly history: (
    asked: { readonly path: string; readonly query: URLSearchParams },
    newestFirst: readonly FundingRate[],
  ) => unknown;
}

const WHITEBIT: Voice = {
  id: "whitebit",
  symbol: "BTC/USDT:USDT",
  everyMs: 8 * HOUR_MS,
  market: {
    path: "/api/v4/public/markets",
    answer: [{
      ...{ name: "BTC_PERP", stock: "BTC", money: "USDT", stockPrec: "3", moneyPrec: "1" },
      ...{ feePrec: "6", makerFee: "0.01", takerFee: "0.055", minAmount: "0.001", minTotal: "5" },
      ...{ tradesEnabled: true, type: "futures", isCollateral: true },
    }],
  },
  history: ({ path, query }, newestFirst) => {
    if (path !== "/api/v4/public/funding-history/BTC_PERP") return undefined;
    const since = Number(query.get("startDate") ?? 0) * 1_000;
    const until = Number(query.get("endDate") ?? Infinity) * 1_000;
    return newestFirst.filter(({ timeMs }) => timeMs >= since && timeMs <= until)
      .slice(0, Math.min(Number(query.get("limit") ?? 100), 100))
      .map(({ timeMs, rate }) => ({
        ...{ fundingTime: String(timeMs / 1_000), fundingRate: rate, market: "BTC_PERP" },
        ...{ settlementPrice: "65000", rateCalculatedTime: String(timeMs / 1_000 - 28_800) },
      }));
  },
};

const HTX: Voice = {
  id: "htx",
  symbol: "BTC/USDT:USDT",
  everyMs: 8 * HOUR_MS,
  market: {
    path: "/linear-swap-api/v1/swap_contract_info",
    answer: {
      status: "ok",
      data: [{
        ...{ symbol: "BTC", contract_code: "BTC-USDT", contract_size: 0.001, price_tick: 0.1 },
        ...{ delivery_date: "", delivery_time: "", create_date: "20201021", contract_status: 1 },
        ...{ support_margin_mode: "all", business_type: "swap", pair: "BTC-USDT" },
        ...{ contract_type: "swap", trade_partition: "USDT", settlement_date: "1730188800000" },
      }],
      ts: START_MS,
    },
  },
  history: ({ path, query }, newestFirst) => {
    if (path !== "/v5/market/funding_rate_history") return undefined;
    const limit = Number(query.get("limit"));
    if (limit > 100) return { code: 1067, message: "The limit field is invalid" };
    const since = Number(query.get("start_time") ?? 0);
    const until = Number(query.get("end_time") ?? Infinity);
    const data = newestFirst.filter(({ timeMs }) => timeMs >= since && timeMs <= until)
      .slice(0, limit).map(({ timeMs, rate }) => ({
        ...{ contract_code: "BTC-USDT", funding_rate: rate, funding_time: String(timeMs) },
        ...{ realized_rate: null, avg_premium_index: "0" },
      }));
    return { code: 200, message: "Success", data, ts: START_MS };
  },
};

const KRAKEN: Voice = {
  id: "krakenfutures",
  symbol: "BTC/USD:USD",
  everyMs: HOUR_MS,
  market: {
    path: "/derivatives/api/v3/instruments",
    answer: {
      result: "success",
      instruments: [{
        ...{ symbol: "PF_XBTUSD", type: "flexible_futures", tradeable: true, base: "BTC" },
        ...{ quote: "USD", pair: "BTC:USD", tickSize: 1, contractSize: 1, impactMidSize: 1 },
        ...{ openingDate: "2022-01-01T00:00:00.000Z", marginLevels: [], maxPositionSize: 1_000 },
        contractValueTradePrecision: 4,
      }],
      serverTime: "2024-03-15T12:00:00Z",
    },
  },
  history: ({ path }, newestFirst) =>
    /historical-?funding-?rates$/.test(path)
      ? {
        result: "success",
        rates: newestFirst.toReversed().map(({ timeMs, rate }) => ({
          timestamp: new Date(timeMs).toISOString(),
          fundingRate: Number(rate) * 60_000,
          ...(rate === "" ? {} : { relativeFundingRate: Number(rate) }),
        })),
      }
      : undefined,
};

for (const voice of [WHITEBIT, HTX]) {
  Deno.test(`${voice.id}: rates that are older than the newest answer are fetched, and not told to be gone`, async () => {
    const truth = ratesOf(voice, 150 * 3);
    const { report, stored, gaps } = await outcomeOf(voice, truth);
    assert.deepEqual([report?.problems, report?.left], [[], 0]);
    assert.deepEqual(stored, truth.toReversed());
    assert.deepEqual(gaps.map(({ window }) => window.untilMs), [truth.at(-1)?.timeMs]);
  });
}

Deno.test("krakenfutures: the whole history comes in one answer, and is asked for once", async () => {
  const truth = ratesOf(KRAKEN, 150 * 24);
  const { report, stored, requests } = await outcomeOf(KRAKEN, truth);
  assert.deepEqual([report?.problems, report?.left, requests], [[], 0, 1]);
  assert.equal(stored.length, truth.length);
});

Deno.test("a row that never becomes a rate costs its own moment, not the whole history", async () => {
  const oddMs = ratesOf(KRAKEN, 100).at(-1)!.timeMs;
  const truth = ratesOf(KRAKEN, 1_000);
  const told = truth.map((one) => one.timeMs === oddMs ? { ...one, rate: "" } : one);
  const { report, stored, gaps } = await outcomeOf(KRAKEN, told);
  assert.deepEqual([report?.problems, report?.left], [[], 0]);
  assert.equal(stored.length, truth.length - 1);
  const hole = gaps.find(({ window }) => window.sinceMs > truth.at(-1)!.timeMs);
  assert.deepEqual([hole?.missing, hole?.state], [1, "empty"]);
  assert(hole !== undefined && hole.window.sinceMs < oddMs && hole.window.untilMs > oddMs);
});

/** Newest first. */
function ratesOf({ everyMs }: Voice, count: number): readonly FundingRate[] {
  const lastMs = Math.floor(START_MS / everyMs) * everyMs;
  return Array.from({ length: count }, (_, at) => ({
    timeMs: lastMs - at * everyMs,
    rate: String((at % 11 - 5) / 10_000),
  }));
}

interface Outcome {
  readonly report: FundingReport | undefined;
  readonly stored: readonly FundingRate[];
  readonly gaps: Awaited<ReturnType<typeof readFundingGaps>>;
  /** How often rates were asked for. */
  readonly requests: number;
}

/** What one run leaves behind. */
async function outcomeOf(voice: Voice, newestFirst: readonly FundingRate[]): Promise<Outcome> {
  const { id, symbol, market, history } = voice;
  let requests = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    // CCXT puts the address that it means behind the proxy's.
    const { pathname, search } = new URL(request.url);
    const meant = decodeURIComponent(pathname.length > 1 ? pathname + search : search);
    const { pathname: path, searchParams: query } = new URL(meant.replace(/^[/?]+/, ""));
    if (path === market.path) return Response.json(market.answer);
    const answer = history({ path, query }, newestFirst);
    if (answer === undefined) return new Response(null, { status: 404 });
    requests++;
    return Response.json(answer);
  });
  const { database, drop } = await openAnyTest();
  try {
    await emptyDatabase(database);
    const proxyUrl = `http://127.0.0.1:${server.addr.port}/`;
    const archive = await openTestArchive(database, {
      EXCHANGES: id,
      SYMBOLS: symbol,
      TIMEFRAMES: "1d",
      BACKFILL: "1d:200d",
      [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify({ rateLimit: 1, proxyUrl }),
    }, new TestClock());
    for (const exchange of archive.exchanges) await refreshMarkets(archive, exchange);
    const [report] = await fetchFunding(archive);
    const span = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER / 1_000 };
    const stored = await readFundingPage(database, { exchange: id, symbol }, span);
    const gaps = await readFundingGaps(database, { gapsMax: 5 });
    return { report, stored, gaps, requests };
  } finally {
    await drop();
    await server.shutdown();
  }
}
