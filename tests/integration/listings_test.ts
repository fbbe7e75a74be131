/** Symbols come and go: where their history begins, what happens when they vanish, come back or change names. @module */
import assert from "node:assert/strict";
import type { Clock } from "../../lib/clock.ts";
import type { Archive } from "../../lib/archive/archive.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { readAccounts } from "../../lib/gap/account.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { CONFIRM_AFTER_MS } from "../../lib/gap/first_candle.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { LOCAL_SYMBOLS, type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import { closedUntil, floorTime, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readGaps } from "../support/gap_rows.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import {
  assertSameCandles,
  binanceAt,
  emptyDatabase,
  openTestArchive,
} from "../support/local_archive.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const HOUR = parseTimeframe("1h");
const DAY = parseTimeframe("1d");
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const [BTC] = LOCAL_SYMBOLS as readonly [LocalSymbol];
const BOTH = LOCAL_SYMBOLS.filter(({ symbol }) => ["BTC/USDT", "ETH/USDT"].includes(symbol));

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  readonly clock: Clock;
  /** Lets time pass for the exchange and for the archive. */
  readonly pass: (ms: number) => void;
  readonly open: (variables?: Readonly<Record<string, string>>) => Promise<Archive>;
}

Deno.test("symbols may come and go", async (t) => {
  const opened = await openAnyTest();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, () => withScene(opened.database, test));
    }
  } finally {
    await opened.drop();
  }
});
const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "the day of a listing is searched for, and the years before are not asked for": async (scene) => {
    const listedAtMs = scene.clock.now() - 700 * DAY_MS;
    scene.exchange.symbols.list({ ...BTC, listedAtMs });
    for (const pageLimit of ["1000", "100"]) {
      await emptyDatabase(scene.database);
      const before = scene.exchange.requests.length;
      const archive = await scene.open({ BACKFILL: "1h:5y", PAGE_LIMIT: pageLimit });
      await backfillAll(archive);
      const asked = scene.exchange.requests.slice(before)
        .filter(({ query }) => query["interval"] === "1h")
        .map(({ query }) => Number(query["startTime"]));
      assert(Math.min(...asked) >= floorTime(DAY, listedAtMs), `page limit ${pageLimit}`);
      assert(
        scene.exchange.requests.length - before - asked.length < 12,
        "a handful of asks for days",
      );
      await assertSame(scene, "BTC/USDT", scene.clock.now() - 5 * 365 * DAY_MS);

      await repairGaps(archive);
      scene.pass(CONFIRM_AFTER_MS);
      await repairGaps(archive);
      const [gap, ...others] = await readGaps(scene.database);
      assert.deepEqual(others, []);
      assert.equal(gap?.state, "before_listing");
      assert.equal(gap?.window.untilMs, floorTime(HOUR, listedAtMs));
    }
  },

  "a symbol listed before all that is wanted costs one ask to find out": async (scene) => {
    const archive = await scene.open({ BACKFILL: "1h:5y" });
    await backfillAll(archive);
    const days = scene.exchange.requests.filter(({ query }) => query["interval"] === "1d");
    assert.equal(days.length, 1);
    const [checkpoint] = await readCheckpoints(scene.database);
    assert.equal(checkpoint?.listedFromMs, undefined);
  },

  "an exchange that does not answer the search is asked page by page": async (scene) => {
    scene.exchange.symbols.list({ ...BTC, listedAtMs: scene.clock.now() - 400 * DAY_MS });
    scene.exchange.faults.add({
      when: { timeframe: "1d" },
      fault: { kind: "status", status: 400 },
    });
    const archive = await scene.open({ BACKFILL: "1h:2y" });
    await backfillAll(archive);
    await assertSame(scene, "BTC/USDT", scene.clock.now() - 2 * 365 * DAY_MS);
  },

  "a delisted symbol among twenty costs the others nothing: their candles arrive in the same tick":
    async (
      scene,
    ) => {
      const symbols = Array.from({ length: 20 }, (_, i) => `COIN${i}/USDT`);
      const { base: _base, quote: _quote, symbol: _symbol, ...facts } = BTC;
      for (const symbol of symbols) scene.exchange.symbols.list(market(symbol, facts));
      const archive = await scene.open({ SYMBOLS: symbols.join(","), BACKFILL: "off" });
      const poll = new Poll(archive);
      const tick = async (): Promise<readonly number[]> => {
        const { added, asked, failed } = await poll.runOnce();
        return [added, asked, failed];
      };
      // The forming candle is not closed, the four before it are older than the first poll looks.
      assert.deepEqual(await tick(), [20 * 5, 20, 0]);
      scene.exchange.symbols.delist("COIN7/USDT", { forget: true });
      scene.pass(HOUR_MS);
      assert.deepEqual(await tick(), [19, 20, 1]);
      // The refusal has the markets loaded again; from then on nobody asks for the symbol.
      const asksForIt = (): number =>
        scene.exchange.requests.filter(({ query }) => query["symbol"] === "COIN7USDT").length;
      const asks = asksForIt();
      for (let hour = 0; hour < 3; hour++) {
        scene.pass(HOUR_MS);
        assert.equal((await tick())[0], 19);
      }
      assert.equal(asksForIt(), asks);
      assert.deepEqual(await tick(), [0, 0, 0], "nothing is due, and nothing fails for ever");

      const ended = (await readCheckpoints(scene.database)).find(({ series }) =>
        series.symbol === "COIN7/USDT"
      );
      assert.equal(ended?.endedWhy, "delisted");
      await repairGaps(archive);
      const account = await accountOf(scene, archive, "COIN7/USDT");
      assert.deepEqual([account?.owed, account?.missing], [0, 0]);
    },

  "a symbol that is listed again starts a listing of its own: the pause shows, nothing is spliced":
    async (
      scene,
    ) => {
      const archive = await scene.open({ SYMBOLS: "BTC/USDT,ETH/USDT" });
      await backfillAll(archive);
      const poll = new Poll(archive);
      scene.exchange.symbols.delist("BTC/USDT", { forget: true });
      const endedMs = scene.clock.now();
      for (let hour = 0; hour < 30; hour++) {
        scene.pass(HOUR_MS);
        await poll.runOnce();
      }
      scene.exchange.symbols.list({ ...BTC, price: 3, listedAtMs: scene.clock.now() });
      for (let hour = 0; hour < 48; hour++) {
        scene.pass(HOUR_MS);
        await poll.runOnce();
      }
      await backfillAll(archive);
      await repairGaps(archive);
      const [btc] = await readCheckpoints(scene.database);
      assert.deepEqual([btc?.endedMs, btc?.covered.length], [undefined, 2]);
      const [first, second] = btc?.covered ?? [];
      assert(first !== undefined && second !== undefined);
      assert(first.untilMs <= endedMs, "the first listing's coverage ends with it");
      assert(second.sinceMs >= endedMs + 24 * HOUR_MS, "the second one's begins after the pause");
      const pause = (await readGaps(scene.database)).find(({ window }) =>
        window.sinceMs === first.untilMs
      );
      assert.deepEqual([pause?.state, pause?.window.untilMs], ["before_listing", second.sinceMs]);
      const listings = await scene.database.sql`
      select why, until is null as open from listings where symbol = 'BTC/USDT' order by since`;
      assert.deepEqual(listings.map((row) => ({ ...row })), [
        { why: "delisted", open: false },
        { why: null, open: true },
      ]);
      assert.deepEqual(await told(scene, archive), [
        ["delisted", "BTC/USDT"],
        ["relisted", "BTC/USDT"],
        ["listed", null],
      ]);
    },

  "a suspended market is not polled, and its pause is asked about when it is traded again": async (
    scene,
  ) => {
    const archive = await scene.open({ SYMBOLS: "BTC/USDT,ETH/USDT" });
    await backfillAll(archive);
    const poll = new Poll(archive);
    const sinceMs = scene.clock.now();
    scene.exchange.symbols.delist("BTC/USDT");
    scene.pass(25 * HOUR_MS);
    assert.equal((await poll.runOnce()).asked, 1, "ETH/USDT alone");
    await backfillAll(archive);
    assert.equal((await readCheckpoints(scene.database))[0]?.endedWhy, "suspended");
    scene.pass(10 * HOUR_MS);
    const untilMs = scene.clock.now();
    scene.exchange.symbols.list({ ...BTC, holes: [{ sinceMs, untilMs }] });
    scene.pass(25 * HOUR_MS);
    assert.equal((await poll.runOnce()).asked, 2);
    await backfillAll(archive);
    for (let run = 0; run < 4; run++) {
      await repairGaps(archive);
      scene.pass(HOUR_MS);
    }
    const gaps = (await readGaps(scene.database)).filter(({ series }) =>
      series.symbol === "BTC/USDT"
    );
    assert(gaps.length > 0 && gaps.every(({ state }) => state === "no_trades"));
    assert.equal((await accountOf(scene, archive, "BTC/USDT"))?.missing, 0);
    assert.deepEqual((await told(scene, archive)).slice(0, 2), [
      ["suspended", "BTC/USDT"],
      ["relisted", "BTC/USDT"],
    ]);
  },

  "a market that is listed under another symbol was renamed: its series ends and names the new one":
    async (
      scene,
    ) => {
      const archive = await scene.open({ SYMBOLS: "BTC/USDT,ETH/USDT" });
      await new Poll(archive).runOnce();
      const { base: _base, quote: _quote, symbol: _symbol, ...facts } = BTC;
      scene.exchange.symbols.delist("BTC/USDT", { forget: true });
      // The local exchange, like its model, joins base and quote to the id BTCUSDT.
      scene.exchange.symbols.list(market("BTCUS/DT", facts));
      scene.pass(25 * HOUR_MS);
      await new Poll(archive).runOnce();
      const [listing] = await scene.database.sql`
      select why, successor from listings where symbol = 'BTC/USDT'`;
      assert.deepEqual({ ...listing }, { why: "renamed", successor: "BTCUS/DT" });
      assert.deepEqual(await told(scene, archive), [["renamed", "BTC/USDT"]]);
    },

  "markets that cannot be loaded again still serve": async (scene) => {
    const archive = await scene.open({ SYMBOLS: "BTC/USDT,ETH/USDT" });
    const poll = new Poll(archive);
    await poll.runOnce();
    scene.exchange.faults.add({
      when: { about: "markets" },
      fault: { kind: "status", status: 500 },
    });
    scene.pass(25 * HOUR_MS);
    const { asked, failed } = await poll.runOnce();
    assert.deepEqual([asked, failed], [2, 0]);
  },

  "lists of markets without any archived symbol end them after a day, whichever program loads them":
    async (scene) => {
      const fill = async (): Promise<string> => {
        const [report] = await backfill(await scene.open({ SYMBOLS: "BTC/USDT,ETH/USDT" }), {
          patient: false,
        });
        return report?.problems.join() ?? "";
      };
      const ends = async (): Promise<readonly unknown[]> =>
        (await readCheckpoints(scene.database)).map(({ endedWhy }) => endedWhy);
      assert.equal(await fill(), "");
      for (const { symbol } of BOTH) scene.exchange.symbols.delist(symbol, { forget: true });
      scene.pass(HOUR_MS);
      for (let hour = 0; hour < 24; hour += 8) {
        assert.match(await fill(), /none of 2 archived symbols is listed/);
        scene.pass(8 * HOUR_MS);
      }
      for (const symbol of BOTH) scene.exchange.symbols.list(symbol);
      assert.equal(await fill(), "");
      assert.deepEqual(await ends(), [undefined, undefined], "the lists were broken until now");
      for (const { symbol } of BOTH) scene.exchange.symbols.delist(symbol, { forget: true });
      assert.match(await fill(), /none of 2 archived symbols is listed/, "it begins anew");
      scene.pass(24 * HOUR_MS);
      assert.equal(await fill(), "");
      assert.deepEqual(await ends(), ["delisted", "delisted"]);
    },
};

async function accountOf(
  { database, clock }: Scene,
  { config }: Archive,
  symbol: string,
): Promise<Awaited<ReturnType<typeof readAccounts>>[number] | undefined> {
  const accounts = await readAccounts(database, {
    config,
    nowMs: clock.now(),
    newestCandlesMax: () => undefined,
  });
  return accounts.find(({ series }) => series.symbol === symbol);
}

async function withScene(database: Database, test: (scene: Scene) => Promise<void>): Promise<void> {
  await emptyDatabase(database);
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  try {
    await test({
      database,
      exchange,
      clock,
      pass: (ms) => clock.pass(ms),
      open: (variables = {}) =>
        openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: "BTC/USDT",
          TIMEFRAMES: "1h",
          BACKFILL: "1h:30d",
          EXCHANGE_BINANCE: binanceAt(exchange),
          ...variables,
        }, clock),
    });
  } finally {
    await exchange.close();
  }
}

async function backfillAll(archive: Archive): Promise<BackfillReport | undefined> {
  const [report] = await backfill(archive, { patient: false });
  assert.deepEqual(report?.problems, []);
  assert.equal(report?.left, 0);
  return report;
}

async function assertSame(
  { database, exchange, clock }: Scene,
  symbol: string,
  sinceMs: number,
): Promise<void> {
  const window = { sinceMs, untilMs: closedUntil(HOUR, clock.now()) };
  await assertSameCandles(database, exchange, { symbol, timeframe: "1h", window });
}

/** What the event log says of listings, oldest first. */
async function told(
  { database }: Scene,
  { events }: Archive,
): Promise<readonly (readonly [kind: string, symbol: string | null])[]> {
  await events.flush(database);
  const rows = await database.sql<{ kind: string; symbol: string | null }[]>`
    select kind, symbol from events
    where kind in ('listed', 'relisted', 'delisted', 'suspended', 'renamed') order by time, id`;
  return rows.map(({ kind, symbol }) => [kind, symbol]);
}
