/** Futures whose host bans us: spot, which has another host, is archived all the same, and at its own pace. */
import assert from "node:assert/strict";
import { examine } from "../../lib/doctor/checkup.ts";
import { readMigrations } from "../../lib/store/connection/migrations.ts";
import { openExchange } from "../../lib/exchange/client.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { pollCapacities } from "../../lib/fetch/poll_capacity.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readExchangeStates } from "../../lib/store/exchange_state.ts";
import { restoreExchanges } from "../../lib/daemon/open_exchanges.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { perpetualOf } from "../support/local_exchange/binance.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const SPOT = "BTC/USDT";
const LINEAR = "BTC/USDT:USDT";
const HOUR_MS = 3_600_000;
/** Of twenty days. */
const HOURS = 480;
const NEWEST_MS = Math.floor(START_MS / HOUR_MS) * HOUR_MS;
const BAN_MS = 2 * HOUR_MS;

/** Waits of a minute and more pass at once. */
class HurriedClock extends TestClock {
  /** Called before each long wait. */
  onWait: () => Promise<void> = () => Promise.resolve();

  override async sleep(
    ms: number,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    if (ms < 60_000) return await super.sleep(ms / 10, options);
    await this.onWait();
    this.pass(ms);
  }
}

interface Scene {
  readonly database: Database;
  readonly clock: HurriedClock;
  readonly exchange: LocalExchange;
  readonly open: (
    change?: Readonly<Record<string, string>>,
  ) => ReturnType<typeof openTestArchive>;
  /** Lets the futures answer every request for candles with a ban of two hours. Returns what ends that. */
  readonly ban: () => { remove(): void };
  /** How often candles of futures were asked for. */
  readonly asked: () => number;
}

async function withScene(test: (scene: Scene) => Promise<void>): Promise<void> {
  const opened = await openAnyTest();
  const clock = new HurriedClock();
  const [btc] = LOCAL_SYMBOLS;
  const exchange = await startLocalExchange({
    clock,
    symbols: [btc!, perpetualOf(btc!)],
  });
  try {
    await emptyDatabase(opened.database);
    await test({
      database: opened.database,
      clock,
      exchange,
      open: (change = {}) =>
        openTestArchive(opened.database, {
          EXCHANGES: "binance",
          SYMBOLS: `${LINEAR},${SPOT}`,
          TIMEFRAMES: "1h",
          BACKFILL: "1h:20d",
          PAGE_LIMIT: "40",
          FETCH_TIMEOUT: "50s",
          // Behind the prefix, the hosts are the true ones.
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
          ...change,
        }, clock),
      ban: () =>
        exchange.faults.add({
          when: { symbol: LINEAR },
          fault: { kind: "status", status: 418, retryAfterSeconds: BAN_MS / 1000 },
        }),
      asked: () => exchange.requests.filter(({ path }) => path.includes("/fapi/v1/klines")).length,
    });
  } finally {
    await exchange.close();
    await opened.drop();
  }
}

async function candlesOf({ sql }: Database, symbol: string): Promise<number> {
  const [row] = await sql`select count(*)::int as n from ohlcv_1h where symbol = ${symbol}`;
  return row?.["n"];
}

Deno.test("a backfill of spot waits for no ban of the futures, which come when it is over", () =>
  withScene(async ({ database, clock, open, ban, asked }) => {
    const archive = await open();
    const fault = ban();
    let seen: unknown;
    clock.onWait = async () => {
      seen ??= [await candlesOf(database, SPOT), await candlesOf(database, LINEAR)];
      fault.remove();
    };
    const [report] = await backfill(archive, { patient: true });
    assert.deepEqual(seen, [HOURS, 0]);
    assert.deepEqual([report?.added, report?.left], [2 * HOURS, 0]);
    // As many as are in flight at once are told of the ban, and the pages come after it.
    assert(asked() <= 6 + HOURS / 40 + 6, `${asked()} requests`);
  }));

Deno.test("a ban of the futures is in force after a restart, and spot is archived meanwhile", () =>
  withScene(async ({ database, clock, open, ban, asked }) => {
    const before = await open({ BACKFILL: "1h:2d" });
    ban();
    const poll = new Poll(before);
    assert.deepEqual((await poll.runOnce()).failed, 1);
    const askedBefore = asked();
    const [state] = await readExchangeStates(database);
    const minutesLeft = (untilMs = NaN): number => Math.round((untilMs - clock.now()) / 60_000);
    assert.deepEqual(state?.bans.map(({ host, untilMs }) => [host, minutesLeft(untilMs)]), [
      ["fapi.binance.com", BAN_MS / 60_000],
    ]);
    assert.equal(minutesLeft(state.bannedUntilMs), BAN_MS / 60_000);
    assert.deepEqual(before.exchanges[0]?.bannedKinds, ["linear"]);

    const after = await open({ BACKFILL: "1h:2d" });
    await restoreExchanges(after, after.exchanges);
    const report = await new Poll(after).runOnce();
    assert.deepEqual([report.asked, report.failed], [1, 0], "spot's");
    assert.equal(asked(), askedBefore, "nothing is asked of the host that has banned us");
    assert.deepEqual(after.exchanges[0]?.bannedKinds, ["linear"]);
    const [binance] = after.exchanges;
    assert.deepEqual(binance?.markets.value?.unloaded.map(({ symbol }) => symbol), [LINEAR]);
  }));

Deno.test("gaps of futures that are banned use up no ask of spot's", () =>
  withScene(async ({ database, clock, exchange, open, ban, asked }) => {
    const holes = [SPOT, LINEAR].flatMap((symbol) =>
      [30, 100, 200].map((hoursAgo) => {
        const sinceMs = NEWEST_MS - hoursAgo * HOUR_MS;
        return exchange.faults.add({
          when: { symbol },
          fault: { kind: "holes", sinceMs, untilMs: sinceMs + HOUR_MS },
        });
      })
    );
    await backfill(await open({ PAGE_LIMIT: "200" }), { patient: false });
    for (const one of holes) one.remove();
    const archive = await open({ PAGE_LIMIT: "9" });
    await refreshMarkets(archive, archive.exchanges[0]!);
    clock.pass(6 * 60_000);
    ban();
    const before = asked();
    const report = await repairGaps(archive);
    assert.equal(report.filled, 3, JSON.stringify(report));
    assert.equal(asked() - before, 1);
    const rows = await database.sql`select distinct symbol from gaps where state = 'filled'`;
    assert.deepEqual(rows.map(({ symbol }) => symbol), [SPOT]);
  }));

Deno.test("spot's host that bans from the first request on leaves the futures", () =>
  withScene(async ({ database, exchange, open }) => {
    const fault = exchange.faults.add({
      when: { host: "api.binance.com" },
      fault: { kind: "status", status: 418, retryAfterSeconds: BAN_MS / 1000 },
    });
    const archive = await open();
    const [report] = await backfill(archive, { patient: false });
    assert.equal(await candlesOf(database, LINEAR), HOURS);
    assert.equal(await candlesOf(database, SPOT), 0);
    assert.match(report?.unloaded.join() ?? "", /BTC\/USDT: .*spot markets.*HTTP 418/);
    assert.deepEqual(archive.exchanges[0]?.bannedKinds, ["spot"]);
    fault.remove();
  }));

Deno.test("the doctor asks for candles of each kind of market, and names that which is banned", () =>
  withScene(async ({ open, ban }) => {
    const archive = await open({ RETRY_ATTEMPTS: "1" });
    ban();
    const { exchanges: [binance] } = await examine(archive, { migrations: await readMigrations() });
    const candles = binance?.checks.filter(({ check }) => check === "candles") ?? [];
    const about = (isOk: boolean): readonly string[] =>
      candles.filter(({ ok }) => ok === isOk).map(({ message }) => message);
    assert.match(about(true).join(), /^5 of the newest 5 of BTC\/USDT 1h came/);
    assert.match(about(false).join(), /BTC\/USDT:USDT 1h.*HTTP 418/);
    assert.equal(candles.length, 2);
    const entries = binance?.capabilities.map(({ market, timeframe }) => `${market} ${timeframe}`);
    assert.deepEqual(entries, ["linear 1h", "spot 1h"]);
  }));

Deno.test("a ban of all hosts that were asked is one of the exchange", () =>
  withScene(async ({ exchange, open, asked }) => {
    const archive = await open({ SYMBOLS: SPOT });
    exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "status", status: 418, retryAfterSeconds: BAN_MS / 1000 },
    });
    const [report] = await backfill(archive, { patient: false });
    assert.equal(report?.added, 0);
    const [binance] = archive.exchanges;
    assert.deepEqual(binance?.bannedKinds, []);
    assert.equal(asked(), 0);
  }));

Deno.test("kinds of markets on hosts of their own have each a pace, and their polls are counted by it", () =>
  withScene(async ({ exchange, open }) => {
    const archive = await open({
      TIMEFRAMES: "1m",
      BACKFILL: "off",
      EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 40_000 }),
    });
    const [binance] = archive.exchanges;
    const markets = await refreshMarkets(archive, binance!);
    const capacities = await pollCapacities(archive, binance!, markets);
    assert.deepEqual([...capacities].map(([lane, { kinds, symbols }]) => [lane, kinds, symbols]), [
      ["", ["spot"], 1],
      ["fapi.binance.com", ["linear"], 1],
    ]);

    const clock = new ManualClock({ startMs: START_MS });
    const client = await openExchange("binance", {
      clock,
      config: { proxyUrl: exchange.proxyUrl, rateLimit: 40_000 },
      symbols: [SPOT, LINEAR],
    });
    const list = await client.loadMarkets();
    const hosts = await Promise.all(
      [SPOT, LINEAR].map((symbol) =>
        client.hostOf({ exchange: "binance", symbol, timeframe: parseTimeframe("1h") }, list)
      ),
    );
    assert.deepEqual(hosts, ["api.binance.com", "fapi.binance.com"]);
    // What loading the markets has cost was charged to the main pace.
    await client.turn("live", { host: "fapi.binance.com" });
    let isSpotsTurn = false;
    const spot = client.turn("live", { host: "api.binance.com" }).then(() => isSpotsTurn = true);
    await clock.advance(1);
    assert.equal(isSpotsTurn, false);
    await clock.advance(60 * 60_000);
    await spot;
    // Both have had a turn now, and neither waits for the other's.
    let turns = 0;
    const both = hosts.map((host) => client.turn("live", { host }).then(() => turns++));
    await clock.advance(1);
    assert.equal(turns, 2);
    await Promise.all(both);
  }));

Deno.test("where all kinds come from one host they share one pace, and its ban bars all", () =>
  withScene(async ({ exchange, open, clock }) => {
    const archive = await open({
      EXCHANGE_PROXY_URL: "",
      EXCHANGE_BINANCE: JSON.stringify({
        rateLimit: 1,
        urls: {
          api: {
            public: `${exchange.url}/api/v3`,
            fapiPublic: `${exchange.url}/fapi/v1`,
            dapiPublic: `${exchange.url}/dapi/v1`,
          },
        },
      }),
    });
    const [binance] = archive.exchanges;
    const markets = await refreshMarkets(archive, binance!);
    assert.deepEqual([...(await pollCapacities(archive, binance!, markets)).keys()], [""]);
    exchange.faults.add({
      when: { symbol: LINEAR },
      fault: { kind: "status", status: 418, retryAfterSeconds: BAN_MS / 1000 },
      times: 1,
    });
    const series = markets.series.find(({ symbol }) => symbol === LINEAR)!;
    const window = { sinceMs: NEWEST_MS - HOUR_MS, untilMs: NEWEST_MS };
    await assert.rejects(binance!.askPage(series, window, { priority: "live" }));
    const spot = markets.series.find(({ symbol }) => symbol === SPOT)!;
    const before = exchange.requests.length;
    await assert.rejects(binance!.askPage(spot, window, { priority: "live" }), {
      kind: "rate_limited",
      untilMs: clock.now() + BAN_MS,
    });
    assert.equal(exchange.requests.length, before);
    assert.deepEqual(binance!.bannedKinds, []);
  }));
