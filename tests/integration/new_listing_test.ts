/** What a symbol's listing is compared by, and what follows when it changes: Kraken's dialect over HTTP, a real database. */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { makePlan } from "../../lib/fetch/plan.ts";
import { doubtReaches } from "../../lib/fetch/reach_doubt.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { playTwins, type TwinScene } from "../support/twin_scene.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

Deno.test("a listing goes on as long as it is proved to be of the same market", (t) =>
  playTwins(t, TESTS));

const TESTS: Readonly<Record<string, (scene: TwinScene) => Promise<void>>> = {
  "the new market is not asked how far back the old one went": async (scene) => {
    const { database, clock, twins } = scene;
    await fill(scene);
    const noteReach = () =>
      database.sql`
        update checkpoints set reach_from = lower(covered), reach_asked_at = to_timestamp(0)
        where symbol = 'REP/USD' and timeframe = '1m'`;
    const doubt = async (): Promise<readonly string[]> => {
      const archive = await scene.open();
      await backfill(archive, { patient: false });
      await noteReach();
      twins.asked.splice(0);
      await doubtReaches(archive, archive.exchanges[0]!, {});
      return twins.asked;
    };
    assert.deepEqual([...new Set(await doubt())], ["REPV2USD"]);
    twins.delisted.add("REPV2USD");
    clock.pass(HOUR_MS);
    assert.deepEqual(await doubt(), []);
    const [row] = await database.sql`
      select reach_asks from checkpoints where symbol = 'REP/USD' and timeframe = '1m'`;
    assert.equal(row?.["reach_asks"], 1, "it was that market's reach");
  },

  "ids that are only spelled anew go on, which a few stored candles prove": async (scene) => {
    const { database, clock, twins } = scene;
    await fill(scene);
    respell(scene);
    clock.pass(20 * MINUTE_MS);
    twins.asked.splice(0);
    const archive = await scene.open();
    const [report] = await backfill(archive, { patient: false });
    assert.deepEqual([report?.replaced, report?.left, report?.problems], [[], 0, []]);
    // One request proves it, and one page of each timeframe is owed; it is 1:50 after the first hour.
    const asks = (id: string): number => twins.asked.filter((asked) => asked === id).length;
    assert.deepEqual([asks("REPV2-USD"), asks("XBT-USD"), asks("REPV2USD")], [2, 2, 0]);
    assert.equal(
      archive.lines.filter((line) => /new id and the same candles/.test(line)).length,
      2,
    );
    assert.deepEqual(await listings(database), [
      { symbol: "BTC/USD", market_id: "XBT-USD", why: null, kind: "spot" },
      { symbol: "REP/USD", market_id: "REPV2-USD", why: null, kind: "spot" },
    ]);
    const [row] = await database.sql`
      select count(*)::int as candles from ohlcv_1m where symbol = 'REP/USD'`;
    assert.equal(row?.["candles"], 140, "nothing is lost, nothing is missing");
    clock.pass(MINUTE_MS);
    twins.asked.splice(0);
    await fill(scene);
    assert.equal(asks("REPV2-USD"), 1, "it is proved once");
  },

  "a plan sees that an id is only spelled anew": async (scene) => {
    await fill(scene);
    respell(scene);
    const archive = await scene.open();
    const { problems } = await makePlan(archive);
    assert.deepEqual(problems, []);
    assert.equal(archive.lines.some((line) => line.includes("another market now")), false);
    assert.equal((await listings(scene.database))[1]?.market_id, "REPV2USD", "it writes nothing");
  },

  "a market with a new id whose candles do not come is left alone until they do": async (scene) => {
    const { database, clock, twins } = scene;
    await fill(scene);
    respell(scene);
    twins.troubled.add("REPV2USD");
    clock.pass(20 * MINUTE_MS);
    const report = await fill(scene);
    assert.deepEqual([report.replaced, report.problems], [[], []]);
    assert.match(report.unloaded.join(), /^kraken REP[/]USD: .*500/);
    assert.deepEqual((await listings(database)).map(({ market_id }) => market_id), [
      "XBT-USD",
      "REPV2USD",
    ]);
    twins.troubled.clear();
    assert.deepEqual((await fill(scene)).unloaded, []);
    assert.equal((await listings(database))[1]?.market_id, "REPV2-USD");
  },

  "a market with a new id and too few candles to compare begins anew": async (scene) => {
    await fill(scene);
    respell(scene);
    await scene.database
      .sql`update checkpoints set covered = tstzmultirange(tstzrange(lower(covered),
      lower(covered) + interval '9 min')) where timeframe = '1m'`;
    const { replaced } = await fill(scene);
    assert.match(
      replaced.join(),
      /REP[/]USD now means another market, REPV2-USD instead of REPV2USD/,
    );
  },

  "a symbol of which nothing was fetched yet goes on under the new id": async (scene) => {
    const { database, twins } = scene;
    for (const id of NEW_IDS.keys()) twins.troubled.add(id);
    await fill(scene);
    twins.troubled.clear();
    respell(scene);
    const report = await fill(scene);
    assert.deepEqual([report.replaced, report.left], [[], 0]);
    const [row] = await database.sql`
      select count(*)::int as candles from ohlcv_1m where symbol = 'REP/USD'`;
    assert.equal(row?.["candles"], 120, "all that is wanted, and not only what came since");
  },
};

async function listings({ sql }: Database): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const rows = await sql`select symbol, market_id, why, kind from listings order by symbol, since`;
  return rows.map((row) => ({ ...row }));
}

const NEW_IDS = new Map([["REPV2USD", "REPV2-USD"], ["XXBTZUSD", "XBT-USD"]] as const);

/** Both markets of the archive, as they are listed from now on. */
function respell({ twins }: TwinScene): void {
  twins.delisted.add("XREPZUSD");
  for (const [id, spelled] of NEW_IDS) twins.respelled.set(id, spelled);
}

async function fill(
  { open }: TwinScene,
  variables: Readonly<Record<string, string>> = {},
): Promise<BackfillReport> {
  const [report] = await backfill(await open(variables), { patient: false });
  assert.ok(report);
  return report;
}
