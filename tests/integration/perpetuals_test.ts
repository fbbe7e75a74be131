/** A month of markets of every kind, of their other prices and of funding, from exchanges that often fail. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { fetchFunding } from "../../lib/fetch/funding.ts";
import { fundingJobs } from "../../lib/fetch/funding_job.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { Random } from "../faults/random.ts";
import type { ContractExchange } from "../support/dialects/contract_markets.ts";
import type { FaultRule } from "../support/local_exchange/fault.ts";
import { addRandomFaults } from "../support/local_exchange/random_faults.ts";
import {
  candleProblems,
  DAY_MS,
  fundingProblems,
  HOUR_MS,
  type PerpetualScene,
  withPerpetuals,
} from "../support/perpetual_scene.ts";
import { START_MS } from "../support/test_clock.ts";

const EXCHANGES: readonly ContractExchange[] = ["binance", "bybit", "okx", "gate"];

/** Up to what may not be final yet. */
const UNTIL_MS = hourOf(START_MS);
const MONTH = { sinceMs: hourOf(START_MS - 30 * DAY_MS) + HOUR_MS, untilMs: UNTIL_MS };
const DAYS = { sinceMs: hourOf(START_MS - 2 * DAY_MS) + HOUR_MS, untilMs: UNTIL_MS };

type Archive = Awaited<ReturnType<PerpetualScene["open"]>>;

for (const [at, id] of EXCHANGES.entries()) {
  Deno.test(`${id}: a month of every kind and price comes whole through three faults in a hundred answers`, async () => {
    await withPerpetuals(id, async (scene) => {
      const random = new Random(2_000 + at);
      const struck = addRandomFaults(scene.exchange.faults, {
        share: 0.03,
        random: () => random.next(),
      });
      // Small pages, so that there are many answers.
      const archive = await scene.open({ "1h": "30d", "1m": "2d" }, { PAGE_LIMIT: "90" });
      await archiveAll(scene, archive);
      assert(struck() >= 8, `${struck()} faults`);
      assert.deepEqual(await problemsOf(scene, { "1h": MONTH, "1m": DAYS }), []);
    });
  });

  Deno.test(`${id}: pages as large as each kind and price gives leave nothing out`, async () => {
    await withPerpetuals(id, async (scene) => {
      const archive = await scene.open({ "1h": "30d", "1m": "2d" });
      const [report] = await backfill(archive, { patient: false });
      assert.deepEqual(report?.problems, []);
      await archiveAll(scene, archive);
      assert.deepEqual(await problemsOf(scene, { "1h": MONTH, "1m": DAYS }), []);
    });
  });
}

for (const [at, id] of EXCHANGES.entries()) {
  Deno.test(`${id}: pages that are smaller than they were cost requests, and no candle`, async () => {
    await withPerpetuals(id, async (scene) => {
      // As each keeps the oldest or the newest of what is asked for.
      const kind = id === "okx" ? "moved_start" : "short_page";
      scene.exchange.faults.add({ when: { about: "candles" }, fault: { kind, rows: 70 } });
      await archiveAll(scene, await scene.open({ "1h": "30d" }));
      assert.deepEqual(await problemsOf(scene, { "1h": MONTH }), []);
    });
  });

  Deno.test(`${id}: a day of polls of every kind, price and rate is whole through three faults in a hundred answers`, async () => {
    await withPerpetuals(id, async (scene) => {
      const { exchange, clock } = scene;
      const archive = await scene.open({ "1h": "2d" });
      await archiveAll(scene, archive, { repairs: 0 });
      const poll = new Poll(archive);
      const [funding, history] = fundingJobs(archive, { onOwed: () => {} });
      const { signal } = new AbortController();
      await history?.runOnce(signal);
      const random = new Random(4_000 + at);
      addRandomFaults(exchange.faults, { share: 0.03, random: () => random.next() });
      const sinceMs = clock.now();
      let added = 0;
      for (let hour = 0; hour < 24; hour++) {
        clock.pass(sinceMs + (hour + 1) * HOUR_MS - clock.now());
        added += (await poll.runOnce({ signal })).added;
        await funding?.runOnce(signal);
      }
      assert(added > 20 * scene.symbols.length, `${added} candles by polls`);
      exchange.faults.clear();
      await history?.runOnce(signal);
      await archiveAll(scene, archive);
      const window = { sinceMs: hourOf(sinceMs - DAY_MS), untilMs: hourOf(sinceMs) + DAY_MS };
      assert.deepEqual(await problemsOf(scene, { "1h": window }), []);
    });
  });
}

/** What is refused, of which exchange, and which series it takes along. */
const REFUSED: readonly {
  readonly what: string;
  readonly id: ContractExchange;
  readonly faults: readonly FaultRule[];
  readonly isLost: (symbol: string) => boolean;
  /** What the report says, of each series that is lost. */
  readonly told: RegExp;
}[] = [
  {
    what: "a host that refuses the country",
    id: "binance",
    faults: [{
      when: { host: "fapi.binance.com" },
      fault: {
        kind: "status",
        status: 451,
        body: JSON.stringify({
          code: 0,
          msg: "Service unavailable from a restricted location according to 'b. Eligibility'.",
        }),
      },
    }],
    isLost: (symbol) => symbol.includes(":USDT"),
    told: /linear markets.*restricted location/s,
  },
  {
    what: "a category that is answered with an error and status 200",
    id: "bybit",
    faults: [
      "instruments-info",
      "kline",
      "mark-price-kline",
      "index-price-kline",
      "funding/history",
    ].map((endpoint): FaultRule => ({
      when: { path: `inverse/${endpoint}` },
      fault: {
        kind: "status",
        status: 200,
        body: JSON.stringify({
          retCode: 10001,
          retMsg: "params error: Category is invalid",
          result: {},
          retExtInfo: {},
          time: START_MS,
        }),
      },
    })),
    isLost: (symbol) => /:(?!USDT)/.test(symbol),
    told: /inverse markets.*Category is invalid/s,
  },
];

for (const { what, id, faults, isLost, told } of REFUSED) {
  Deno.test(`${id}: ${what} leaves the other kinds complete, and is told of by its name`, async () => {
    await withPerpetuals(id, async (scene) => {
      for (const rule of faults) scene.exchange.faults.add(rule);
      const archive = await scene.open({ "1h": "30d" });
      const [report] = await backfill(archive, { patient: false });
      assert(report !== undefined);
      const lost = scene.symbols.filter(isLost);
      assert(lost.length >= 4 && lost.length < scene.symbols.length);
      assertTold(report, { lost, told });
      await archiveAll(scene, archive);
      const { database: { sql } } = scene;
      const [row] = await sql`select count(*)::int as n from ohlcv where symbol in ${sql(lost)}`;
      const [rates] = await sql`select count(*)::int as n from funding_rates where symbol in ${
        sql(lost)
      }`;
      assert.deepEqual([row?.["n"], rates?.["n"]], [0, 0]);
      const others = partOf(scene, (symbol) => !isLost(symbol));
      assert.deepEqual(await problemsOf(others, { "1h": MONTH }), []);
    });
  });

  Deno.test(`${id}: ${what}, once markets were loaded, stops no other kind either`, async () => {
    await withPerpetuals(id, async (scene) => {
      const archive = await scene.open({ "1h": "30d" });
      for (const exchange of archive.exchanges) await refreshMarkets(archive, exchange);
      for (const rule of faults) scene.exchange.faults.add(rule);
      await archiveAll(scene, archive);
      const others = partOf(scene, (symbol) => !isLost(symbol));
      assert.deepEqual(await problemsOf(others, { "1h": MONTH }), []);
      const refused = partOf(scene, isLost);
      const problems = await problemsOf(refused, { "1h": MONTH });
      const expected = refused.symbols.flatMap((symbol) => {
        const { length } = scene.exchange.truth(symbol, parseTimeframe("1h"), MONTH);
        return [`${symbol} 1h: ${length} missing`, `${symbol} 1h: 719 owed`];
      });
      expected.push(...refused.perpetuals.map((symbol) => {
        const { length } = scene.exchange.funding(symbol, MONTH);
        return `${symbol} funding: ${length} of ${length} lost, 0 wrong`;
      }));
      assert.deepEqual(problems, expected, "what is refused is owed, and never told to be empty");
      scene.exchange.faults.clear();
      // Days have passed.
      await archiveAll(scene, await scene.open({ "1h": "34d" }));
      assert.deepEqual(await problemsOf(scene, { "1h": MONTH }), []);
    });
  });
}

/** Every lost series is named in what a backfill reports, and the kind that is refused. */
function assertTold(
  { problems, unloaded }: BackfillReport,
  { lost, told }: { readonly lost: readonly string[]; readonly told: RegExp },
): void {
  const text = [...problems, ...unloaded ?? []].join("\n");
  assert.match(text, told);
  for (const symbol of lost) assert(text.includes(`${symbol}`), `${symbol} is not in:\n${text}`);
}

/** Backfills and repairs, as a daemon's jobs would in some days. */
async function archiveAll(
  { clock }: PerpetualScene,
  archive: Archive,
  { repairs = 12 }: { readonly repairs?: number } = {},
): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await backfill(archive, { patient: false });
    await fetchFunding(archive);
  }
  for (let round = 0; round < repairs; round++) {
    await repairGaps(archive);
    clock.pass(3 * HOUR_MS);
  }
}

async function problemsOf(
  scene: PerpetualScene,
  windows: Readonly<Record<string, { readonly sinceMs: number; readonly untilMs: number }>>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const [timeframe, window] of Object.entries(windows)) {
    for (const symbol of scene.symbols) {
      problems.push(...await candleProblems(scene, { symbol, timeframe, window }));
    }
  }
  const [window] = Object.values(windows);
  for (const symbol of scene.perpetuals) {
    if (window !== undefined) problems.push(...await fundingProblems(scene, symbol, window));
  }
  return problems;
}

/** The part of a scene whose symbols are as `isIn` says. */
function partOf(scene: PerpetualScene, isIn: (symbol: string) => boolean): PerpetualScene {
  const { symbols, perpetuals } = scene;
  return { ...scene, symbols: symbols.filter(isIn), perpetuals: perpetuals.filter(isIn) };
}

function hourOf(timeMs: number): number {
  return Math.floor(timeMs / HOUR_MS) * HOUR_MS;
}
