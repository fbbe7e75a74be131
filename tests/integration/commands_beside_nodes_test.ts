/** Commands on an archive that nodes of other machines work on: none undoes what those do. @module */
import assert from "node:assert/strict";
import { LOOK_MS } from "../../lib/cli/forget.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { endWithLeases } from "../../lib/archive/lease_work.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { LeaseNode } from "../support/lease_nodes.ts";
import { LeaseBoard } from "../support/lease_board.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { binanceAt, openTestArchive } from "../support/local_archive.ts";
import { seed } from "../support/seeded.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { testClock } from "../support/test_clock.ts";
import { openTestDatabase, type TestDatabase } from "../support/test_database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { freePort } from "../faults/scene.ts";

const BTC = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1h" } as const;

Deno.test("a symbol is not deleted that a node of another machine archives, and gaps and polls are left to that node", async (t) => {
  const test = await openTestDatabase("postgres");
  if (test === undefined) {
    return void await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
  }
  try {
    await besideNode(test);
  } finally {
    await test.drop();
  }
});

async function besideNode({ database, url }: TestDatabase): Promise<void> {
  await migrate(database, await readMigrations());
  await seed(database, [{ ...BTC, since: "2024-01-01T00:00:00Z", candles: 3 }]);
  const node = new LeaseNode(database, {
    egress: "a",
    settings: { TIMEFRAMES: "1m,1h,1d" },
    wanted: { binance: [BTC.symbol] },
  });
  await node.beat();
  const env = {
    DATABASE_URL: url!,
    EXCHANGES: "binance",
    SYMBOLS: "ETH/USDT",
    HTTP_PORT: String(freePort()),
  };
  // Nobody waits in full for a node that was told.
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, options) => systemClock.sleep(ms === LOOK_MS ? 1 : ms, options),
  };
  const forget = (): Promise<CommandResult> =>
    runInProcess(
      ["forget", "binance:BTC/USDT", "--delete", "--yes"],
      env,
      new AbortController().signal,
      "",
      clock,
    );
  const candles = async (): Promise<number> => {
    const [row] = await database.sql<{ n: number }[]>`select count(*)::int as n from ohlcv_1h`;
    return row!.n;
  };
  const refused = await forget();
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(
    refused.stderr.replaceAll(/\s+/g, " "),
    /Cannot delete binance BTC\/USDT: it is still archived by .+ Nothing was deleted\./,
  );
  assert.equal(await candles(), 3);

  const repair = await runInProcess(["gaps", "--repair"], env);
  assert.equal(repair.code, 1);
  assert.match(repair.stderr, /^Cannot repair gaps while the daemon uses the database/);

  const lacking = await runInProcess(["backfill"], {
    ...{ ...env, EGRESS: "elsewhere", SYMBOLS: BTC.symbol },
    ...{ TIMEFRAMES: "1d", BACKFILL: "1d:10d" },
  });
  assert.equal(lacking.code, 1);
  assert.match(
    lacking.stderr,
    /^Cannot share binance with the node .+: it polls 1m, 1h, which this command's TIMEFRAMES lacks/,
  );

  node.options = { ...node.options, wanted: { binance: [] } };
  await node.beat();
  const done = await forget();
  assert.equal(done.code, 0, done.stderr);
  assert.equal(await candles(), 0);
}

Deno.test("what is wanted of a symbol is said by the node that asks for it, and not by another one's settings", async (t) => {
  const test = await openTestDatabase("postgres");
  if (test === undefined) {
    return void await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
  }
  const exchange = await startLocalExchange({ clock: testClock });
  const { database } = test;
  try {
    await migrate(database, await readMigrations());
    const board = new LeaseBoard();
    const open = async (backfill: string): Promise<void> => {
      const archive = await openTestArchive(database, {
        ...{ EXCHANGES: "binance", SYMBOLS: BTC.symbol, TIMEFRAMES: "1h", BACKFILL: backfill },
        EXCHANGE_BINANCE: binanceAt(exchange),
      }, testClock);
      const leases = board.node();
      Object.assign(archive, { leases });
      await leases.gain("binance", []);
      const ended = endWithLeases(archive);
      await refreshMarkets(archive, archive.exchanges[0]!);
      ended();
    };
    const wanted = async (): Promise<unknown> => {
      const [row] = await database.sql`select wanted_since from checkpoints`;
      return row?.["wanted_since"];
    };
    await open("1h:30d");
    const before = await wanted();
    assert(before instanceof Date);
    await new LeaseNode(database, { egress: "a", wanted: { binance: [BTC.symbol] } }).settle();
    await open("1h:2d");
    assert.deepEqual(await wanted(), before);
  } finally {
    await exchange.close();
    await test.drop();
  }
});
