/** A month of markets of every kind, of their other prices and of funding, from exchanges that often fail. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { Random } from "../faults/random.ts";
import type { ContractExchange } from "../support/dialects/contract_markets.ts";
import type { FaultRule } from "../support/local_exchange/fault.ts";
import { addRandomFaults } from "../support/local_exchange/random_faults.ts";
import {
  candleProblems,
  DAY_MS,
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
      assert.equal(row?.["n"], 0);
      const others = { ...scene, symbols: scene.symbols.filter((symbol) => !isLost(symbol)) };
      assert.deepEqual(await problemsOf(others, { "1h": MONTH }), []);
    });
  });

  Deno.test(`${id}: ${what}, once markets were loaded, stops no other kind either`, async () => {
    await withPerpetuals(id, async (scene) => {
      const archive = await scene.open({ "1h": "30d" });
      for (const exchange of archive.exchanges) await refreshMarkets(archive, exchange);
      for (const rule of faults) scene.exchange.faults.add(rule);
      await archiveAll(scene, archive);
      const others = { ...scene, symbols: scene.symbols.filter((symbol) => !isLost(symbol)) };
      assert.deepEqual(await problemsOf(others, { "1h": MONTH }), []);
      const refused = { ...scene, symbols: scene.symbols.filter(isLost) };
      const problems = await problemsOf(refused, { "1h": MONTH });
      const expected = refused.symbols.flatMap((symbol) => {
        const { length } = scene.exchange.truth(symbol, parseTimeframe("1h"), MONTH);
        return [`${symbol} 1h: ${length} missing`, `${symbol} 1h: 719 owed`];
      });
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
async function archiveAll({ clock }: PerpetualScene, archive: Archive): Promise<void> {
  for (let round = 0; round < 4; round++) await backfill(archive, { patient: false });
  for (let round = 0; round < 12; round++) {
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
  return problems;
}

function hourOf(timeMs: number): number {
  return Math.floor(timeMs / HOUR_MS) * HOUR_MS;
}
