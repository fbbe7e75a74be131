/** What a symbol's listing is compared by, and what follows when it changes: Kraken's dialect over HTTP, a real database. */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { doubtReaches } from "../../lib/fetch/reach_doubt.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";
import { type TwinMarkets, withTwinMarkets } from "../support/twin_markets.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

interface Scene {
  readonly database: Database;
  readonly clock: TestClock;
  readonly twins: TwinMarkets;
  readonly open: (
    variables?: Readonly<Record<string, string>>,
  ) => ReturnType<typeof openTestArchive>;
}

Deno.test("a listing goes on as long as it is proved to be of the same market", async (t) => {
  const opened = await openAnyTest();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        await emptyDatabase(opened.database);
        const clock = new TestClock();
        await withTwinMarkets(() => clock.now(), (twins) =>
          test({
            database: opened.database,
            clock,
            twins,
            open: (variables = {}) =>
              openTestArchive(opened.database, {
                EXCHANGES: "kraken",
                SYMBOLS: "REP/USD,BTC/USD",
                TIMEFRAMES: "1m,1h",
                BACKFILL: "1m:2h,1h:5h",
                EXCHANGE_PROXY_URL: twins.proxyUrl,
                EXCHANGE_KRAKEN: JSON.stringify({ rateLimit: 1 }),
                ...variables,
              }, clock),
          }));
      });
    }
  } finally {
    await opened.drop();
  }
});

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
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
};

async function fill(
  { open }: Scene,
  variables: Readonly<Record<string, string>> = {},
): Promise<BackfillReport> {
  const [report] = await backfill(await open(variables), { patient: false });
  assert.ok(report);
  return report;
}
