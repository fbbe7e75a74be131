/** A series belongs to a market, whatever CCXT calls it today: Kraken's two REP/USD, over HTTP into a real database. @module */
import assert from "node:assert/strict";
import { Alerts } from "../../lib/alert/alerting.ts";
import { bringUpToDate } from "../../lib/gap/look_through.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { makePlan } from "../../lib/fetch/plan.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { CONFIRM_AFTER_MS } from "../../lib/gap/first_candle.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { START_MS } from "../support/test_clock.ts";
import { TWIN_PRICES } from "../support/twin_markets.ts";
import { playTwins, type TwinScene } from "../support/twin_scene.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

Deno.test("a symbol may mean another market tomorrow", (t) => playTwins(t, TESTS));

const TESTS: Readonly<Record<string, (scene: TwinScene) => Promise<void>>> = {
  "one-shot commands begin a new listing, and never ask the new market for the time of the old one":
    async (scene) => {
      const { database, clock, twins } = scene;
      twins.silent.add(Math.floor(START_MS / MINUTE_MS) * MINUTE_MS - 30 * MINUTE_MS);
      assert.deepEqual((await fill(scene)).replaced, []);
      twins.delisted.add("REPV2USD");
      const plan = await makePlan(await scene.open());
      assert.deepEqual(plan.problems, []);
      assert.equal((await listings(database)).length, 1, "a plan writes nothing");

      clock.pass(90 * MINUTE_MS);
      const report = await fill(scene);
      assert.deepEqual(report.replaced, [
        "REP/USD now means another market, XREPZUSD instead of REPV2USD: a new listing begins",
      ]);
      assert.deepEqual([report.left, report.problems], [0, []]);
      await assertUnmixed(scene);
      const begunMs = (await listings(database))[0]?.until ?? NaN;
      assert.equal(Math.floor(begunMs / 1000), Math.floor(clock.now() / 1000));

      // The hole in the old listing, and the time before its first candle, would be asked for here.
      for (let hour = 0; hour < 4; hour++) {
        clock.pass(CONFIRM_AFTER_MS);
        const archive = await scene.open();
        await new Poll(archive).runOnce();
        await repairGaps(archive);
      }
      assert.deepEqual((await fill(scene)).replaced, [], "it is news once");
      await assertUnmixed(scene);
      assert.deepEqual(await listings(database), [
        { market_id: "REPV2USD", why: "replaced", until: begunMs },
        { market_id: "XREPZUSD", why: null, until: null },
      ]);
      const [stored] = await database.sql`
        select count(*)::int as candles from ohlcv_1m where symbol = 'REP/USD' and close < 1`;
      assert.equal(stored?.["candles"], 240 - 1, "from the first whole minute on");
      const [explained] = await database.sql`
        select state from ohlcv_explained('1m', 'kraken', 'REP/USD',
          to_timestamp(${begunMs / 1000}) - interval '20 min', to_timestamp(${begunMs / 1000}))`;
      assert.equal(explained?.["state"], "before_listing");
    },

  "two markets under one symbol: the archived one stays, and is asked by its id": async (scene) => {
    const { database, clock, twins } = scene;
    twins.delisted.add("REPV2USD");
    await fill(scene);
    twins.delisted.clear();
    clock.pass(30 * MINUTE_MS);
    twins.asked.splice(0);
    assert.deepEqual((await fill(scene)).replaced, []);
    assert.deepEqual([...new Set(twins.asked)].sort(), ["XREPZUSD", "XXBTZUSD"]);
    await assertUnmixed(scene);
    assert.equal((await listings(database)).length, 1);
  },

  "a daemon asks the market it knows until markets load, then warns, and an alert lasts a day":
    async (scene) => {
      const { database, clock, twins } = scene;
      const archive = await scene.open();
      const poll = new Poll(archive);
      const alerts = new Alerts(archive);
      await poll.runOnce();
      twins.delisted.add("REPV2USD");
      for (let hour = 0; hour < 30; hour++) {
        clock.pass(HOUR_MS);
        twins.asked.splice(0);
        await poll.runOnce();
        const expected = hour < 23 ? "REPV2USD" : "XREPZUSD";
        assert(twins.asked.includes(expected) || hour === 23, `${expected} in hour ${hour}`);
        assert.equal(twins.asked.includes(other(expected)), false, `${hour} asks ${expected}`);
      }
      await assertUnmixed(scene);
      const warnings = archive.lines.filter((line) => line.includes("another market now"));
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? "", /"formerId":"REPV2USD".*"marketId":"XREPZUSD"/);
      await alerts.judgeGaps();
      clock.pass(24 * HOUR_MS);
      await alerts.judgeGaps();
      await alerts.idle();
      const rows = await database.sql`
        select exchange, symbol, timeframe, summary, ended is not null as ended from alerts
        where alert = 'listing_changed'`;
      assert.equal(rows.length, 1);
      const { summary, ...alert } = rows[0] ?? {};
      assert.deepEqual(alert, {
        exchange: "kraken",
        symbol: "REP/USD",
        timeframe: null,
        ended: true,
      });
      assert.match(
        String(summary),
        /has meant another market since 2024-.*, XREPZUSD instead of REPV2USD[.]/,
      );
    },

  "a market that comes back after it was replaced begins anew, too": async (scene) => {
    const { database, clock, twins } = scene;
    await fill(scene);
    for (const [gone, back] of [["REPV2USD", "XREPZUSD"], ["XREPZUSD", "REPV2USD"]] as const) {
      twins.delisted.clear();
      twins.delisted.add(gone);
      clock.pass(20 * MINUTE_MS);
      assert.match((await fill(scene)).replaced[0] ?? "", new RegExp(`${back} instead of ${gone}`));
      clock.pass(20 * MINUTE_MS);
      await fill(scene);
    }
    await assertUnmixed(scene);
    const ids = (await listings(database)).map(({ market_id }) => market_id);
    assert.deepEqual(ids, ["REPV2USD", "XREPZUSD", "REPV2USD"]);
  },

  "a market that one list leaves out by mistake is not replaced": async (scene) => {
    const { database, clock, twins } = scene;
    await fill(scene);
    twins.left.add("REPV2USD");
    clock.pass(10 * MINUTE_MS);
    assert.deepEqual((await fill(scene)).replaced, []);
    assert.equal(twins.left.size, 0, "it was left out");
    assert.deepEqual((await listings(database)).map(({ market_id }) => market_id), ["REPV2USD"]);
  },

  "candles that could not become final before their market was replaced are taken back": async (
    scene,
  ) => {
    const { database, clock, twins } = scene;
    await fill(scene);
    const [young] = await database.sql<{ since: Date; candles: string }[]>`
      select lower(unsettled) as since, candles from checkpoints where timeframe = '1m' and symbol = 'REP/USD'`;
    assert.ok(young?.since);
    twins.delisted.add("REPV2USD");
    await fill(scene);
    clock.pass(20 * MINUTE_MS);
    await fill(scene);
    await bringUpToDate(await scene.open());
    const rows = await database.sql`
      select from ohlcv_1m join checkpoints using (exchange, symbol)
      where timeframe = '1m' and time >= ${young.since} and time < listed_from`;
    assert.equal(rows.length, 0);
    const all = await database.sql`
      select candles::int, count(*)::int as stored, unsettled && tstzrange(null, listed_from) as left,
             last = max(time) as is_last, first = min(time) as is_first
      from checkpoints join ohlcv_1m using (exchange, symbol) where timeframe = '1m'
      group by exchange, symbol, timeframe order by symbol`;
    assert.equal(all.length, 2);
    for (const { candles, stored, is_last, is_first } of all) {
      assert.deepEqual([candles, is_last, is_first], [stored, true, true]);
    }
    assert.equal(all[1]?.["left"], false);
  },

  "an archive of an older version learns the id, and then holds to it": async (scene) => {
    const { database, clock, twins } = scene;
    await fill(scene);
    await database.sql`update listings set market_id = null`;
    clock.pass(10 * MINUTE_MS);
    assert.deepEqual((await fill(scene)).replaced, []);
    assert.equal((await listings(database))[0]?.market_id, "REPV2USD");
    twins.delisted.add("REPV2USD");
    assert.equal((await fill(scene)).replaced.length, 1);
  },

  "candles imported from before do not open the time of another market": async (scene) => {
    const { database, clock, twins } = scene;
    await fill(scene);
    twins.delisted.add("REPV2USD");
    await fill(scene);
    // As an import of older candles, or a search for the listing, may leave it.
    await database.sql`update checkpoints set listed_from = null`;
    clock.pass(10 * MINUTE_MS);
    await fill(scene, { BACKFILL: "1m:5h,1h:10h" });
    await assertUnmixed(scene);
  },
};

function other(id: string): string {
  return id === "REPV2USD" ? "XREPZUSD" : "REPV2USD";
}

async function fill(
  { open }: TwinScene,
  variables: Readonly<Record<string, string>> = {},
): Promise<Awaited<ReturnType<typeof backfill>>[number]> {
  const [report] = await backfill(await open(variables), { patient: false });
  assert.ok(report);
  return report;
}

async function listings(
  { sql }: Database,
): Promise<readonly { market_id: string | null; why: string | null; until: number | null }[]> {
  const rows = await sql<{ market_id: string | null; why: string | null; until: Date | null }[]>`
    select market_id, why, until from listings where symbol = 'REP/USD' order by since`;
  return rows.map(({ until, ...row }) => ({ ...row, until: until?.getTime() ?? null }));
}

/** Each candle is of the market in whose listing it lies; those before the first listing are of the first. */
async function assertUnmixed({ database: { sql } }: TwinScene): Promise<void> {
  for (const table of ["ohlcv_1m", "ohlcv_1h"]) {
    const rows = await sql.unsafe<{ market_id: keyof typeof TWIN_PRICES; close: string }[]>(`
      select listing.market_id, trim_scale(candle.close)::text as close
      from ${table} as candle
      cross join lateral (
        select market_id from listings
        where exchange = candle.exchange and symbol = candle.symbol
        order by since <= candle.time desc, case when since <= candle.time then since end desc, since
        limit 1
      ) as listing
      where candle.symbol = 'REP/USD'`);
    assert(rows.length > 0, table);
    for (const { market_id, close } of rows) {
      assert.equal(Number(close), TWIN_PRICES[market_id], `${table} of ${market_id}`);
    }
  }
}
