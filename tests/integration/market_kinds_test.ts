/** Kinds of markets load apart: real CCXT classes, with one host or path that refuses. @module */
import assert from "node:assert/strict";
import { exchangeIds, openCcxt } from "../../lib/exchange/ccxt.ts";
import { loadKinds, type MarketKind, marketKinds } from "../../lib/exchange/market_kinds.ts";
import { examine } from "../../lib/doctor/checkup.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { makePlan } from "../../lib/fetch/plan.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { withFront } from "../support/fronted_exchange.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";
import { TESTED_EXCHANGES } from "../support/tested_exchanges.ts";

const SPOT = "BTC/USDT";
const LINEAR = "BTC/USDT:USDT";
const INVERSE = "BTC/USD:BTC";
const FUTURE = "BTC/USDT:USDT-270326";
const OPTION = "BTC/USDT:USDT-270326-50000-C";

/** What each class that can separate its kinds loads for a spot, a linear, an inverse, and a dated symbol. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  binance: ["spot", "linear", "inverse", "linear"],
  okx: ["spot", "swap", "swap", "future"],
  bybit: ["spot", "linear", "inverse", "linear"],
  kucoin: ["spot", "contract", "contract", "contract"],
  gate: ["spot", "swap", "swap", "future"],
  bitget: ["spot", "swap", "swap", "swap"],
  mexc: ["spot", "swap", "swap", "swap"],
  htx: ["spot", "linear", "inverse", "linear"],
  bingx: ["spot", "swap", "swap inverseSwap", "swap"],
  poloniex: ["spot", "swap", "swap", "swap"],
};

const titles = (kinds: readonly MarketKind[]): string =>
  kinds.map(({ title }) => title.replace(/ ?markets$/, "")).join(" ");

Deno.test("only the kinds that the symbols need are loaded, in every tested class", async () => {
  for (const id of TESTED_EXCHANGES) {
    const ccxt = await openCcxt(id, { config: {}, spotOnly: false, onCost: () => {} });
    // Beside another kind, each is called by its name.
    const found = [SPOT, LINEAR, INVERSE, FUTURE].map((symbol) =>
      marketKinds(ccxt, { symbols: [symbol] })
    );
    if (EXPECTED[id] === undefined) {
      assert(found.every((kinds) => kinds.length === 1), id);
      assert(found.every(([kind]) => kind?.has(OPTION)), `${id} has one kind, with all in it`);
      continue;
    }
    const both = [SPOT, LINEAR, INVERSE, FUTURE].map((symbol) =>
      titles(marketKinds(ccxt, { symbols: [SPOT, symbol] })).replace(/^spot /, "")
    );
    assert.deepEqual(both.map((one) => one === "" ? "spot" : one), EXPECTED[id], id);
  }
});

Deno.test("bitrue: its class takes what came first for spot, so perpetuals are loaded with spot", async () => {
  const ccxt = await openCcxt("bitrue", { config: {}, spotOnly: false, onCost: () => {} });
  const contract = { symbol: "E-BTC-USDT", side: 1, multiplier: 0.0001, status: 1 };
  const spot = { symbol: "BTCUSDT", baseAsset: "btc", quoteAsset: "usdt", status: "TRADING" };
  Object.assign(ccxt, {
    fetch: (url: string) =>
      Promise.resolve(
        url.includes("/dapi/") ? [] : url.includes("/fapi/") ? [contract] : { symbols: [spot] },
      ),
  });
  for (const symbols of [[LINEAR], [SPOT, LINEAR]]) {
    const listed = await loadKinds(marketKinds(ccxt, { symbols }), {
      known: undefined,
      load: (kind) => kind.load(),
    });
    assert.deepEqual(listed.map(({ symbol }) => symbol), [SPOT, LINEAR]);
  }
});

Deno.test("a class that reads the answers of its kinds by their position loads them together", async () => {
  const found: string[] = [];
  for (const id of await exchangeIds()) {
    const ccxt = await openCcxt(id, { config: {}, spotOnly: false, onCost: () => {} });
    const { types } = (ccxt.options["fetchMarkets"] ?? {}) as { readonly types?: unknown };
    // Kinds that have a method each keep their positions: the others answer with nothing.
    if (!Array.isArray(types)) continue;
    const source = String(ccxt.fetchMarkets).replace(/^\s*\/\/.*$/gm, "");
    if (!/\bpromises(?:, |\[)[1-9]/.test(source)) continue;
    found.push(id);
    const kinds = marketKinds(ccxt, { symbols: [SPOT, LINEAR] });
    assert.deepEqual(kinds.map(({ title }) => title), ["markets"], id);
  }
  assert(found.includes("bitrue"), found.join());
});

Deno.test("each kind sends its own requests, and a kind that fails takes no other along", async () => {
  for (const id of Object.keys(EXPECTED)) {
    const ccxt = await openCcxt(id, { config: {}, spotOnly: false, onCost: () => {} });
    const asked = new Map<string, string[]>();
    let now = "";
    Object.assign(ccxt, {
      fetch: (url: string) => {
        asked.set(now, [...asked.get(now) ?? [], url]);
        return now === "spot markets"
          ? Promise.reject(new Error("refused"))
          : Promise.resolve({ data: [], result: {} });
      },
    });
    const failed: string[] = [];
    await loadKinds(marketKinds(ccxt, { symbols: [SPOT, LINEAR] }), {
      known: undefined,
      load: (kind) => {
        now = kind.title;
        return kind.load();
      },
      each: async ({ title }, load) => {
        try {
          return await load(undefined);
        } catch (error) {
          if (error instanceof Error && error.message === "refused") failed.push(title);
          return false;
        }
      },
    });
    assert.deepEqual(failed, ["spot markets"], id);
    const [spot = [], ...others] = [...asked.values()];
    assert(spot.length > 0 && others.length > 0, `${id}: ${JSON.stringify([...asked])}`);
    assert.deepEqual(spot.filter((url) => others.flat().includes(url)), [], id);
  }
});

Deno.test("futures that are refused leave spot alone, and are told of", async () => {
  const opened = await openAnyTest();
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  try {
    await withFront(
      exchange,
      (_body, path) => /[/]([fd]api)[.]binance[.]com/.test(path) ? refusal() : undefined,
      async ({ proxyUrl, asked }) => {
        const open = async (): ReturnType<typeof openTestArchive> => {
          await emptyDatabase(opened.database);
          return await openTestArchive(opened.database, {
            EXCHANGES: "binance",
            SYMBOLS: `${SPOT},${LINEAR}`,
            TIMEFRAMES: "1h",
            BACKFILL: "1h:10h",
            EXCHANGE_PROXY_URL: proxyUrl,
            EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
          }, clock);
        };
        await assertSpotArchived(opened.database, open);
        assert.equal(asked.some((path) => path.includes("dapi")), false, "nobody needs inverse");
      },
    );
  } finally {
    await exchange.close();
    await opened.drop();
  }
});

/** Binance's futures, of which the local exchange has none. */
const PERPETUAL = {
  symbols: [{
    ...{ symbol: "BTCUSDT", pair: "BTCUSDT", contractType: "PERPETUAL", status: "TRADING" },
    ...{ baseAsset: "BTC", quoteAsset: "USDT", marginAsset: "USDT" },
    ...{ onboardDate: 0, deliveryDate: 4133404800000, pricePrecision: 2, quantityPrecision: 3 },
    ...{ filters: [], orderTypes: [], timeInForce: [] },
  }],
};

Deno.test("futures that fail after they were loaded stop no poll of spot, and keep their markets", async () => {
  const opened = await openAnyTest();
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  let isDown = false;
  const change = (_body: string, path: string): Response | undefined => {
    if (!path.includes("fapi.binance.com")) return undefined;
    if (isDown) return new Response("{}", { status: 500 });
    return Response.json(path.includes("exchangeInfo") ? PERPETUAL : []);
  };
  try {
    await emptyDatabase(opened.database);
    await withFront(exchange, change, async ({ proxyUrl, asked }) => {
      const archive = await openTestArchive(opened.database, {
        EXCHANGES: "binance",
        SYMBOLS: `${SPOT},${LINEAR}`,
        TIMEFRAMES: "1h",
        BACKFILL: "off",
        BREAKER_FAILURES: "2",
        BREAKER_COOLDOWN: "1h",
        EXCHANGE_PROXY_URL: proxyUrl,
        EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
      }, clock);
      const poll = new Poll(archive);
      assert.equal((await poll.runOnce()).failed, 0);
      isDown = true;
      for (let hour = 0; hour < 26; hour++) {
        clock.pass(3_600_000);
        const { added, failed } = await poll.runOnce();
        assert.deepEqual([added, failed], [1, 1], `hour ${hour}`);
      }
      const [binance] = archive.exchanges;
      assert.equal(binance?.breakers.main.passes, true);
      assert.equal(binance?.markets.value?.list.get(LINEAR)?.id, "BTCUSDT");
      assert.deepEqual(binance?.markets.value?.unloaded, []);
      const loads = (host: string): number =>
        asked.filter((path) => path.includes(host) && path.includes("exchangeInfo")).length;
      assert.equal(loads("//api.binance.com"), 4, "at first, after a day, and soon again twice");
      assert.equal(loads("//fapi.binance.com"), 4, "spot waits for one attempt a load");
      isDown = false;
      clock.pass(3_600_000);
      assert.equal((await poll.runOnce()).failed, 0);
    });
  } finally {
    await exchange.close();
    await opened.drop();
  }
});

const refusal = (): Response =>
  Response.json({ code: 0, msg: "Service unavailable from a restricted location." }, {
    status: 451,
  });

async function assertSpotArchived(
  { sql }: Database,
  open: () => ReturnType<typeof openTestArchive>,
): Promise<void> {
  const why = /^binance BTC[/]USDT:USDT: Cannot load the linear markets .* restricted location/;
  const archive = await open();
  const [report] = await backfill(archive, { patient: false });
  assert.deepEqual([report?.left, report?.added, report?.problems], [0, 10, []]);
  assert.match(report?.unloaded.join() ?? "", why);
  const { entries, problems } = await makePlan(await open());
  assert.equal(entries[0]?.candles, 10);
  assert.match(problems[0]?.problem ?? "", why);
  const polling = await open();
  const { added, failed } = await new Poll(polling).runOnce();
  assert.deepEqual([added > 0, failed], [true, 0]);
  assert.equal(polling.exchanges[0]?.breakers.main.passes, true);
  const rows = await sql`select symbol from checkpoints`;
  assert.deepEqual(rows.map(({ symbol }) => symbol), [SPOT]);
  const { exchanges: [checkup] } = await examine(await open(), { migrations: [] });
  const check = checkup?.checks.find(({ check }) => check === "markets");
  assert.equal(check?.ok, false);
  assert.match(check?.message ?? "", /not loaded for BTC[/]USDT:USDT: .*restricted location/);
  assert.equal(checkup?.checks.find(({ check }) => check === "candles")?.ok, true);
}
