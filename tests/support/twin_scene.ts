/** Plays tests on an archive of the two markets of {@linkcode withTwinMarkets}, each with an empty database. @module */
import type { Database } from "../../lib/store/connection/database.ts";
import { emptyDatabase, openTestArchive } from "./local_archive.ts";
import { TestClock } from "./test_clock.ts";
import { openAnyTest } from "./test_database.ts";
import { type TwinMarkets, withTwinMarkets } from "./twin_markets.ts";

export interface TwinScene {
  readonly database: Database;
  readonly clock: TestClock;
  readonly twins: TwinMarkets;
  readonly open: (
    variables?: Readonly<Record<string, string>>,
  ) => ReturnType<typeof openTestArchive>;
}

/** Plays each test as a step of its name. */
export async function playTwins(
  t: Deno.TestContext,
  tests: Readonly<Record<string, (scene: TwinScene) => Promise<void>>>,
): Promise<void> {
  const opened = await openAnyTest();
  const { database } = opened;
  try {
    for (const [name, test] of Object.entries(tests)) {
      await t.step(name, async () => {
        await emptyDatabase(database);
        const clock = new TestClock();
        await withTwinMarkets(() => clock.now(), (twins) =>
          test({
            database,
            clock,
            twins,
            open: (variables = {}) =>
              openTestArchive(database, {
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
}
