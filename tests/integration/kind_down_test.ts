/** Futures that are down after their markets were loaded: spot is archived all the same, and it is told which kind is down. */
import assert from "node:assert/strict";
import type { Clock } from "../../lib/clock.ts";
import { Alerts } from "../../lib/alert/alerting.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { perpetualOf } from "../support/local_exchange/binance.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const SPOT = "BTC/USDT";
const LINEAR = "BTC/USDT:USDT";
const HOUR_MS = 3_600_000;
/** Of twenty days. */
const HOURS = 480;
const NEWEST_MS = Math.floor(START_MS / HOUR_MS) * HOUR_MS;

/** Waits of a minute and more pass at once, or never if told so. */
class HurriedClock extends TestClock {
  /** Called at each long wait; returns whether it passes. */
  onWait: () => Promise<boolean> = () => Promise.resolve(true);

  override async sleep(
    ms: number,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    if (ms < 60_000) return await super.sleep(ms / 10, options);
    if (await this.onWait()) return this.pass(ms);
    await new Promise((_resolve, reject) => {
      if (options.signal?.aborted) reject(options.signal.reason);
      options.signal?.addEventListener("abort", () => reject(options.signal?.reason));
    });
  }
}

interface Scene {
  readonly database: Database;
  readonly clock: HurriedClock;
  readonly exchange: LocalExchange;
  readonly open: (
    change?: Readonly<Record<string, string>>,
    clock?: Clock,
  ) => ReturnType<typeof openTestArchive>;
  /** Lets the futures answer 500 to every request for candles. Returns what ends that. */
  readonly breakFutures: () => { remove(): void };
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
          // In real time five seconds, see the clock.
          FETCH_TIMEOUT: "50s",
          BREAKER_FAILURES: "2",
          BREAKER_COOLDOWN: "1h",
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
          ...change,
        }, clock),
      breakFutures: () =>
        exchange.faults.add({ when: { symbol: LINEAR }, fault: { kind: "status", status: 500 } }),
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

Deno.test("the daemon's backfill of spot waits for no futures that are down", () =>
  withScene(async ({ database, clock, open, breakFutures }) => {
    const archive = await open();
    breakFutures();
    const stopping = new AbortController();
    let spot: number | undefined;
    clock.onWait = async () => {
      spot ??= await candlesOf(database, SPOT);
      stopping.abort(new Error("the test has seen enough"));
      return false;
    };
    await backfill(archive, { patient: true, signal: stopping.signal });
    assert.equal(spot, HOURS, "all of it before anybody waits for the futures");
  }));

Deno.test("one backfill gives up only the kind that is down, and all comes when it is back", () =>
  withScene(async ({ database, exchange, open, breakFutures }) => {
    const archive = await open();
    const fault = breakFutures();
    const [report] = await backfill(archive, { patient: false });
    assert.deepEqual([report?.added, report?.left], [HOURS, HOURS]);
    assert.match(report?.problems.join("\n") ?? "", /BTC[/]USDT:USDT 1h: .*500/);
    assert.equal(await candlesOf(database, SPOT), HOURS);
    const asked = exchange.requests.filter(({ path }) => path.includes("/fapi/v1/klines")).length;
    assert(asked < 20, `${asked} requests to a server that is down`);
    fault.remove();
    const [again] = await backfill(archive, { patient: false });
    assert.equal(again?.left, 0);
    assert.equal(await candlesOf(database, LINEAR), HOURS);
  }));

Deno.test("futures that come back during a backfill are fetched by it", () =>
  withScene(async ({ clock, open, breakFutures }) => {
    const archive = await open();
    const fault = breakFutures();
    clock.onWait = () => {
      fault.remove();
      return Promise.resolve(true);
    };
    const [report] = await backfill(archive, { patient: true });
    assert.deepEqual([report?.added, report?.left], [2 * HOURS, 0]);
  }));

Deno.test("gaps of futures that are down use up no ask of spot's", () =>
  withScene(async ({ database, clock, exchange, open, breakFutures }) => {
    const hole = (symbol: string, hoursAgo: number): { remove(): void } => {
      const sinceMs = NEWEST_MS - hoursAgo * HOUR_MS;
      return exchange.faults.add({
        when: { symbol },
        fault: { kind: "holes", sinceMs, untilMs: sinceMs + HOUR_MS },
      });
    };
    const holes = Array.from({ length: 55 }, (_, at) => hole(LINEAR, 8 * at + 30));
    holes.push(hole(SPOT, 475));
    await backfill(await open({ PAGE_LIMIT: "200" }), { patient: false });
    for (const one of holes) one.remove();
    // Pages so short that no two gaps fit into one.
    const archive = await open({ PAGE_LIMIT: "9" });
    await refreshMarkets(archive, archive.exchanges[0]!);
    clock.pass(6 * 60_000);
    breakFutures();
    const report = await repairGaps(archive);
    assert.equal(report.filled, 1, JSON.stringify(report));
    const rows = await database.sql`select symbol, state from gaps where state = 'filled'`;
    assert.deepEqual(rows.map((row) => ({ ...row })), [{ symbol: SPOT, state: "filled" }]);
  }));

Deno.test("the breaker of a kind shows, by its name, and those of others stay closed", () =>
  withScene(async ({ database, clock, open, breakFutures }) => {
    const archive = await open({ BACKFILL: "1h:2d" });
    breakFutures();
    await backfill(archive, { patient: false });
    const [binance] = archive.exchanges;
    assert.equal(binance?.breakers.of(LINEAR).state.kind, "open");
    assert.equal(binance?.breakers.of(SPOT).state.kind, "closed");
    assert.match(
      await archive.metrics.text(),
      /titan10_breaker_state\{exchange="binance",state="open"\} 1/,
    );
    const [row] = await database.sql`select breaker from exchanges`;
    assert.equal(row?.["breaker"], "open");
    assert(archive.lines.some((line) => /breaker changed.*"kind":"linear"/.test(line)));
    clock.pass(6 * 60_000);
    await new Alerts(archive).judgePolls();
    const [alert] = await database.sql`select alert, summary from alerts`;
    assert.equal(alert?.["alert"], "breaker_open");
    assert.match(alert?.["summary"], /^binance: the breaker of linear markets has not been closed/);
  }));
