/** Alerts: begun and ended once, kept in the database, posted to a real webhook. @module */
import assert from "node:assert/strict";
import { Alerts } from "../../lib/alert/alerting.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { streamSource } from "../../lib/daemon/open_streams.ts";
import { Live } from "../../lib/live/live.ts";
import type { StreamState } from "../../lib/live/stream_state.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { binance } from "../support/local_exchange/binance.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { startStreamExchange } from "../support/stream_exchange.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";
import { beginAlerts } from "../../lib/store/alerts.ts";
import type { Condition } from "../../lib/market/alert.ts";
import { printable } from "../../lib/text/printable.ts";
import { type Receivers, startReceivers, TOKENS } from "../support/receivers.ts";
import { until } from "../support/until.ts";
import { startWebhook, type TestWebhook, WEBHOOK_SECRETS } from "../support/webhook.ts";

const MINUTE_MS = 60_000;

/** Options of a local exchange that need not be spared. */
const UNSPARED = JSON.stringify({ rateLimit: 1 });

type OpenArchive = Awaited<ReturnType<typeof openTestArchive>>;

/** A daemon's jobs, run by hand. */
interface Run {
  readonly archive: OpenArchive;
  readonly alerts: Alerts;
  readonly live: Live;
  /** One tick of the poll, judged, and waits for what is sent. */
  readonly poll: () => Promise<void>;
  /** One stock-taking, judged, and waits for what is sent. */
  readonly takeStock: () => Promise<void>;
}

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  readonly webhook: TestWebhook;
  /** Opens an archive, as a start of the daemon does. */
  readonly start: (variables?: Readonly<Record<string, string>>) => Promise<Run>;
  /** Lets time pass for archive and exchange. */
  readonly pass: (ms: number) => void;
  readonly now: () => number;
}

Deno.test("alerts are told once", async (t) => {
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
  "a stale series is posted once when it begins and once when it ends": async (scene) => {
    const run = await scene.start();
    await run.poll();
    const recover = await makeStale(scene, run);
    await run.poll();
    assert.equal(scene.webhook.posts.length, 1, "told once while it lasts");
    assert.match(await run.archive.metrics.text(), /^titan10_alerts\{alert="stale".*\} 1$/m);
    recover();
    await run.poll();
    await run.poll();
    const [firing, resolved, ...more] = scene.webhook.posts;
    assert.deepEqual(more, []);
    const { id, value, since, until, ...fixed } = resolved ?? {};
    const summary = "binance BTC/USDT 1m: the exchange has not answered for the last 14 min " +
      "(over 5 min)";
    assert.deepEqual(firing, {
      ...fixed,
      id,
      value,
      since,
      state: "firing",
      until: null,
      summary,
      text: summary,
    });
    assert.deepEqual(fixed, {
      alert: "stale",
      state: "resolved",
      exchange: "binance",
      symbol: "BTC/USDT",
      timeframe: "1m",
      threshold: 300,
      summary: `Resolved: ${summary}`,
      text: `Resolved: ${summary}`,
      target: `/${WEBHOOK_SECRETS[0]}?${WEBHOOK_SECRETS[1]}`,
      authorization: `Basic ${btoa(`titan:${WEBHOOK_SECRETS[2]}`)}`,
    });
    assert(Number(id) > 0, "both have the number of the alert");
    assert(Number(value) >= 840 && Number(value) < 900, `${value}`);
    assert.equal(since, new Date(Date.parse(String(since))).toISOString());
    assert(String(until) >= String(since));
    const metrics = await run.archive.metrics.text();
    assert.match(metrics, /^titan10_alerts\{alert="stale",exchange="binance"\} 0$/m);
    assert.match(metrics, /^titan10_alert_posts_total\{outcome="sent"\} 2$/m);
  },

  "what was wrong with an exchange that lists none of the symbols any more is over when it answers":
    async (
      scene,
    ) => {
      const { database, webhook } = scene;
      const run = await scene.start({ EXCHANGES: "binance,kraken", SYMBOLS: "GONE/USDT" });
      for (const alert of ["breaker_open", "stream_down"] as const) {
        const found = { exchange: "binance", value: 600, threshold: 300, summary: "as it was" };
        await beginAlerts(database, alert, { conditions: [found], nowMs: scene.now() });
      }
      await run.poll();
      assert.deepEqual(webhook.posts.map(({ alert, state }) => `${alert} ${state}`).sort(), [
        "breaker_open firing",
        "breaker_open resolved",
        "stream_down firing",
        "stream_down resolved",
      ]);
    },

  "a market without trades is not stale": async (scene) => {
    const run = await scene.start();
    await run.poll();
    const sinceMs = scene.now();
    scene.exchange.faults.add({
      when: { symbol: "BTC/USDT" },
      fault: { kind: "holes", sinceMs, untilMs: sinceMs + 60 * MINUTE_MS },
    });
    scene.pass(10 * MINUTE_MS);
    for (let tick = 0; tick < 3; tick++) await run.poll();
    assert.deepEqual(scene.webhook.posts, []);
  },

  "an alert survives a restart: it does not begin again, and its end is told": async (scene) => {
    const first = await scene.start();
    await first.poll();
    const recover = await makeStale(scene, first);
    await first.alerts.stop();
    const second = await scene.start();
    for (let tick = 0; tick < 3; tick++) await second.poll();
    assert.deepEqual(statesOf(scene), ["firing"]);
    recover();
    await second.poll();
    assert.deepEqual(statesOf(scene), ["firing", "resolved"]);
  },

  "news that the webhook was away for are sent after a restart, in order": async (scene) => {
    scene.webhook.answer(500, 503, 429);
    const first = await scene.start();
    await first.poll();
    const recover = await makeStale(scene, first);
    assert.equal(scene.webhook.posts.length, 3, "one tick uses its attempts up");
    await first.alerts.stop();
    recover();
    const second = await scene.start();
    await second.poll();
    assert.deepEqual(statesOf(scene).slice(3), ["firing", "resolved"]);
  },

  "a POST is tried again after 500 and counted as what it was": async (scene) => {
    scene.webhook.answer(500);
    const run = await scene.start();
    await run.poll();
    await makeStale(scene, run);
    assert.deepEqual(statesOf(scene), ["firing", "firing"]);
    const metrics = await run.archive.metrics.text();
    assert.match(metrics, /^titan10_alert_posts_total\{outcome="failed"\} 1$/m);
    assert.match(metrics, /^titan10_alert_posts_total\{outcome="sent"\} 1$/m);
    await run.poll();
    assert.equal(scene.webhook.posts.length, 2);
  },

  "a POST that is refused is given up, and the log says so once": async (scene) => {
    for (const status of [400, 302]) {
      scene.webhook.answer(status);
      const before = scene.webhook.posts.length;
      const run = await scene.start();
      await run.poll();
      const recover = await makeStale(scene, run);
      await run.poll();
      assert.equal(scene.webhook.posts.length, before + 1, `${status} is not asked again`);
      const givenUp = run.archive.lines.filter((line) => line.includes("is not sent again"));
      assert.equal(givenUp.length, 1);
      assert.match(givenUp[0] ?? "", new RegExp(`the webhook answered ${status}`));
      recover();
      await run.poll();
      assert.equal(statesOf(scene).at(-1), "resolved", "the next news is sent");
    }
  },

  "nothing of the webhook's URL is shown, however it fails": async (scene) => {
    const run = await scene.start({ FETCH_TIMEOUT: "1s" });
    await run.poll();
    scene.webhook.answer("hang", 500, 503);
    await makeStale(scene, run);
    scene.webhook.answer(404);
    await run.poll();
    await run.alerts.stop();
    // A port that nobody listens on any more.
    await scene.webhook.close();
    await scene.database.sql`update alerts set began_sent = null`;
    const away = await scene.start();
    await away.poll();
    const lines = [...run.archive.lines, ...away.archive.lines].join("\n");
    assert.match(lines, /alerts were not sent/);
    assert.match(lines, /is not sent again/);
    assert.match(lines, /Cannot post an alert: .*[Cc]onnection refused/);
    const shown = lines + await run.archive.metrics.text() + await away.archive.metrics.text() +
      JSON.stringify(await scene.database.sql`select * from alerts`);
    for (const secret of WEBHOOK_SECRETS) assert(!shown.includes(secret), secret);
  },

  "a webhook that never answers delays no poll, and a shutdown ends it": async (scene) => {
    const run = await scene.start({ FETCH_TIMEOUT: "10m" });
    await run.poll();
    scene.webhook.answer("hang");
    scene.exchange.faults.add({
      when: { symbol: "BTC/USDT" },
      fault: { kind: "status", status: 500 },
    });
    scene.pass(10 * MINUTE_MS);
    const poll = new Poll(run.archive);
    for (let tick = 0; tick < 2; tick++) {
      await poll.runOnce();
      await run.alerts.judgePolls();
    }
    await scene.webhook.reached(1);
    scene.pass(10 * MINUTE_MS);
    const { added } = await poll.runOnce();
    assert(added > 0, "the other series goes on");
    await run.alerts.judgePolls();
    await run.alerts.judgeGaps();
    assert.equal(scene.webhook.posts.length, 1, "one sender at a time");
    await run.alerts.stop();
    const [row] = await scene.database.sql`select began_sent from alerts`;
    assert.deepEqual({ ...row }, { began_sent: null }, "it waits for the next start");
  },

  "a breaker that has not been closed for five minutes is told of, trials or not": async (
    scene,
  ) => {
    const fault = scene.exchange.faults.add({ fault: { kind: "status", status: 500 } });
    const variables = { BREAKER_FAILURES: "2" };
    const run = await scene.start(variables);
    await run.poll();
    scene.pass(4 * MINUTE_MS);
    await run.poll();
    assert.deepEqual(scene.webhook.posts, []);
    scene.pass(2 * MINUTE_MS);
    await run.poll();
    assert.deepEqual(
      scene.webhook.posts.map(({ alert, exchange, symbol, summary }) => ({
        alert,
        exchange,
        symbol,
        summary,
      })),
      [{
        alert: "breaker_open",
        exchange: "binance",
        symbol: null,
        summary: "binance: the breaker has not been closed for 6 min (over 5 min)",
      }],
    );

    // The next process begins with a closed breaker, which opens again: still the same trouble.
    const next = await scene.start(variables);
    await next.poll();
    assert.equal(scene.webhook.posts.length, 1);
    fault.remove();
    scene.pass(MINUTE_MS);
    await next.poll();
    assert.deepEqual(statesOf(scene), ["firing", "resolved"]);
  },

  "a series does not begin to be stale while the breaker of its exchange is open": async (
    scene,
  ) => {
    const run = await scene.start({ BREAKER_FAILURES: "2" });
    await run.poll();
    const fault = scene.exchange.faults.add({ fault: { kind: "status", status: 500 } });
    for (let tick = 0; tick < 4; tick++) {
      scene.pass(3 * MINUTE_MS);
      await run.poll();
    }
    assert.deepEqual(scene.webhook.posts.map(({ alert }) => alert), ["breaker_open"]);
    fault.remove();
    for (let tick = 0; tick < 3; tick++) {
      scene.pass(MINUTE_MS);
      await run.poll();
    }
    assert.deepEqual(scene.webhook.posts.map(({ alert, state }) => `${alert} ${state}`), [
      "breaker_open firing",
      "breaker_open resolved",
    ]);
  },

  "a stream that stays away is told of once, while polls go on, and so is its return": async (
    scene,
  ) => {
    const stream = startStreamExchange();
    const run = await scene.start({
      LIVE: "binance",
      EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1, urls: { ws: stream.url } }),
    });
    const steps: string[] = [];
    const tick = async (ms: number): Promise<void> => {
      scene.pass(ms);
      await run.poll();
      steps.push(statesOf(scene).join());
    };
    await run.poll();
    await untilStream(run, (state) => state.kind === "up" && hasHeard(state));
    await tick(2 * MINUTE_MS);
    stream.goAway();
    await untilStream(run, ({ kind }) => kind === "down");
    await tick(3 * MINUTE_MS);
    await tick(3 * MINUTE_MS);
    await tick(MINUTE_MS);
    assert.deepEqual(steps, ["", "", "firing", "firing"]);
    const { alert, exchange, symbol, threshold, summary } = scene.webhook.posts[0] ?? {};
    assert.deepEqual([alert, exchange, symbol, threshold], ["stream_down", "binance", null, 300]);
    assert.match(
      String(summary),
      /^binance: its stream has been down, or has not stayed open, for \d min \(over 5 min\) \(.+: .*\)\. Polls go on$/,
    );
    const [row] = await scene.database.sql`select max(time) as newest from ohlcv_1m`;
    assert.ok(row!["newest"].getTime() > scene.now() - 2 * MINUTE_MS, "polls go on");
    stream.comeBack();
    await untilStream(run, (state) => state.kind === "up" && hasHeard(state));
    await tick(MINUTE_MS);
    assert.equal(steps.at(-1), "firing,resolved");
    // A reload that has `live: off` for this exchange.
    const { archive: { config, metrics }, live } = run;
    const own = new Map([["binance", { ...config.everywhere, live: "off" as const }]]);
    Object.assign(run.archive, { config: { ...config, own } });
    await tick(10 * MINUTE_MS);
    assert.deepEqual(live.state("binance"), { kind: "off", why: "its settings say live: off" });
    await until(
      "the stream to be closed",
      async () => !(await metrics.text()).includes("titan10_stream_up{"),
    );
    await tick(10 * MINUTE_MS);
    assert.equal(steps.at(-1), "firing,resolved", "what is off is not down");
    await live.stop();
    await stream.close();
  },

  "too many missing candles are told of at the third stock-taking, and their return": async (
    scene,
  ) => {
    const hour = parseTimeframe("1h");
    const lastMs = closedUntil(hour, scene.now());
    const hole = {
      sinceMs: addCandles(hour, lastMs, -500),
      untilMs: addCandles(hour, lastMs, -356),
    };
    const fault = scene.exchange.faults.add({
      when: { symbol: "BTC/USDT" },
      fault: { kind: "holes", ...hole },
    });
    const run = await scene.start({ TIMEFRAMES: "1h", BACKFILL: "1h:60d" });
    await backfill(run.archive, { patient: false });
    await run.takeStock();
    await run.takeStock();
    assert.deepEqual(scene.webhook.posts, [], "the next repair may fill it");
    await run.takeStock();
    await run.takeStock();
    const [post, ...more] = scene.webhook.posts;
    assert.deepEqual(more, []);
    assert.deepEqual([post?.["alert"], post?.["value"], post?.["threshold"], post?.["text"]], [
      "gap_percent",
      10,
      5,
      "binance BTC/USDT 1h: 10.0 % of the candles are missing (over 5 %)",
    ]);
    assert.match(
      await run.archive.metrics.text(),
      /^titan10_candles_missing_ratio\{exchange="binance",symbol="BTC\/USDT",timeframe="1h"\} 0.1$/m,
    );
    fault.remove();
    await repairGaps(run.archive);
    await run.takeStock();
    assert.deepEqual(statesOf(scene), ["firing", "resolved"]);
  },

  "owed candles that an exchange is about to drop are told of, and their rescue": async (scene) => {
    const variables = {
      EXCHANGES: "kraken",
      SYMBOLS: "BTC/USDT",
      EXCHANGE_KRAKEN: UNSPARED,
      BACKFILL: "1m:1d",
    };
    const first = await scene.start(variables);
    await first.takeStock();
    await first.poll();
    await first.takeStock();
    await first.takeStock();
    assert.deepEqual(scene.webhook.posts, [], "what was never covered is not torn");
    const metricsThen = await first.archive.metrics.text();
    assert.match(metricsThen, /^titan10_retention_loss_seconds\{exchange="kraken"\} 0$/m);
    await backfill(first.archive, { patient: false });
    // Eleven and a half hours without a poll: the oldest minute of them is half an hour from the edge.
    scene.pass(690 * MINUTE_MS);
    const run = await scene.start(variables);
    await run.poll();
    await run.takeStock();
    assert.deepEqual(scene.webhook.posts, []);
    await run.takeStock();
    const [post] = scene.webhook.posts;
    assert.deepEqual([post?.["alert"], post?.["exchange"], post?.["symbol"], post?.["threshold"]], [
      "retention_loss",
      "kraken",
      null,
      3600,
    ]);
    const value = Number(post?.["value"]);
    assert(value > 20 * 60 && value < 40 * 60, `${value}`);
    const metrics = await run.archive.metrics.text();
    assert.match(
      metrics,
      new RegExp(`^titan10_retention_loss_seconds\\{exchange="kraken"\\} ${value}$`, "m"),
    );
    assert.equal(run.archive.lines.filter((line) => line.includes("alert began")).length, 1);
    await backfill(run.archive, { patient: false });
    await run.takeStock();
    assert.deepEqual(statesOf(scene), ["firing", "resolved"]);
    assert.doesNotMatch(await run.archive.metrics.text(), /^titan10_retention_loss_seconds\{/m);
  },

  "without a webhook alerts are kept and logged, and one set later hears no old news": async (
    scene,
  ) => {
    const silent = { ALERT_WEBHOOK_URL: "" };
    const first = await scene.start(silent);
    await first.poll();
    const recover = await makeStale(scene, first);
    const [logged] = first.archive.lines.filter((line) => line.includes("alert began"));
    assert.equal(JSON.parse(logged ?? "{}").level, "warning");
    const second = await scene.start();
    await second.poll();
    recover();
    await second.poll();
    const ended = second.archive.lines.filter((line) => line.includes("alert ended"));
    assert.equal(JSON.parse(ended[0] ?? "{}").level, "info");
    await makeStale(scene, second);
    assert.deepEqual(statesOf(scene), ["firing"], "only what began since");
    const rows = await scene.database.sql`
      select ended is not null as ended, began_sent = '-infinity' as unsaid from alerts order by id`;
    assert.deepEqual(rows.map((row) => ({ ...row })), [
      { ended: true, unsaid: true },
      { ended: false, unsaid: false },
    ]);
  },

  "many alerts come in few messages of each chat, whole, in order, and nobody is called by them":
    async (
      scene,
    ) => {
      for (const format of ["slack", "discord", "telegram"] as const) {
        await withReceivers(async ({ urls, shown, bodies, called }) => {
          await emptyDatabase(scene.database);
          const run = await scene.start({
            ALERT_WEBHOOK_URL: urls[format],
            ALERT_WEBHOOK_FORMAT: format,
          });
          const conditions = hostileConditions(format);
          const began = { conditions, nowMs: scene.now() };
          await beginAlerts(scene.database, "listing_changed", began);
          await run.poll();
          const lines = shown.join("\n").split("\n");
          assert.deepEqual(
            lines.slice(0, -1),
            conditions.slice(0, -1).map(({ summary }) => `🔴 ${printable(summary)}`),
          );
          assert.match(lines.at(-1) ?? "", /^🔴 binance &{300}/);
          assert(bodies.length > 1 && bodies.length < conditions.length / 3, `${bodies.length}`);
          assert.equal(called(), 0, format);
          // Their ends.
          await scene.database.sql`update alerts set ended = began`;
          const before = shown.length;
          await run.poll();
          const ends = shown.slice(before).join("\n").split("\n");
          assert.equal(ends.length, conditions.length);
          for (const line of ends) assert.match(line, /^🟢 Resolved: binance /);
          assert.deepEqual(
            run.archive.lines.filter((line) => /Cannot post|refused/.test(line)),
            [],
          );
        });
      }
    },

  "an Alertmanager hears of what fires with every judgement, until it ends": async (scene) => {
    await withReceivers(async ({ urls, alerts, bodies }) => {
      const run = await scene.start({
        ALERT_WEBHOOK_URL: urls.alertmanager,
        ALERT_WEBHOOK_FORMAT: "alertmanager",
      });
      await run.poll();
      assert.deepEqual(bodies, []);
      const recover = await makeStale(scene, run);
      const [[labels = "", first] = []] = [...alerts];
      assert.deepEqual(Object.fromEntries(JSON.parse(labels)), {
        alertname: "Titan10Stale",
        exchange: "binance",
        severity: "warning",
        symbol: "BTC/USDT",
        timeframe: "1m",
      });
      scene.pass(MINUTE_MS);
      await run.poll();
      const again = alerts.get(labels);
      assert.equal(again?.startsAt, first?.startsAt, "the same alert");
      assert(Date.parse(again?.endsAt ?? "") > Date.parse(first?.endsAt ?? ""), "still firing");
      // It was started again, and knows of nothing.
      (alerts as Map<string, unknown>).clear();
      await run.poll();
      assert.equal(alerts.size, 1);
      recover();
      await run.poll();
      assert.equal(Date.parse(alerts.get(labels)?.endsAt ?? ""), scene.now());
      const posts = bodies.length;
      await run.poll();
      assert.equal(bodies.length, posts, "nothing is firing");
    });
  },

  "a chat that asks to wait is left alone for that long, wherever it says so": async (scene) => {
    const asked: Readonly<Record<"slack" | "discord" | "telegram", () => Response>> = {
      slack: () => new Response("rate_limited", { status: 429, headers: { "retry-after": "90" } }),
      discord: () =>
        Response.json(
          { message: "You are being rate limited.", retry_after: 89.5, global: false },
          {
            status: 429,
          },
        ),
      telegram: () =>
        Response.json({
          ok: false,
          error_code: 429,
          description: "Too Many Requests: retry after 90",
          parameters: { retry_after: 90 },
        }, { status: 429 }),
    };
    for (const format of ["slack", "discord", "telegram"] as const) {
      await withReceivers(async ({ urls, shown, bodies, answer }) => {
        await emptyDatabase(scene.database);
        const run = await scene.start({
          ALERT_WEBHOOK_URL: urls[format],
          ALERT_WEBHOOK_FORMAT: format,
        });
        answer(asked[format]);
        const began = { conditions: hostileConditions(format).slice(0, 2), nowMs: scene.now() };
        await beginAlerts(scene.database, "listing_changed", began);
        await run.poll();
        scene.pass(80_000);
        await run.poll();
        assert.equal(bodies.length, 1, "asked once, and then left alone");
        assert(run.archive.lines.some((line) => /to be tried again in 90 s/.test(line)));
        scene.pass(10_000);
        await run.poll();
        assert.equal(shown.join("\n").split("\n").length, 2, "nothing is lost");
        for (const token of Object.values(TOKENS)) {
          assert(!run.archive.lines.join().includes(token));
        }
      });
    }
  },

  "another webhook after a reload gets what the one before has not taken, in its own form, and at once":
    async (scene) => {
      const answers = {
        busy: () => new Response("", { status: 503 }),
        limited: () => new Response("", { status: 429, headers: { "retry-after": "3600" } }),
      };
      for (const [kind, refuse] of Object.entries(answers)) {
        await withReceivers(async ({ urls, shown, answer }) => {
          await emptyDatabase(scene.database);
          const run = await scene.start({
            ALERT_WEBHOOK_URL: urls.slack,
            ALERT_WEBHOOK_FORMAT: "slack",
          });
          const { config } = run.archive;
          // The reload comes while the first post is on its way.
          answer(() => {
            const other = { alertWebhookUrl: urls.discord, alertWebhookFormat: "discord" };
            Object.assign(run.archive, { config: { ...config, ...other } });
            return refuse();
          });
          const began = { conditions: hostileConditions("slack").slice(0, 1), nowMs: scene.now() };
          await beginAlerts(scene.database, "listing_changed", began);
          await run.poll();
          await run.poll();
          assert.equal(shown.length, 1, kind);
          assert(!run.archive.lines.some((line) => /not sent again/.test(line)), kind);
        });
      }
    },

  "a chat that asks for a short wait is posted to after it, in the same run": async (scene) => {
    await withReceivers(async ({ urls, shown, answer }) => {
      const run = await scene.start({
        ALERT_WEBHOOK_URL: urls.telegram,
        ALERT_WEBHOOK_FORMAT: "telegram",
        RETRY_MAX: "1s",
      });
      answer(() =>
        Response.json({ ok: false, error_code: 429, parameters: { retry_after: 0.2 } }, {
          status: 429,
        })
      );
      const began = { conditions: hostileConditions("telegram").slice(0, 1), nowMs: scene.now() };
      await beginAlerts(scene.database, "listing_changed", began);
      const beforeMs = scene.now();
      await run.poll();
      assert.equal(shown.length, 1);
      assert(scene.now() - beforeMs >= 200, "it waited");
    });
  },

  "a database that does not take alerts fails their judging, which goes on when it does": async (
    scene,
  ) => {
    const run = await scene.start();
    await run.poll();
    await scene.database.sql`alter table alerts rename to elsewhere`;
    try {
      await assert.rejects(run.alerts.judgePolls(), /Cannot read the running alerts/);
      await assert.rejects(run.alerts.judgeGaps(), /Cannot read the running alerts/);
      await run.alerts.idle();
    } finally {
      await scene.database.sql`alter table elsewhere rename to alerts`;
    }
    await makeStale(scene, run);
    assert.deepEqual(statesOf(scene), ["firing"]);
  },
};

/** Alerts of symbols with all that a chat could take for more than a text; the last is longer than any message. */
function hostileConditions(format: string): readonly Condition[] {
  const texts = [
    "<!channel> & <@U1> <https://evil.example|bank>",
    "@everyone <@&1> <t:0> [bank](https://evil.example) *b* _i_ `c` ||s|| ~~x~~ # - > \\",
    "<b>bold</b> &amp; <a href='x'>y</a>",
    "two\nlines \u202e",
  ];
  const of = (at: number, text: string): Condition => ({
    exchange: "binance",
    // Stored in the order of their names.
    symbol: `S${String(at).padStart(4, "0")}/USDT`,
    value: 0,
    threshold: 0,
    summary: `binance ${text}`,
  });
  const many = Array.from(
    { length: 60 },
    (_, at) => of(at, `${texts[at % texts.length]} ${format} ${at} ${"word ".repeat(20)}`),
  );
  return [...many, of(60, "&".repeat(990))];
}

async function withReceivers(use: (receivers: Receivers) => Promise<void>): Promise<void> {
  const receivers = startReceivers();
  try {
    await use(receivers);
  } finally {
    await receivers.close();
  }
}

/** Whether anything has come since it is so. */
function hasHeard(state: StreamState): boolean {
  return state.kind !== "off" && (state.lastMessageMs ?? -Infinity) >= (state.sinceMs ?? Infinity);
}

async function untilStream({ live }: Run, isSo: (state: StreamState) => boolean): Promise<void> {
  await until("the stream to be so", () => isSo(live.state("binance")), {
    instead: () => live.state("binance"),
  });
}

/** Lets BTC/USDT fail for twelve minutes, until its alert has begun; returns what ends that. */
async function makeStale(scene: Scene, run: Run): Promise<() => void> {
  const fault = scene.exchange.faults.add({
    when: { symbol: "BTC/USDT" },
    fault: { kind: "status", status: 500 },
  });
  scene.pass(12 * MINUTE_MS);
  await run.poll();
  await run.poll();
  return () => fault.remove();
}

function statesOf({ webhook }: Scene): readonly unknown[] {
  return webhook.posts.map(({ state }) => state);
}

async function withScene(
  database: Database,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  await emptyDatabase(database);
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock, dialect: [binance, kraken] });
  const webhook = startWebhook();
  const runs: Run[] = [];
  try {
    await test({
      database,
      exchange,
      webhook,
      start: async (variables = {}) => {
        const archive = await openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: "BTC/USDT,ETH/USDT",
          TIMEFRAMES: "1m",
          BACKFILL: "off",
          BREAKER_FAILURES: "1000",
          ...(variables["EXCHANGES"] === undefined ? { EXCHANGE_BINANCE: UNSPARED } : {}),
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          ALERT_WEBHOOK_URL: webhook.url,
          ...variables,
        }, clock);
        const run = runOf(archive);
        runs.push(run);
        return run;
      },
      pass: (ms) => clock.pass(ms),
      now: () => clock.now(),
    });
  } finally {
    for (const { alerts, live } of runs) {
      await live.stop();
      await alerts.stop();
    }
    await webhook.close();
    await exchange.close();
  }
}

function runOf(archive: OpenArchive): Run {
  const live = new Live(archive, streamSource(archive));
  const alerts = new Alerts(archive, live);
  const poll = new Poll(archive, { streams: live });
  return {
    archive,
    alerts,
    live,
    poll: async () => {
      await poll.runOnce();
      await alerts.judgePolls();
      await alerts.idle();
    },
    takeStock: async () => {
      await alerts.judgeGaps();
      await alerts.idle();
    },
  };
}
