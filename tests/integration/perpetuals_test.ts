/** A month of markets of every kind, of their other prices and of funding, from exchanges that often fail. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { fundingJobs } from "../../lib/fetch/funding_job.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { Random } from "../faults/random.ts";
import { bybit } from "../support/dialects/bybit.ts";
import type { ContractExchange } from "../support/dialects/contract_markets.ts";
import type { Ask, Dialect, PageRow } from "../support/local_exchange/dialect.ts";
import { addRandomFaults } from "../support/local_exchange/random_faults.ts";
import { archiveAll, DAY_MS, HOUR_MS, hourOf, withPerpetuals } from "../support/perpetual_scene.ts";
import { problemsOf } from "../support/perpetual_truth.ts";
import { START_MS } from "../support/test_clock.ts";

const EXCHANGES: readonly ContractExchange[] = ["binance", "bybit", "okx", "gate"];

/** Up to what may not be final yet. */
const UNTIL_MS = hourOf(START_MS);
const MONTH = { sinceMs: hourOf(START_MS - 30 * DAY_MS) + HOUR_MS, untilMs: UNTIL_MS };
const DAYS = { sinceMs: hourOf(START_MS - DAY_MS) + HOUR_MS, untilMs: UNTIL_MS };

for (const [at, id] of EXCHANGES.entries()) {
  Deno.test(`${id}: a month of every kind and price comes whole through three faults in a hundred answers`, async () => {
    await withPerpetuals(id, async (scene) => {
      const random = new Random(2_000 + at);
      const struck = addRandomFaults(scene.exchange.faults, {
        share: 0.03,
        random: () => random.next(),
      });
      // Small pages, so that there are many answers.
      const archive = await scene.open({ "1h": "30d", "1m": "1d" }, { PAGE_LIMIT: "90" });
      await archiveAll(scene, archive);
      assert(struck() >= 8, `${struck()} faults`);
      assert.deepEqual(await problemsOf(scene, { "1h": MONTH, "1m": DAYS }), []);
    });
  });

  Deno.test(`${id}: pages as large as each kind and price gives leave nothing out`, async () => {
    await withPerpetuals(id, async (scene) => {
      const archive = await scene.open({ "1h": "30d", "1m": "1d" });
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

Deno.test("bybit: premiums that open where the one before closed, outside of their own range, are stored as they come", async () => {
  const dialect: Dialect = {
    ...bybit,
    read(request): Ask | undefined {
      const ask = bybit.read(request);
      if (ask?.about !== "candles" || !ask.symbol.symbol.endsWith("@premium")) return ask;
      const opened = (row: PageRow): PageRow => ({ ...row, open: "-0.5" });
      return { ...ask, render: (rows: readonly PageRow[]) => ask.render(rows.map(opened)) };
    },
  };
  await withPerpetuals("bybit", async (scene) => {
    const { database: { sql } } = scene;
    const symbols = scene.symbols.filter((symbol) => symbol.endsWith("@premium"));
    const archive = await scene.open({ "1h": "30d" }, { SYMBOLS: symbols.join() });
    const [report] = await backfill(archive, { patient: false });
    assert.deepEqual([report?.rejected, report?.problems], [0, []]);
    const [row] = await sql`
      select count(*)::int as candles, bool_and(open = -0.5 and low > -0.5) as are_outside from ohlcv`;
    assert.deepEqual({ ...row }, { candles: 720 * symbols.length, are_outside: true });
  }, { dialect });
});
