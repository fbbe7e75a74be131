/** Funding rates of a class whose answers are numbered, newest first, and have no start: MEXC's. */
import assert from "node:assert/strict";
import { fetchFunding } from "../../lib/fetch/funding.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readFundingCheckpoints, readFundingGaps } from "../../lib/store/funding_ledger.ts";
import { readFundingPage } from "../../lib/store/funding_rates.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const SYMBOL = "BTC/USDT:USDT";
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

interface Rate {
  readonly timeMs: number;
  readonly rate: string;
}

interface Mexc {
  readonly url: string;
  /** The numbers of the pages that were asked for. */
  readonly pages: number[];
}

/** Answers as MEXC's documentation of contracts shows; `rates` are the newest first. */
async function withMexc(
  rates: () => readonly Rate[],
  use: (mexc: Mexc) => Promise<void>,
  { isNumbered = true }: { readonly isNumbered?: boolean } = {},
): Promise<void> {
  const pages: number[] = [];
  const history = (query: URLSearchParams): unknown => {
    const [page, size] = [Number(query.get("page_num")), Number(query.get("page_size"))];
    pages.push(page);
    const from = isNumbered ? (page - 1) * size : 0;
    const all = rates();
    return {
      pageSize: size,
      totalCount: all.length,
      totalPage: Math.ceil(all.length / size),
      currentPage: page,
      resultList: all.slice(from, from + size).map(({ timeMs, rate }) => ({
        symbol: query.get("symbol"),
        fundingRate: Number(rate),
        settleTime: timeMs,
      })),
    };
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const data = pathname.endsWith("/detail")
      ? [CONTRACT]
      : pathname.endsWith("/funding_rate/history")
      ? history(searchParams)
      : undefined;
    return data === undefined
      ? new Response(null, { status: 404 })
      : Response.json({ success: true, code: 0, data });
  });
  try {
    await use({ url: `http://127.0.0.1:${server.addr.port}`, pages });
  } finally {
    await server.shutdown();
  }
}

const CONTRACT = {
  symbol: "BTC_USDT",
  baseCoin: "BTC",
  quoteCoin: "USDT",
  settleCoin: "USDT",
  contractSize: 0.0001,
  priceUnit: 0.1,
  volUnit: 1,
  minVol: 1,
  maxVol: 1_000_000,
  state: 0,
};

async function withArchive(
  mexc: Mexc,
  clock: TestClock,
  use: (
    fetched: () => ReturnType<typeof fetchFunding>,
    database: Database,
  ) => Promise<void>,
): Promise<void> {
  const opened = await openAnyTest();
  try {
    await emptyDatabase(opened.database);
    const archive = await openTestArchive(opened.database, {
      EXCHANGES: "mexc",
      SYMBOLS: SYMBOL,
      TIMEFRAMES: "1d",
      BACKFILL: "1d:200d",
      EXCHANGE_MEXC: JSON.stringify({
        rateLimit: 1,
        urls: { api: { contract: { public: `${mexc.url}/api/v1/contract` } } },
      }),
    }, clock);
    await refreshMarkets(archive, archive.exchanges[0]!);
    await use(() => fetchFunding(archive), opened.database);
  } finally {
    await opened.drop();
  }
}

/** One every eight hours, newest first, since `days` before. */
function ratesOf(clock: TestClock, days: number): readonly Rate[] {
  const lastMs = Math.floor(clock.now() / (8 * HOUR_MS)) * 8 * HOUR_MS;
  return Array.from({ length: days * 3 }, (_, at) => ({
    timeMs: lastMs - at * 8 * HOUR_MS,
    // As JSON writes small numbers: 1e-7.
    rate: at % 7 === 0 ? "1e-7" : String((at % 11 - 5) / 10_000),
  }));
}

async function stored(database: Database): Promise<readonly Rate[]> {
  return await readFundingPage(database, { exchange: "mexc", symbol: SYMBOL }, {
    sinceMs: 0,
    untilMs: Number.MAX_SAFE_INTEGER / 1_000,
  });
}

Deno.test("numbered answers are walked through to the first rate, and then only the newest is asked", async () => {
  const clock = new TestClock();
  await withMexc(
    () => ratesOf(clock, 150),
    (mexc) =>
      withArchive(mexc, clock, async (fetched, database) => {
        const [report] = await fetched();
        assert.deepEqual([report?.problems, report?.left, report?.added], [[], 0, 450]);
        const truth = ratesOf(clock, 150).toReversed();
        assert.deepEqual(
          (await stored(database)).map(({ timeMs, rate }) => [timeMs, Number(rate)]),
          truth.map(({ timeMs, rate }) => [timeMs, Number(rate)]),
        );
        const [first] = await readFundingGaps(database, { gapsMax: 5 });
        assert.equal(first?.state, "before_listing");
        const before = mexc.pages.length;
        await fetched();
        assert.equal(mexc.pages.length, before, "nothing is owed");
        clock.pass(2 * DAY_MS);
        const [later] = await fetched();
        assert.equal(later?.added, 6);
        assert.deepEqual(mexc.pages.slice(before), [1]);
      }),
  );
});

Deno.test("an exchange that gives the same page for every number is not asked for ever, and claims nothing older", async () => {
  const clock = new TestClock();
  await withMexc(
    () => ratesOf(clock, 150),
    (mexc) =>
      withArchive(mexc, clock, async (fetched, database) => {
        const [report] = await fetched();
        assert.equal(report?.added, 100);
        assert.deepEqual(mexc.pages, [1, 2]);
        const [ledger] = await readFundingCheckpoints(database);
        const firstMs = (await stored(database))[0]!.timeMs;
        assert.equal(ledger?.covered[0]?.sinceMs, firstMs, "nothing before it is covered");
        assert.equal(report?.left, 0, "nothing older can be had");
      }),
    { isNumbered: false },
  );
});
