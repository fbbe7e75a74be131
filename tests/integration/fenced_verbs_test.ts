/** A node that has lost a symbol without knowing it: what it asks for is refused, is no failure, and holds up no other symbol. */
import assert from "node:assert/strict";
import { ALL_LEASES } from "../../lib/archive/leases.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { fetchFunding } from "../../lib/fetch/funding.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { ingestPage } from "../../lib/fetch/page.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { isFenced } from "../../lib/store/connection/store_error.ts";
import { readFundingCheckpoints } from "../../lib/store/funding_ledger.ts";
import { type Checkpoint, readCheckpoints } from "../../lib/store/ledger.ts";
import { readGaps } from "../support/gap_rows.ts";
import { LeaseNode } from "../support/lease_nodes.ts";
import { A, B } from "../support/lease_pages.ts";
import {
  assertSameCandles,
  binanceAt,
  emptyDatabase,
  openTestArchive,
} from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { withPerpetuals } from "../support/perpetual_scene.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const MINUTE_MS = 60_000;
const [BTC, ETH] = ["BTC/USDT", "ETH/USDT"] as const;
const CLOSE_MS = Date.UTC(2024, 2, 15, 13);
const SERIES = { exchange: "binance", symbol: BTC, timeframe: parseTimeframe("1m") } as const;

type Node = Awaited<ReturnType<typeof openTestArchive>>;

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  /** Of both symbols, by leases that it takes for its own: of BTC a later one has been given to the other node. */
  readonly late: Node;
  /** Has the later lease of BTC. */
  readonly other: Node;
}

Deno.test("a node that has lost a symbol without knowing it", async (t) => {
  const { database, drop } = await openAnyTest();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, () => withNodes(database, test));
    }
  } finally {
    await drop();
  }
});

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "polls, and only what it has is stored": async ({ database, exchange, late, other }) => {
    await backfill(other, { patient: false });
    const before = await ledgerOf(database, BTC);
    testClock.pass(MINUTE_MS);
    const asked = askedOf(exchange, BTC);
    const report = await new Poll(late).runOnce();
    assert.deepEqual([report.failed, report.skipped], [0, 0]);
    assert.equal(askedOf(exchange, BTC), asked + 1, "it is not asked for again");
    assert.deepEqual(await ledgerOf(database, BTC), before);
    assert.ok((await ledgerOf(database, ETH))!.candles > 0);
    assert.deepEqual(await stampsOf(database), { [BTC]: `2 ${B}`, [ETH]: `1 ${A}` });
    assertQuiet(late);
  },

  "backfills, and the other symbol is whole": async ({ database, exchange, late, other }) => {
    await new Poll(other).runOnce();
    const before = await ledgerOf(database, BTC);
    const [report] = await backfill(late, { patient: false });
    assert.deepEqual([report?.failed, report?.problems], [0, []]);
    assert.deepEqual(await ledgerOf(database, BTC), before);
    const window = { sinceMs: CLOSE_MS - 60 * MINUTE_MS, untilMs: CLOSE_MS };
    await assertSameCandles(database, exchange, { symbol: ETH, timeframe: "1m", window });
    assertQuiet(late);
  },

  "repairs, and the gaps of the symbol are left to the other one": async (scene) => {
    const { database, exchange, late, other } = scene;
    const hole = { sinceMs: CLOSE_MS - 40 * MINUTE_MS, untilMs: CLOSE_MS - 35 * MINUTE_MS };
    const holes = exchange.faults.add({ fault: { kind: "holes", ...hole } });
    await backfill(late, { patient: false });
    holes.remove();
    testClock.pass(2 * MINUTE_MS);
    await new Poll(other).runOnce();
    const repaired = await repairGaps(late);
    assert.deepEqual([repaired.asked, repaired.filled, repaired.concluded], [1, 1, 0]);
    const gaps = (await readGaps(database)).filter(({ state }) => state !== "filled");
    assert.deepEqual(
      gaps.map(({ series, state, attempts }) => ({ symbol: series.symbol, state, attempts })),
      [{ symbol: BTC, state: "suspected", attempts: 0 }],
    );
    assertQuiet(late);
    // It is due at once.
    assert.equal((await repairGaps(other)).filled, 1);
  },

  "is answered after the other one, and its values are not stored": async (scene) => {
    const { database, exchange, late, other } = scene;
    exchange.faults.add({ fault: { kind: "late_final", lateMs: 6_000 } });
    await refreshMarkets(late, late.exchanges[0]!);
    await backfill(other, { patient: false });
    const window = { sinceMs: CLOSE_MS - 5 * MINUTE_MS, untilMs: CLOSE_MS };
    const ask = { window, priority: "live" } as const;
    exchange.faults.add({ fault: { kind: "latency", ms: 400 }, times: 1 });
    const asked = askedOf(exchange, BTC);
    const held = ingestPage(late, late.exchanges[0]!, SERIES, ask).catch((error) => error);
    await until("a request", () => askedOf(exchange, BTC) > asked);
    testClock.pass(10_000);
    assert.equal((await ingestPage(other, other.exchanges[0]!, SERIES, ask)).revised, 1);
    assert.ok(isFenced(await held), String(await held));
    assert.equal(askedOf(exchange, BTC), asked + 2, "it is not asked for again");
    await database.sql`delete from ohlcv_1m where time < ${new Date(window.sinceMs)}`;
    await assertSameCandles(database, exchange, { symbol: BTC, timeframe: "1m", window });
  },

  "has a lease that was given to the other one, too, and goes on by the next one": async (
    scene,
  ) => {
    const { database, late, other } = scene;
    const node = new LeaseNode(database, { egress: "a", wanted: { binance: [BTC, ETH] } });
    const beat = async (): Promise<number> => {
      const [{ symbols, epochs } = assert.fail()] = (await node.settle()).leases
        .filter(({ exchange }) => exchange === "binance");
      assignLeases(late, node.id, (symbol) => epochs[symbols.indexOf(symbol)]!);
      return epochs[symbols.indexOf(BTC)]!;
    };
    const epoch = await beat();
    assignLeases(other, B, () => epoch);
    await backfill(other, { patient: false });
    const before = await ledgerOf(database, BTC);
    testClock.pass(MINUTE_MS);
    const poll = new Poll(late);
    assert.equal((await poll.runOnce()).failed, 0);
    assert.deepEqual(await ledgerOf(database, BTC), before);
    assert.equal(await beat(), epoch + 1);
    testClock.pass(MINUTE_MS);
    assert.equal((await poll.runOnce()).failed, 0);
    assert.equal((await stampsOf(database))[BTC], `${epoch + 1} ${node.id}`);
    assert.equal((await ledgerOf(database, BTC))!.lastMs, CLOSE_MS + MINUTE_MS);
    await node.end();
  },

  "learns of it, and asks for nothing": async ({ database, exchange, late }) => {
    await refreshMarkets(late, late.exchanges[0]!);
    Object.assign(late, { leases: { ...late.leases, holds: () => false } });
    const asked = exchange.requests.length;
    const window = { sinceMs: CLOSE_MS - 5 * MINUTE_MS, untilMs: CLOSE_MS };
    const page = ingestPage(late, late.exchanges[0]!, SERIES, { window, priority: "live" });
    await assert.rejects(page, { name: "FetchError", kind: "cancelled" });
    assert.equal(exchange.requests.length, asked);
    assert.equal((await ledgerOf(database, BTC))?.candles ?? 0, 0);
  },
};

Deno.test("funding rates that an older lease has asked for are not stored, and are no failure", async () => {
  await withPerpetuals("binance", async (scene) => {
    const late = await scene.open({ "1d": "30d" });
    await refreshMarkets(late, late.exchanges[0]!);
    assignLeases(late, A, () => 1);
    await fetchFunding(late);
    const [symbol = assert.fail()] = scene.perpetuals;
    await scene.database.sql`
      update funding_checkpoints set epoch = 2, holder = ${B}, covered = '{}' where symbol = ${symbol}`;
    const before = await fundingOf(scene.database);
    const [report] = await fetchFunding(late);
    assert.deepEqual([report?.failed, report?.problems], [0, []]);
    assert.deepEqual(await fundingOf(scene.database), before);
    assignLeases(late, B, () => 2);
    await fetchFunding(late);
    const rows = await readFundingCheckpoints(scene.database);
    assert.ok(rows.find((row) => row.symbol === symbol)!.covered.length > 0);
  });
});

async function withNodes(
  database: Database,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  testClock.restart(CLOSE_MS + 1_000);
  await emptyDatabase(database);
  const exchange = await startLocalExchange({ clock: testClock });
  try {
    const open = (symbols: string): Promise<Node> =>
      openTestArchive(database, {
        EXCHANGES: "binance",
        SYMBOLS: symbols,
        TIMEFRAMES: "1m",
        BACKFILL: "1m:1h",
        FETCH_TIMEOUT: "60s",
        EXCHANGE_BINANCE: binanceAt(exchange),
      });
    const other = await open(BTC);
    // The log is that of the newest archive.
    const late = await open(`${BTC},${ETH}`);
    assignLeases(late, A, () => 1);
    assignLeases(other, B, (symbol) => symbol === BTC ? 2 : 0);
    await test({ database, exchange, late, other });
  } finally {
    await exchange.close();
  }
}

function assignLeases(node: Node, holder: string, epochOf: (symbol: string) => number): void {
  const leases = {
    ...ALL_LEASES,
    stampOf: (_exchange: string, symbol: string) => ({ holder, epoch: epochOf(symbol) }),
  };
  Object.assign(node, { leases });
}

/** Nothing is told as a failure. */
function assertQuiet({ lines }: Node): void {
  const told = lines.map((line) => JSON.parse(line)).filter(({ level }) =>
    level === "warn" || level === "error"
  );
  assert.deepEqual(told, []);
}

function askedOf({ requests }: LocalExchange, symbol: string): number {
  const id = symbol.replace("/", "");
  return requests.filter(({ endpoint, query }) => endpoint === "klines" && query["symbol"] === id)
    .length;
}

/** What pages have told of a symbol. */
async function ledgerOf(
  database: Database,
  symbol: string,
): Promise<Pick<Checkpoint, "candles" | "covered" | "unsettled" | "lastMs"> | undefined> {
  const row = (await readCheckpoints(database)).find(({ series }) => series.symbol === symbol);
  if (row === undefined) return undefined;
  const { candles, covered, unsettled, lastMs } = row;
  return { candles, covered, unsettled, lastMs };
}

/** What answers have told of funding rates. */
async function fundingOf(database: Database): Promise<readonly unknown[]> {
  return (await readFundingCheckpoints(database)).map((
    { symbol, covered, rates, lastMs, lastError },
  ) => ({
    ...{ symbol, covered, rates, lastMs, lastError },
  }));
}

async function stampsOf({ sql }: Database): Promise<Readonly<Record<string, string>>> {
  const rows = await sql<{ symbol: string; stamp: string }[]>`
    select symbol, concat(epoch, ' ', holder) as stamp from checkpoints`;
  return Object.fromEntries(rows.map(({ symbol, stamp }) => [symbol, stamp]));
}
