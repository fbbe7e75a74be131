/** What passes, what is final and what is denied: real CCXT over HTTP, into a real database. @module */
import assert from "node:assert/strict";
import { Alerts } from "../../lib/alert/alerting.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { examine } from "../../lib/doctor/checkup.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { bybit } from "../support/dialects/bybit.ts";
import { withFront } from "../support/fronted_exchange.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import type { Fault } from "../support/local_exchange/fault.ts";
import { START_MS } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE_MS = 60_000;

/** Waits of seconds and more take no time. Deadlines, which are set longer than anything, never pass. */
class JumpingClock implements Clock {
  #nowMs = START_MS;

  now(): number {
    return this.#nowMs;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  async sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    if (ms >= DEADLINE_MS) return await systemClock.sleep(ms, options);
    if (ms < 1_000) await systemClock.sleep(ms, options);
    options?.signal?.throwIfAborted();
    this.pass(ms);
  }
}

const DEADLINE_MS = 10 * MINUTE_MS;

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  readonly clock: JumpingClock;
  readonly open: (
    variables?: Readonly<Record<string, string>>,
  ) => ReturnType<typeof openTestArchive>;
}

const said = (retCode: number, retMsg: string): Fault => ({
  kind: "status",
  status: 200,
  body: JSON.stringify({ retCode, retMsg, result: {}, retExtInfo: {}, time: START_MS }),
});

const BUSY = said(10016, "System error. Please try again later.");
const STRANGE = said(987654, "The moon is in the wrong house.");

const CLOUDFRONT: Fault = {
  kind: "status",
  status: 403,
  body:
    "<!DOCTYPE HTML><HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD>" +
    "<BODY><H1>403 ERROR</H1><HR noshade>The Amazon CloudFront distribution is configured to block " +
    "access from your country.\nWe can't connect to the server at this time.</BODY></HTML>",
};
const SENTENCE =
  "The Amazon CloudFront distribution is configured to block access from your country.";

/** Requests for candles of a symbol. */
function asks({ requests }: LocalExchange, symbol?: string): number {
  return requests.filter(({ path, query }) =>
    path.endsWith("/kline") && (symbol === undefined || query["symbol"] === symbol)
  ).length;
}

async function fill(scene: Scene, symbols = "BTC/USDT"): Promise<BackfillReport> {
  const archive = await scene.open({ SYMBOLS: symbols });
  const [report] = await backfill(archive, { patient: false });
  assert.ok(report);
  return report;
}

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a busy answer with status 200 is asked again, and the backfill is complete": async (scene) => {
    for (const fault of [BUSY, STRANGE]) {
      scene.exchange.faults.add({ when: { path: "kline" }, times: 1, fault });
    }
    const report = await fill(scene);
    assert.deepEqual([report.problems, report.left], [[], 0]);
  },

  "an unknown error that lasts a while makes no series hopeless": async (scene) => {
    const symbol = "BTC/USDT";
    // All attempts of the search for its listing, and of both its pages.
    scene.exchange.faults.add({ when: { symbol }, times: 9, fault: STRANGE });
    const report = await fill(scene, "BTC/USDT,ETH/USDT");
    assert.equal(report.left, 0);
    assert.ok(scene.clock.now() >= START_MS + MINUTE_MS);
  },

  "an unknown error that stays is final after three tries, and the others are complete": async (
    scene,
  ) => {
    scene.exchange.faults.add({ when: { symbol: "BTC/USDT" }, fault: STRANGE });
    const archive = await scene.open({ SYMBOLS: "BTC/USDT,ETH/USDT" });
    const [report] = await backfill(archive, { patient: false });
    assert.match(report?.problems.join() ?? "", /The moon is in the wrong house/);
    assert.ok(scene.clock.now() >= START_MS + 2 * MINUTE_MS);
    assert.ok(scene.clock.now() < START_MS + 10 * MINUTE_MS);
    // The exchange is up: no breaker opens for one series.
    assert.equal(archive.exchanges[0]?.breakers.main.state.kind, "closed");
    const [eth] = await scene.database
      .sql`select candles from checkpoints where symbol = 'ETH/USDT'`;
    assert.equal(Number(eth?.["candles"]), report!.added);
    assert.ok(report!.added > 1_400);
  },

  "a symbol that is plainly refused is asked for twice, without retries": async (scene) => {
    const refused = said(10001, "params error: symbol invalid");
    scene.exchange.faults.add({ when: { symbol: "BTC/USDT" }, fault: refused });
    const report = await fill(scene, "BTC/USDT,ETH/USDT");
    assert.match(report.problems.join(), /symbol invalid/);
    assert.ok(asks(scene.exchange, "BTCUSDT") <= 2 * 6, `${asks(scene.exchange, "BTCUSDT")}`);
    assert.ok(scene.clock.now() < START_MS + MINUTE_MS);
  },

  "refusals add up although answers for nothing come between them": async (scene) => {
    const asked = { times: 0 };
    const change = (body: string, path: string): string | undefined => {
      if (!/kline.*symbol=BTCUSDT/.test(path) || ++asked.times > 12) return undefined;
      return asked.times % 2 === 0
        ? '{"retCode":10001,"retMsg":"params error: symbol invalid","result":{}}'
        : body.replace(/"\d{13}"/g, '"never"');
    };
    await withFront(scene.exchange, change, async ({ proxyUrl }) => {
      const archive = await scene.open({ EXCHANGE_PROXY_URL: proxyUrl });
      const [report] = await backfill(archive, { patient: true });
      assert.match(report?.problems.join() ?? "", /symbol invalid/);
      // Given up: it is not asked for often enough to see it answered well.
      assert.ok(asked.times <= 12, `${asked.times} requests`);
      assert.equal(report?.answered, 0);
    });
  },

  "a symbol that is refused once by mistake is complete": async (scene) => {
    const refused = said(10001, "params error: symbol invalid");
    scene.exchange.faults.add({ when: { symbol: "BTC/USDT" }, times: 1, fault: refused });
    assert.equal((await fill(scene)).left, 0);
  },

  "a poll that meets a busy exchange goes on every minute": async (scene) => {
    const poll = new Poll(await scene.open());
    await poll.runOnce();
    const fault = scene.exchange.faults.add({ when: { path: "kline" }, fault: BUSY });
    for (let tick = 0; tick < 2; tick++) {
      scene.clock.pass(2 * MINUTE_MS);
      assert.equal((await poll.runOnce()).failed, 1);
    }
    fault.remove();
    scene.clock.pass(2 * MINUTE_MS);
    assert.deepEqual(await poll.runOnce().then(({ failed, asked }) => [failed, asked]), [0, 1]);
  },

  "a poll leaves a refused series alone only when the refusal stays": async (scene) => {
    const poll = new Poll(await scene.open());
    const refused = said(10001, "params error: symbol invalid");
    scene.exchange.faults.add({ when: { path: "kline" }, fault: refused });
    const asked: number[] = [];
    for (let tick = 0; tick < 8; tick++) {
      asked.push((await poll.runOnce()).asked);
      scene.clock.pass(MINUTE_MS);
    }
    assert.deepEqual(asked, [1, 1, 1, 1, 0, 1, 0, 0]);
  },

  "an exchange that refuses this country ends a backfill at once, in its own words": async (
    scene,
  ) => {
    scene.exchange.faults.add({ fault: CLOUDFRONT });
    const report = await fill(scene);
    assert.equal(scene.exchange.requests.length, 2);
    assert.equal(report.left, undefined);
    const [problem = ""] = report.problems;
    assert.ok(problem.endsWith(`"${SENTENCE}"`), problem);
    assert.match(problem, /access is refused \(HTTP 403, through its proxy http:\/\/127/);
    assert.ok(scene.clock.now() < START_MS + MINUTE_MS);
  },

  "an exchange that begins to refuse in the middle ends a backfill within a minute": async (
    scene,
  ) => {
    scene.exchange.faults.add({ when: { path: "kline" }, fault: CLOUDFRONT });
    const report = await fill(scene, "BTC/USDT,ETH/USDT");
    assert.ok(report.problems.every((problem) => problem.includes(SENTENCE)));
    assert.ok((report.left ?? 0) > 2_000);
    assert.ok(asks(scene.exchange) <= 40, `${asks(scene.exchange)} requests`);
    assert.ok(scene.clock.now() < START_MS + MINUTE_MS);
  },

  "the doctor quotes why access is refused, and says what helps": async (scene) => {
    scene.exchange.faults.add({ fault: CLOUDFRONT });
    const archive = await scene.open();
    const { exchanges } = await examine(archive, { migrations: [] });
    const message = exchanges[0]?.checks[0]?.message ?? "";
    assert.ok(message.includes(SENTENCE), message);
    assert.match(message, /Set EXCHANGE_PROXY_URL/);
    assert.doesNotMatch(message, /[<>]/);
  },

  "polls ask an exchange that refuses this country ever more seldom, and an alert says so": async (
    scene,
  ) => {
    const archive = await scene.open();
    const poll = new Poll(archive);
    const alerts = new Alerts(archive);
    const fault = scene.exchange.faults.add({ fault: CLOUDFRONT });
    const asked: number[] = [];
    const running = async (): Promise<readonly { alert: string; summary: string }[]> =>
      await scene.database.sql`select alert, summary from alerts where ended is null`;
    for (let hour = 0; hour < 5; hour++) {
      const before = scene.exchange.requests.length;
      for (let minute = 0; minute < 60; minute++) {
        await poll.runOnce();
        await alerts.judgePolls();
        scene.clock.pass(MINUTE_MS);
      }
      asked.push(scene.exchange.requests.length - before);
    }
    assert.ok((asked[0] ?? 99) <= 12, String(asked));
    assert.ok(asked.slice(2).every((count) => count >= 1 && count <= 3), String(asked));
    const [alert] = await running();
    assert.equal(alert?.alert, "access_denied");
    assert.ok(alert?.summary.includes(SENTENCE), alert?.summary);
    assert.match(
      await archive.metrics.text(),
      /fetch_failures_total\{exchange="bybit",kind="denied"\}/,
    );
    // A daemon that is started again knows nothing yet, and then the same.
    const restarted = await scene.open();
    const judge = new Alerts(restarted);
    await judge.judgePolls();
    await new Poll(restarted).runOnce();
    await judge.judgePolls();
    await judge.stop();
    const [all] = await scene.database.sql`select count(*)::int as alerts from alerts`;
    assert.deepEqual([all?.["alerts"], (await running()).length], [1, 1]);
    fault.remove();
    scene.clock.pass(61 * MINUTE_MS);
    assert.equal((await poll.runOnce()).failed, 0);
    await alerts.judgePolls();
    assert.deepEqual([...await running()], []);
    await alerts.stop();
  },

  "an answer that redirects names the host it leads to, and nothing else of it": async (scene) => {
    const away = (): Response =>
      new Response(null, {
        status: 302,
        headers: { location: "https://blocked.example/why?token=secret" },
      });
    await withFront(scene.exchange, away, async ({ proxyUrl }) => {
      const archive = await scene.open({ EXCHANGE_PROXY_URL: proxyUrl });
      const [report] = await backfill(archive, { patient: false });
      const problem = report?.problems.join() ?? "";
      assert.match(problem, /redirects to blocked\.example \(HTTP 302\)/);
      assert.doesNotMatch(problem, /secret/);
    });
  },
};

Deno.test("what an exchange refuses ends as it must", async (t) => {
  const { database, drop } = await openAnyTest();
  try {
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        await emptyDatabase(database);
        const clock = new JumpingClock();
        const exchange = await startLocalExchange({ clock, dialect: bybit });
        try {
          await test({
            database,
            exchange,
            clock,
            open: (variables) =>
              openTestArchive(database, {
                EXCHANGES: "bybit",
                SYMBOLS: "BTC/USDT",
                TIMEFRAMES: "1m",
                BACKFILL: "1m:1d",
                EXCHANGE_PROXY_URL: exchange.proxyUrl,
                EXCHANGE_BYBIT: JSON.stringify({ rateLimit: 1 }),
                FETCH_TIMEOUT: "10m",
                ...variables,
              }, clock),
          });
        } finally {
          await exchange.close();
        }
      });
    }
  } finally {
    await drop();
  }
});
