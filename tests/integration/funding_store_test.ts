/** The ledger of funding rates in the database: rates and coverage together, revisions, and whose market they are of. */
import assert from "node:assert/strict";
import type { FundingRate } from "../../lib/market/funding_rate.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { isOfOtherMarket, StoreError } from "../../lib/store/connection/store_error.ts";
import { forgetSymbol } from "../../lib/store/forget.ts";
import {
  findFundingHoles,
  noteWantedFunding,
  readFundingCheckpoints,
  readFundingGaps,
  readFundingMissing,
  readOwedFunding,
} from "../../lib/store/funding_ledger.ts";
import { readFundingPage, readFundingSeries } from "../../lib/store/funding_rates.ts";
import { writeFunding } from "../../lib/store/funding_write.ts";
import { joinNode } from "../support/joined_node.ts";
import { emptyDatabase } from "../support/local_archive.ts";
import { seed } from "../support/seeded.ts";
import { DATABASE_KINDS_AND_ROLES, openTestDatabase } from "../support/test_database.ts";

const PERPETUAL = { exchange: "binance", symbol: "BTC/USDT:USDT" } as const;
const HOUR_MS = 3_600_000;
const STEP_MS = 8 * HOUR_MS;
const START_MS = Date.UTC(2024, 0, 1);
const timeOf = (step: number): number => START_MS + step * STEP_MS;

/** Rates of these steps, each some milliseconds late. */
function ratesOf(...steps: readonly number[]): readonly FundingRate[] {
  return steps.map((step) => ({
    timeMs: timeOf(step) + Math.floor(step) % 9,
    rate: `0.000${1 + Math.floor(step) % 7}`,
  }));
}

async function write(
  database: Database,
  steps: readonly number[],
  { since = steps[0]!, until = steps.at(-1)! + 1, marketId }: {
    readonly since?: number;
    readonly until?: number;
    readonly marketId?: string;
  } = {},
): Promise<{ readonly added: number; readonly revised: number }> {
  return await writeFunding(database, PERPETUAL, {
    rates: ratesOf(...steps),
    answered: { sinceMs: timeOf(since), untilMs: timeOf(until) },
    reachFromMs: undefined,
    marketId,
  });
}

async function want(database: Database, since: number, until: number): Promise<void> {
  const window = { sinceMs: timeOf(since), untilMs: timeOf(until) };
  await noteWantedFunding(database, "binance", [{ ...PERPETUAL, window }]);
}

/** What is owed of these steps, in steps. */
async function owed(database: Database, since: number, until: number): Promise<unknown> {
  const window = { sinceMs: timeOf(since), untilMs: timeOf(until) };
  const all = await readOwedFunding(database, [{ ...PERPETUAL, window }]);
  return all.flatMap((one) =>
    one.owed.map(({ sinceMs, untilMs }) =>
      [sinceMs, untilMs].map((ms) => (ms - START_MS) / STEP_MS)
    )
  );
}

for (const kind of DATABASE_KINDS_AND_ROLES) {
  Deno.test(`funding rates are kept with what was answered for in a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    try {
      await migrate(opened.database, await readMigrations());
      await steps(t, opened.database);
    } finally {
      await opened.drop();
    }
  });
}

async function steps(t: Deno.TestContext, database: Database): Promise<void> {
  const step = (name: string, run: () => Promise<void>): Promise<boolean> =>
    t.step(name, async () => {
      await emptyDatabase(database);
      await want(database, 0, 40);
      await run();
    });
  await step(
    "a page that is repeated changes nothing, and what it covers is not owed",
    async () => {
      assert.deepEqual(await write(database, [10, 11, 12]), { added: 3, revised: 0 });
      assert.deepEqual(await write(database, [10, 11, 12]), { added: 0, revised: 0 });
      assert.deepEqual(await owed(database, 5, 20), [[5, 10], [13, 20]]);
      const [ledger] = await readFundingCheckpoints(database);
      assert.deepEqual([ledger?.rates, ledger?.intervalMs], [3, STEP_MS]);
      const [series] = await readFundingSeries(database);
      assert.deepEqual([series?.firstMs, series?.lastMs], [timeOf(10) + 1, timeOf(12) + 3]);
      const page = { sinceMs: timeOf(11), untilMs: timeOf(40), rowsMax: 1 };
      assert.deepEqual(await readFundingPage(database, PERPETUAL, page), ratesOf(11));
    },
  );
  await step("a rate that comes with another value is a revision", async () => {
    await write(database, [10, 11]);
    const rates = [{ timeMs: ratesOf(11)[0]!.timeMs, rate: "-0.00000001" }];
    const answered = { sinceMs: timeOf(11), untilMs: timeOf(12) };
    const page = { rates, answered, reachFromMs: undefined, marketId: undefined };
    assert.deepEqual(await writeFunding(database, PERPETUAL, page), { added: 0, revised: 1 });
    const window = { sinceMs: timeOf(11), untilMs: timeOf(12) };
    assert.deepEqual(await readFundingPage(database, PERPETUAL, window), rates);
    const kept = await database.sql`select rate from funding_revisions`;
    assert.deepEqual(kept.map(({ rate }) => rate), [ratesOf(11)[0]!.rate]);
  });
  await step("the same value with other digits is no revision", async () => {
    await write(database, [10]);
    const rates = [{ ...ratesOf(10)[0]!, rate: `${ratesOf(10)[0]!.rate}000` }];
    const page = { rates, answered: undefined, reachFromMs: undefined, marketId: undefined };
    assert.deepEqual(await writeFunding(database, PERPETUAL, page), { added: 0, revised: 0 });
  });
  await step(
    "a page of another market, or of a symbol that was forgotten, is refused whole",
    async () => {
      await seed(database, [{ ...PERPETUAL, timeframe: "1d", since: "2024-01-01", candles: 3 }]);
      await database.sql`
      insert into listings (exchange, symbol, since, market_id) values ('binance', ${PERPETUAL.symbol}, '2020-01-01', 'BTCUSDT')`;
      assert.equal((await write(database, [1], { marketId: "BTCUSDT" })).added, 1);
      await assert.rejects(write(database, [2], { marketId: "BTCUSDT2" }), isOfOtherMarket);
      await forgetSymbol(database, PERPETUAL);
      assert.deepEqual(await readFundingSeries(database), []);
      const [left] = await database.sql`select count(*)::int as rates from funding_rates`;
      assert.equal(left?.["rates"], 0);
      await assert.rejects(write(database, [3], { marketId: "BTCUSDT" }), StoreError);
    },
  );
  await step("nothing is owed of the time in which the symbol meant another market", async () => {
    await database.sql`
      insert into listings (exchange, symbol, since, market_id, noticed_at)
      values ('binance', ${PERPETUAL.symbol}, '2020-01-01', 'OLD', null),
             ('binance', ${PERPETUAL.symbol}, ${new Date(timeOf(20))}, 'NEW', now())`;
    assert.deepEqual(await owed(database, 5, 30), [[20, 30]]);
  });
  await step(
    "a perpetual of which only the mark price is archived is no other market either",
    async () => {
      const mark = { ...PERPETUAL, symbol: `${PERPETUAL.symbol}@mark` };
      await seed(database, [{ ...mark, timeframe: "1d", since: "2024-01-01", candles: 3 }]);
      await database.sql`
      insert into listings (exchange, symbol, since, market_id, noticed_at)
      values ('binance', ${mark.symbol}, '2020-01-01', 'OLD', null),
             ('binance', ${mark.symbol}, ${new Date(timeOf(20))}, 'NEW', now())`;
      assert.deepEqual(await owed(database, 5, 30), [[20, 30]]);
      await assert.rejects(write(database, [21], { marketId: "OLD" }), isOfOtherMarket);
      assert.equal((await write(database, [21], { marketId: "NEW" })).added, 1);
    },
  );
  await step(
    "nothing is owed behind what the exchange gives, or after the end of the market",
    async () => {
      await seed(database, [{ ...PERPETUAL, timeframe: "1d", since: "2024-01-01", candles: 3 }]);
      await writeFunding(database, PERPETUAL, {
        rates: [],
        answered: undefined,
        reachFromMs: timeOf(8),
        marketId: undefined,
      });
      assert.deepEqual(await owed(database, 5, 30), [[8, 30]]);
      await database.sql`update checkpoints set ended_at = ${new Date(
        timeOf(25),
      )}, ended_why = 'suspended'`;
      assert.deepEqual(await owed(database, 5, 30), [[8, 25]]);
      await database.sql`update checkpoints set ended_why = 'delisted'`;
      assert.deepEqual(await owed(database, 5, 30), [], "it is not asked any more");
    },
  );
  await step(
    "holes are found between rates, also several in a row, and not where the interval changes",
    async () => {
      // Two holes of one rate with a rate between them, one of two, and four hours from 24 on.
      const eight = [0, 1, 2, 3, 5, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23];
      const four = [24, 24.5, 25, 25.5, 26, 26.5, 27];
      await write(database, [...eight, ...four]);
      const holes = await findFundingHoles(database, "binance", { holesMax: 10 });
      assert.deepEqual(
        holes.map(({ window }) => Math.round((window.untilMs - START_MS) / STEP_MS)).sort((a, b) =>
          a - b
        ),
        [5, 7, 13],
      );
      assert.deepEqual(
        (await readFundingGaps(database, { gapsMax: 10 })).map(({ missing, state }) => [
          missing,
          state,
        ]),
        [[1, "suspected"], [1, "suspected"], [2, "suspected"]],
      );
      assert.deepEqual(
        (await readFundingMissing(database)).map(({ missing, explained }) => [missing, explained]),
        [[4, 0]],
      );
      await write(database, [4, 11, 12]);
      assert.equal((await findFundingHoles(database, "binance", { holesMax: 10 })).length, 1);
    },
  );
  await step(
    "rates that come less often from now on are no holes, nor the oldest ones",
    async () => {
      const holes = async (): Promise<readonly number[]> =>
        (await findFundingHoles(database, "binance", { holesMax: 10 })).map(({ window }) =>
          (window.untilMs - START_MS) / STEP_MS
        );
      const rates = (steps: readonly number[]): Promise<unknown> =>
        writeFunding(database, PERPETUAL, {
          rates: steps.map((step) => ({ timeMs: timeOf(step), rate: "0.0001" })),
          answered: { sinceMs: timeOf(0), untilMs: timeOf(steps.at(-1)! + 1) },
          reachFromMs: undefined,
          marketId: undefined,
        });
      // Every eight hours, then every four, then every eight again.
      await rates([0, 1, 2, 2.5, 3, 3.5, 4, 4.5, 5]);
      assert.deepEqual(await holes(), [], "the oldest");
      await rates([6, 7]);
      assert.deepEqual(await holes(), [], "the second one");
      await rates([8]);
      assert.deepEqual(await holes(), [], "the third one");
      await rates([10]);
      assert.deepEqual(await holes(), [10], "one is missing");
    },
  );
  await step("time that is not covered is owed, and no hole", async () => {
    await write(database, [0, 1, 2, 3]);
    await write(database, [10, 11, 12, 13]);
    assert.deepEqual(await findFundingHoles(database, "binance", { holesMax: 10 }), []);
    assert.deepEqual(await owed(database, 0, 14), [[4, 10]]);
  });
  await step("what is not wanted any more keeps its rates and is not asked for", async () => {
    await write(database, [0, 1, 2, 5, 6, 7]);
    await noteWantedFunding(database, "binance", []);
    assert.deepEqual(await findFundingHoles(database, "binance", { holesMax: 10 }), []);
    const [ledger] = await readFundingCheckpoints(database);
    assert.deepEqual([ledger?.wantedSinceMs, ledger?.rates], [undefined, 6]);
  });
  await step(
    "what another live node asks for stays wanted, and nothing of one that is gone",
    async () => {
      await want(database, 0, 8);
      const [other, own] = [await joinNode(database, { egress: "a" }), crypto.randomUUID()];
      await database.sql`
      insert into leases (exchange, symbol, holder, epoch)
      values ('binance', ${PERPETUAL.symbol}, ${other}::uuid, 1)`;
      const isWanted = async (): Promise<boolean> =>
        (await readFundingCheckpoints(database))[0]?.wantedSinceMs !== undefined;
      await noteWantedFunding(database, "binance", [], own);
      assert.equal(await isWanted(), true, "another node's");
      await noteWantedFunding(database, "binance", [], other);
      assert.equal(await isWanted(), false, "its own");
      await want(database, 0, 8);
      await database.sql`delete from nodes`;
      await noteWantedFunding(database, "binance", [], own);
      assert.equal(await isWanted(), false, "nobody's");
      await database.sql`truncate leases, egress_leases`;
    },
  );
  await step("a value that is no number is refused by the table, too", async () => {
    for (const rate of ["NaN", "Infinity", "-Infinity"]) {
      await assert.rejects(database.sql`
        insert into funding_rates values ('binance', 'BTC/USDT:USDT', now(), ${rate}::numeric)`);
    }
  });
}
