/** Days of two years of every kind of market: each is asked for in pages as long as its endpoint answers, and is whole. */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { marketClassOf } from "../../lib/market/market_class.ts";
import { readCapabilities } from "../../lib/store/capabilities.ts";
import type { ContractExchange } from "../support/dialects/contract_markets.ts";
import { DAY_MS, partOf, withPerpetuals } from "../support/perpetual_scene.ts";
import { problemsOf } from "../support/perpetual_truth.ts";
import { START_MS } from "../support/test_clock.ts";

const TODAY_MS = Math.floor(START_MS / DAY_MS) * DAY_MS;
/** Up to what may not be final yet. */
const YEARS = { sinceMs: TODAY_MS - 700 * DAY_MS, untilMs: TODAY_MS };

/** Days in the longest page of each class of market, as far as a page is shorter than all that is asked for. */
const ROWS_MAX: Readonly<Record<ContractExchange, Readonly<Record<string, number>>>> = {
  binance: { inverse: 200, "inverse@mark": 200, "inverse@index": 200 },
  bybit: {},
  okx: {
    ...{ spot: 300, linear: 300, inverse: 300 },
    ...{ "linear@mark": 100, "linear@index": 100, "inverse@mark": 100, "inverse@index": 100 },
  },
  gate: {},
};

for (const [id, rowsMax] of Object.entries(ROWS_MAX)) {
  Deno.test(`${id}: days of years come whole of every kind of market and price, in pages of its own length`, async () => {
    await withPerpetuals(id as ContractExchange, async (scene) => {
      const { database, exchange } = scene;
      const part = partOf(scene, (symbol) => symbol.startsWith("BTC/"));
      const archive = await scene.open({ "1d": "700d" }, {
        SYMBOLS: part.symbols.join(),
        FUNDING: "off",
      });
      const [report] = await backfill(archive, { patient: false });
      assert.deepEqual([report?.problems, report?.left], [[], 0]);
      const days = { ...part, perpetuals: [] };
      assert.deepEqual(await problemsOf(days, { "1d": YEARS }), []);

      const learned = await readCapabilities(database);
      const classes = [...new Set(part.symbols.map(marketClassOf))].sort();
      assert.deepEqual(learned.map(({ marketKind }) => marketKind).sort(), classes);
      for (const { marketKind, rowsSeen } of learned) {
        // Bounds may come with the rows between them.
        const most = rowsMax[marketKind] ?? 700;
        assert(rowsSeen > most / 2 && rowsSeen <= most + 1, `${marketKind}: ${rowsSeen} rows`);
      }
      const refused = exchange.requests.filter(({ status = 0 }) => status >= 400);
      assert.deepEqual(refused.map(({ path }) => path), [], "no page was longer than it may be");
    });
  });
}

Deno.test("binance: seconds are archived of spot, and left out of contracts, with a word of it", async () => {
  await withPerpetuals("binance", async (scene) => {
    const symbols = ["BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC@mark"];
    const archive = await scene.open({ "1h": "5d" }, {
      SYMBOLS: symbols.join(),
      TIMEFRAMES: "1s,1h",
      FUNDING: "off",
    });
    const [report] = await backfill(archive, { patient: false });
    assert.deepEqual([report?.problems, report?.left], [[], 0]);
    assert.match(
      report?.leftOut.join() ?? "",
      /^binance 1s of linear and inverse@mark markets is left out: this exchange has no 1s for them/,
    );
    const [binance] = archive.exchanges;
    assert.deepEqual(
      binance?.series.map(({ symbol, timeframe }) => `${symbol} ${timeframe.text}`),
      ["BTC/USDT 1s", ...symbols.map((symbol) => `${symbol} 1h`)],
    );
  });
});
