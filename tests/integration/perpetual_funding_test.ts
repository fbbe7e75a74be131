/** Funding rates of Binance, Bybit, OKX and Gate, read by the real classes from exchanges that often fail. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { fetchFunding, type FundingReport } from "../../lib/fetch/funding.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { Random } from "../faults/random.ts";
import type { ContractExchange } from "../support/dialects/contract_markets.ts";
import { addRandomFaults } from "../support/local_exchange/random_faults.ts";
import {
  DAY_MS,
  HOUR_MS,
  type PerpetualArchive,
  type PerpetualScene,
  withPerpetuals,
} from "../support/perpetual_scene.ts";
import { fundingProblems } from "../support/perpetual_truth.ts";
import { START_MS } from "../support/test_clock.ts";

const EXCHANGES: readonly ContractExchange[] = ["binance", "bybit", "okx", "gate"];

/** Less than OKX keeps. */
const TERM = { sinceMs: START_MS - 60 * DAY_MS + HOUR_MS, untilMs: START_MS };

for (const [at, id] of EXCHANGES.entries()) {
  Deno.test(`${id}: rates of every interval are whole through one fault in three answers, and no page is asked for again`, async () => {
    await withPerpetuals(id, async (scene) => {
      const archive = await scene.open({ "1d": "60d" });
      await loadMarkets(archive);
      const random = new Random(3_000 + at);
      const struck = addRandomFaults(scene.exchange.faults, {
        share: 0.33,
        random: () => random.next(),
      });
      await fetchAll(archive);
      assert(struck() >= 1, `${struck()} faults`);
      scene.exchange.faults.clear();
      assert.deepEqual(await problemsOf(scene), []);
      const before = asked(scene);
      const report = await fetchAll(archive);
      assert.deepEqual([report.left, report.problems, asked(scene)], [0, [], before]);
      const gaps = await scene.database.sql`select symbol, state from funding_gaps`;
      assert.deepEqual(gaps.map((gap) => ({ ...gap })), []);
    });
  });

  Deno.test(`${id}: rates that come late, or not in the first answer, are not told to be missing for good`, async () => {
    await withPerpetuals(id, async (scene) => {
      const { exchange, clock, perpetuals } = scene;
      const archive = await scene.open({ "1d": "60d" });
      await loadMarkets(archive);
      const holeMs = Math.floor((clock.now() - 9 * DAY_MS) / DAY_MS) * DAY_MS;
      const hole = exchange.faults.add({
        when: { about: "funding" },
        times: perpetuals.length,
        fault: { kind: "holes", sinceMs: holeMs, untilMs: holeMs + 9 * HOUR_MS },
      });
      await fetchAll(archive);
      hole.remove();
      await fetchAll(archive);
      assert.deepEqual(await problemsOf(scene), []);
    });
  });
}

for (const id of EXCHANGES) {
  Deno.test(`${id}: an interval that became shorter, or longer, leaves no hole behind (freqtrade#12583)`, async () => {
    await withPerpetuals(id, async (scene) => {
      const { exchange, clock, database: { sql } } = scene;
      const changedMs = Math.floor(START_MS / DAY_MS) * DAY_MS - 11 * DAY_MS;
      const hours = { "BTC/USDT:USDT": [8, 4], "BTC/USD:BTC": [8, 1], "ETH/USDT:USDT": [1, 8] };
      for (const [symbol, [before = 0, now = 0]] of Object.entries(hours)) {
        const market = exchange.symbols.all().find((one) => one.symbol === symbol);
        assert(market?.contract !== undefined);
        const fundingBefore = { untilMs: changedMs, everyMs: before * HOUR_MS };
        const contract = { ...market.contract, fundingMs: now * HOUR_MS, fundingBefore };
        exchange.symbols.list({ ...market, contract });
      }
      const archive = await scene.open({ "1d": "60d" });
      await loadMarkets(archive);
      await fetchAll(archive);
      assert.deepEqual(await problemsOf(scene), []);
      clock.pass(2 * DAY_MS);
      const report = await fetchAll(archive);
      assert.deepEqual([report.left, report.problems], [0, []]);
      assert.deepEqual(await problemsOf(scene, { ...TERM, untilMs: START_MS + 2 * DAY_MS }), []);
      const gaps = await sql`select symbol, since, until, missing, state from funding_gaps`;
      assert.deepEqual(gaps.map((gap) => ({ ...gap })), []);
    });
  });
}

/** Which part of a whole answer is left where an exchange gives fewer rates than it did, and says nothing. */
const CUT: Readonly<Record<ContractExchange, "short_page" | "moved_start">> = {
  binance: "short_page",
  bybit: "moved_start",
  okx: "moved_start",
  gate: "moved_start",
};

for (const id of EXCHANGES) {
  Deno.test(`${id}: a limit that is lowered without a word costs requests, and no rate (ccxt#24275)`, async () => {
    await withPerpetuals(id, async (scene) => {
      const { exchange: { faults }, clock } = scene;
      const archive = await scene.open({ "1d": "60d" });
      await loadMarkets(archive);
      faults.add({ when: { about: "funding" }, fault: { kind: CUT[id], rows: 90 } });
      const report = await fetchAll(archive);
      assert.deepEqual([report.left, report.problems], [0, []]);
      assert.deepEqual(await problemsOf(scene), []);
      clock.pass(3 * DAY_MS);
      await fetchAll(archive);
      assert.deepEqual(await problemsOf(scene, { ...TERM, untilMs: START_MS + 3 * DAY_MS }), []);
    });
  });
}

Deno.test("okx: what is older than three months is told to be gone, not to have been before the listing", async () => {
  await withPerpetuals("okx", async (scene) => {
    const archive = await scene.open({ "1d": "200d" });
    await loadMarkets(archive);
    // Candles tell that the perpetuals were traded.
    await backfill(archive, { patient: false });
    const report = await fetchAll(archive);
    assert.deepEqual([report.left, report.problems], [0, []]);
    assert.deepEqual(await problemsOf(scene), []);
    const gaps = await scene.database.sql`
      select symbol, state, until > ${new Date(
      START_MS - 93 * DAY_MS,
    )} as reaches from funding_gaps order by symbol`;
    assert.deepEqual(
      gaps.map((gap) => ({ ...gap })),
      scene.perpetuals.toSorted().map((symbol) => ({ symbol, state: "retention", reaches: true })),
    );
  });
});

async function loadMarkets(archive: PerpetualArchive): Promise<void> {
  for (const exchange of archive.exchanges) await refreshMarkets(archive, exchange);
}

/** Some runs, as polls make them. Returns what the last one says. */
async function fetchAll(archive: PerpetualArchive): Promise<FundingReport> {
  let report: FundingReport | undefined;
  for (let run = 0; run < 6; run++) [report] = await fetchFunding(archive);
  assert(report !== undefined);
  return report;
}

async function problemsOf(scene: PerpetualScene, window = TERM): Promise<string[]> {
  const problems: string[] = [];
  for (const symbol of scene.perpetuals) {
    problems.push(...await fundingProblems(scene, symbol, window));
  }
  return problems;
}

function asked({ exchange: { requests } }: PerpetualScene): number {
  return requests.filter(({ path }) => /funding/i.test(path)).length;
}
