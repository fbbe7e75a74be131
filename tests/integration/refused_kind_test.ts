/** A kind of markets, or a price, that an exchange refuses leaves the others complete, and is told of by its name. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { ContractExchange } from "../support/dialects/contract_markets.ts";
import type { FaultRule } from "../support/local_exchange/fault.ts";
import {
  archiveAll,
  DAY_MS,
  HOUR_MS,
  hourOf,
  partOf,
  withPerpetuals,
} from "../support/perpetual_scene.ts";
import { problemsOf } from "../support/perpetual_truth.ts";
import { START_MS } from "../support/test_clock.ts";

/** Up to what may not be final yet. */
const MONTH = { sinceMs: hourOf(START_MS - 30 * DAY_MS) + HOUR_MS, untilMs: hourOf(START_MS) };

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
  {
    what: "an endpoint of mark prices that is refused",
    id: "okx",
    faults: ["", "history-"].map((part): FaultRule => ({
      when: { path: `market/${part}mark-price-candles` },
      fault: {
        kind: "status",
        status: 403,
        body: "<html><body><h1>403 Forbidden</h1>The request could not be satisfied</body></html>",
      },
    })),
    isLost: (symbol) => symbol.endsWith("@mark"),
    told: /@mark 1h: access is refused/,
  },
];

for (const { what, id, faults, isLost, told } of REFUSED) {
  Deno.test(`${id}: ${what} leaves the others complete, and is told of by its name`, async () => {
    await withPerpetuals(id, async (scene) => {
      for (const rule of faults) scene.exchange.faults.add(rule);
      const archive = await scene.open({ "1h": "30d" });
      const [report] = await backfill(archive, { patient: false });
      assert(report !== undefined);
      const lost = scene.symbols.filter(isLost);
      assert(lost.length >= 2 && lost.length < scene.symbols.length);
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

  Deno.test(`${id}: ${what}, once markets were loaded, stops no others either`, async () => {
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
