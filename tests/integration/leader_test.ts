/** Several nodes on one archive: one of them judges, posts and drops, by what all of them know, whoever comes and goes. @module */
import assert from "node:assert/strict";
import { Alerts } from "../../lib/alert/alerting.ts";
import type { WatchedStreams } from "../../lib/alert/conditions.ts";
import type { Archive } from "../../lib/archive/archive.ts";
import type { Leases } from "../../lib/archive/leases.ts";
import { sharedSettings } from "../../lib/config/shared_settings.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { forgetUnconfigured } from "../../lib/gap/account.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { tellDifferingSettings } from "../../lib/node/differing_settings.ts";
import { readAlertHold } from "../../lib/store/alert_holds.ts";
import { beginAlerts, endAlerts, readRunningAlerts } from "../../lib/store/alerts.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { expireCandles } from "../../lib/store/expiry.ts";
import { beginListings } from "../../lib/store/listings.ts";
import type { NodeHoldings } from "../../lib/store/nodes.ts";
import { readNodeExchanges } from "../../lib/store/node_exchanges.ts";
import {
  claimNews,
  dropUnsentNews,
  isLeading,
  markNewsSent,
  readUnsentNews,
} from "../../lib/store/unsent_news.ts";
import { rollUp } from "../../lib/upkeep/upkeep.ts";
import { LeaseNode } from "../support/lease_nodes.ts";
import { binance } from "../support/local_exchange/binance.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { holdTable, untilWaiting } from "../support/row_locks.ts";
import { DENIED_PAGES } from "../faults/refusing_answers.ts";
import { startReceivers } from "../support/receivers.ts";
import { started } from "../support/started.ts";
import { TestClock } from "../support/test_clock.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";
import { startWebhook, type TestWebhook } from "../support/webhook.ts";

const MINUTE_MS = 60_000;
const MINUTE = parseTimeframe("1m");
const SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT"] as const;

/** The leases of a node that a test moves by hand: what it believes to hold is what it was told last. */
class Share implements Leases {
  readonly lease: LeaseNode;
  #held: NodeHoldings = { slots: [], leases: [], isWaiting: false };

  constructor(lease: LeaseNode) {
    this.lease = lease;
  }

  get node(): string {
    return this.lease.id;
  }

  async beat(): Promise<void> {
    this.#held = await this.lease.settle();
  }

  mayAsk(exchange: string): boolean {
    return this.#held.slots.some((slot) => slot.exchange === exchange);
  }

  holds(exchange: string, symbol: string): boolean {
    return this.#held.leases.some((of) => of.exchange === exchange && of.symbols.includes(symbol));
  }

  stampOf(exchange: string, symbol: string): ReturnType<Leases["stampOf"]> {
    const of = this.#held.leases.find((of) => of.exchange === exchange);
    const epoch = of?.epochs[of.symbols.indexOf(symbol)];
    return epoch === undefined ? undefined : { holder: this.node, epoch };
  }

  async want(): Promise<void> {}

  get isLeader(): boolean {
    return this.holds("", "");
  }

  onChange(): () => void {
    return () => {};
  }
}

interface Node {
  readonly archive: Archive & { readonly lines: readonly string[] };
  readonly alerts: Alerts;
  readonly share: Share;
  /** How the node's streams are. */
  stream: ReturnType<WatchedStreams["state"]>;
  /** One tick, judged by every node, whether or not it leads: only the leader's judgement counts. */
  readonly tick: () => Promise<void>;
  readonly takeStock: () => Promise<void>;
}

interface Scene {
  readonly database: Database;
  readonly exchange: LocalExchange;
  /** The same one, as it answers another egress. */
  readonly elsewhere: LocalExchange;
  readonly webhook: TestWebhook;
  readonly join: (egress: string, variables?: Readonly<Record<string, string>>) => Promise<Node>;
  /** All of these say that they live, until nothing moves any more. */
  readonly settle: (...nodes: readonly Node[]) => Promise<void>;
  /** A tick of each. */
  readonly tick: (...nodes: readonly Node[]) => Promise<void>;
  readonly pass: (ms: number) => void;
  readonly now: () => number;
}

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "two events of two nodes are four posts, and a series of either is judged": async (scene) => {
    const { webhook, tick } = scene;
    const nodes = [await scene.join("a"), await scene.join("b")];
    await scene.settle(...nodes);
    await tick(...nodes);
    const failing = nodes.map(({ share }) => SYMBOLS.find((one) => share.holds("binance", one))!);
    assert.notEqual(failing[0], failing[1]);
    const faults = failing.map((symbol) => down(scene, symbol));
    scene.pass(12 * MINUTE_MS);
    for (let turn = 0; turn < 5; turn++) await tick(...nodes);
    assert.deepEqual(told(webhook), failing.map((symbol) => `stale ${symbol} firing`).sort());
    for (const { remove } of faults) remove();
    for (let turn = 0; turn < 5; turn++) await tick(...nodes);
    assert.equal(webhook.posts.length, 4);
    assert.equal(new Set(webhook.posts.map(({ id, state }) => `${id} ${state}`)).size, 4);
  },

  "an alert outlives its leaders: it neither begins nor ends anew, and its count goes on": async (
    scene,
  ) => {
    const { webhook, tick } = scene;
    const [first, second] = [await scene.join("a"), await scene.join("b")];
    await scene.settle(first, second);
    assert.deepEqual([first, second].map(({ share }) => share.isLeader), [true, false]);
    await tick(first, second);
    const ofSecond = SYMBOLS.find((symbol) => second.share.holds("binance", symbol))!;
    const fault = down(scene, ofSecond);
    scene.pass(12 * MINUTE_MS);
    // The second judgement in a row would begin it.
    await tick(first, second);
    assert.deepEqual(told(webhook), []);
    await first.share.lease.expire();
    await scene.settle(second);
    assert.equal(second.share.isLeader, true);
    await longAgo(scene, "alert_holds", "at");
    await tick(second);
    assert.deepEqual(told(webhook), [`stale ${ofSecond} firing`]);
    // The one before wakes, and believes to lead: it neither ends, begins nor posts.
    await tick(first);
    await scene.database.sql`update alerts set began_sent = null`;
    fault.remove();
    await tick(first);
    await first.alerts.judgeGaps();
    await first.alerts.idle();
    assert.deepEqual(told(webhook), [`stale ${ofSecond} firing`]);
    const third = await scene.join("c");
    await second.share.lease.expire();
    await scene.settle(third);
    await tick(third, third);
    assert.deepEqual(told(webhook).slice(1), [
      `stale ${ofSecond} firing`,
      `stale ${ofSecond} resolved`,
    ]);
  },

  "a new leader that judges a moment after the one before counts what holds once": async (
    scene,
  ) => {
    const { webhook, tick } = scene;
    const [first, second] = [await scene.join("a"), await scene.join("b")];
    await scene.settle(first, second);
    await tick(first, second);
    down(scene, "BTC/USDT");
    scene.pass(12 * MINUTE_MS);
    await tick(first, second);
    await first.share.lease.expire();
    await scene.settle(second);
    await tick(second);
    assert.deepEqual(told(webhook), []);
    await longAgo(scene, "alert_holds", "at");
    await tick(second);
    assert.deepEqual(told(webhook), ["stale BTC/USDT firing"]);
  },

  "what was counted before nobody judged for long is counted anew": async (scene) => {
    const { database, webhook, tick } = scene;
    const [first, second] = [await scene.join("a"), await scene.join("b")];
    await scene.settle(first, second);
    await tick(first, second);
    down(scene, "BTC/USDT");
    scene.pass(12 * MINUTE_MS);
    await tick(first, second);
    await first.share.lease.end();
    await scene.settle(second);
    await database.sql`update alert_holds set at = at - interval '1 day'`;
    await tick(second);
    assert.deepEqual(told(webhook), []);
    await tick(second);
    assert.deepEqual(told(webhook), ["stale BTC/USDT firing"]);
  },

  "a breaker that is open for one egress is told of with its name, and not what another egress polls":
    async (scene) => {
      const { webhook, tick } = scene;
      const variables = {
        BREAKER_FAILURES: "2",
        EXCHANGE_BINANCE: binanceAt(scene.elsewhere),
      };
      const [well, ill] = [await scene.join("a"), await scene.join("b", variables)];
      await scene.settle(well, ill);
      await tick(well, ill);
      const fault = scene.elsewhere.faults.add({ fault: { kind: "status", status: 500 } });
      scene.pass(MINUTE_MS);
      await tick(well, ill);
      scene.pass(3 * MINUTE_MS);
      await tick(ill, well);
      scene.pass(3 * MINUTE_MS);
      await tick(ill, well);
      assert.deepEqual(webhook.posts.map(({ alert, summary }) => [alert, summary]), [[
        "breaker_open",
        "binance: the breaker has not been closed for 6 min (over 5 min). Egress: b (of 2)",
      ]]);
      // Its node dies. What it knew is not known any more, so the alert goes on.
      await ill.share.lease.expire();
      await scene.settle(well);
      scene.pass(MINUTE_MS);
      await tick(well, well);
      assert.equal(webhook.posts.length, 1);
      // Who comes in its place finds the same, and then that it is over.
      const next = await scene.join("b", variables);
      await scene.settle(well, next);
      await tick(next, well);
      scene.pass(MINUTE_MS);
      await tick(next, well);
      assert.equal(webhook.posts.length, 1, "no second beginning");
      fault.remove();
      for (let turn = 0; turn < 3; turn++) {
        scene.pass(MINUTE_MS);
        await tick(next, well);
      }
      assert.deepEqual(told(webhook), ["breaker_open null firing", "breaker_open null resolved"]);
    },

  "an egress that nobody uses any more is forgotten after some minutes, and so is its trouble":
    async (scene) => {
      const variables = {
        BREAKER_FAILURES: "2",
        EXCHANGE_BINANCE: binanceAt(scene.elsewhere),
      };
      const [well, ill] = [await scene.join("a"), await scene.join("b", variables)];
      await scene.settle(well, ill);
      await scene.tick(well, ill);
      scene.elsewhere.faults.add({ fault: { kind: "status", status: 500 } });
      scene.pass(MINUTE_MS);
      await scene.tick(ill, well);
      scene.pass(6 * MINUTE_MS);
      await scene.tick(ill, well);
      assert.deepEqual(told(scene.webhook), ["breaker_open null firing"]);
      await ill.share.lease.expire();
      await scene.tick(well);
      assert.equal(scene.webhook.posts.length, 1);
      await longAgo(scene, "node_exchanges", "at");
      await scene.tick(well);
      assert.deepEqual(told(scene.webhook).slice(1), ["breaker_open null resolved"]);
    },

  "what a leader had posted and could not tell before it died comes again with the same number, and not before":
    async (scene) => {
      const { webhook, database } = scene;
      const [first, second] = [await scene.join("a"), await scene.join("b")];
      await scene.settle(first, second);
      await scene.tick(first, second);
      down(scene, "BTC/USDT");
      scene.pass(12 * MINUTE_MS);
      await scene.tick(first, second);
      await scene.tick(first, second);
      assert.deepEqual(told(webhook), ["stale BTC/USDT firing"]);
      // As if it had been killed between the answer and the note of it.
      await database.sql`
        update alerts set began_sent = null, sending = ${first.share.node}::uuid, sending_at = clock_timestamp()`;
      await first.share.lease.expire();
      await scene.settle(second);
      await scene.tick(second);
      assert.equal(webhook.posts.length, 1, "the first one may still be at it");
      await longAgo(scene, "alerts", "sending_at");
      await scene.tick(second);
      const [one, again] = webhook.posts;
      assert.deepEqual([again?.["id"], again?.["state"]], [one?.["id"], one?.["state"]]);
      await scene.tick(second);
      assert.equal(webhook.posts.length, 2);
    },

  "a post that was not taken is free for the next leader at once": async (scene) => {
    const { webhook } = scene;
    const [first, second] = [await scene.join("a"), await scene.join("b")];
    await scene.settle(first, second);
    await scene.tick(first, second);
    down(scene, "BTC/USDT");
    scene.pass(12 * MINUTE_MS);
    await scene.tick(first, second);
    webhook.answer(500, 500, 500);
    await scene.tick(first, second);
    assert.equal(webhook.posts.length, 3, "all of its attempts");
    await first.share.lease.expire();
    await scene.settle(second);
    await scene.tick(second);
    assert.equal(webhook.posts.length, 4);
    assert.equal(new Set(webhook.posts.map(({ id }) => id)).size, 1);
  },

  "an Alertmanager is not told by a leader that woke too late that what has ended fires": async (
    scene,
  ) => {
    const receivers = startReceivers();
    try {
      const variables = {
        ALERT_WEBHOOK_URL: receivers.urls.alertmanager,
        ALERT_WEBHOOK_FORMAT: "alertmanager",
      };
      const [first, second] = [
        await scene.join("a", variables),
        await scene.join("b", variables),
      ];
      await scene.settle(first, second);
      await scene.tick(first, second);
      down(scene, "BTC/USDT");
      scene.pass(12 * MINUTE_MS);
      await scene.tick(first, second);
      await scene.tick(first, second);
      await first.share.lease.expire();
      await scene.settle(second);
      const { length: before } = receivers.bodies;
      assert(before > 0);
      await scene.tick(first);
      assert.equal(receivers.bodies.length, before);
      await scene.tick(second);
      assert(receivers.bodies.length > before, "the leader repeats what fires");
    } finally {
      await receivers.close();
    }
  },

  "too many missing candles are judged once for all nodes": async (
    scene,
  ) => {
    const hour = parseTimeframe("1h");
    const lastMs = closedUntil(hour, scene.now());
    const variables = { TIMEFRAMES: "1h", POLL_CANDLES: "100" };
    const nodes = [await scene.join("a", variables), await scene.join("b", variables)];
    await scene.settle(...nodes);
    for (const symbol of SYMBOLS) {
      scene.exchange.faults.add({
        when: { symbol },
        fault: {
          kind: "holes",
          sinceMs: addCandles(hour, lastMs, -40),
          untilMs: addCandles(hour, lastMs, -20),
        },
      });
    }
    await scene.tick(...nodes);
    for (let turn = 0; turn < 4; turn++) {
      for (const { takeStock } of nodes) await takeStock();
    }
    const posted = told(scene.webhook);
    assert.deepEqual(posted, SYMBOLS.map((symbol) => `gap_percent ${symbol} firing`));
  },

  "a node that does not lead any more drops no candle by the RETENTION that it knows": async (
    scene,
  ) => {
    const { database } = scene;
    const [late, leader] = [await scene.join("a"), await scene.join("b")];
    await scene.settle(late, leader);
    await scene.tick(late, leader);
    await late.share.lease.expire();
    await scene.settle(leader);
    assert.equal(late.share.isLeader, true, "as far as it knows");
    const expire = async ({ share: { node } }: Node): Promise<number> => {
      const untilMs = scene.now() + 365 * 24 * 60 * MINUTE_MS;
      return (await expireCandles(database, MINUTE, { untilMs, node })).candles;
    };
    assert.equal(await expire(late), 0);
    const [row] = await database.sql`select count(*)::int as candles from ohlcv_1m`;
    assert(row?.["candles"] > 0);
    assert.equal(await expire(leader), row?.["candles"]);
  },

  "another node leads at once where the one before waits for a table, to drop candles": async (
    scene,
  ) => {
    const { database } = scene;
    const [late, leader] = [await scene.join("a"), await scene.join("b")];
    await scene.settle(late, leader);
    await scene.tick(late, leader);
    // As whoever reads for hours does, such as pg_dump.
    const held = await holdTable(database, "ohlcv_1m");
    const { node } = late.share;
    const untilMs = scene.now() + 365 * 24 * 60 * MINUTE_MS;
    const expiring = started(expireCandles(database, MINUTE, { untilMs, node }));
    try {
      await untilWaiting(database, 1);
      // Heartbeats of all nodes come one after the other: one that had to wait would end the shares of all.
      await database.sql`
        select from leases where exchange = '' for no key update nowait`;
      await late.share.lease.expire();
      await scene.settle(leader);
      assert.equal(leader.share.isLeader, true);
    } finally {
      await held.release();
      await expiring;
    }
  },

  "symbols that several nodes find at the same moment are listed once": async ({ database }) => {
    await Promise.all(Array.from({ length: 8 }, (_, at) =>
      beginListings(database, "binance", {
        symbols: SYMBOLS.map((symbol) => ({ symbol, marketId: symbol.replace("/", "") })),
        series: [],
        nowMs: Date.UTC(2024, 0, 1) + at,
      })));
    const rows = await database.sql`select symbol from listings order by symbol`;
    assert.deepEqual(rows.map(({ symbol }) => symbol), [...SYMBOLS]);
  },

  "a node whose settings differ neither leads nor has rollups and wishes of its own dropped by it":
    async (scene) => {
      const { database } = scene;
      const rollups = { ROLLUPS: "5m", TIMEFRAMES: "1m" };
      const [one, other] = [await scene.join("a", rollups), await scene.join("b", rollups)];
      const odd = await scene.join("c", { TIMEFRAMES: "1m", SYMBOLS: "BTC/USDT,DOGE/USDT" });
      await scene.settle(one, other, odd);
      await scene.tick(one, other, odd);
      assert.deepEqual([one, other, odd].map(({ share }) => share.isLeader), [true, false, false]);
      const views = async (): Promise<unknown[]> => {
        const rows = await database.sql`select timeframe from rollups`;
        return rows.map(({ timeframe }) => timeframe);
      };
      await rollUp(one.archive);
      await rollUp(odd.archive);
      assert.deepEqual(await views(), ["5m"]);
      // What only the odd one wants is still wanted, and its lease says so.
      for (const { archive } of [one, other, odd]) await forgetUnconfigured(archive);
      const wanted = await database.sql`
        select symbol from checkpoints where wanted_since < 'infinity' order by symbol`;
      assert.deepEqual(wanted.map(({ symbol }) => symbol), [...SYMBOLS, "DOGE/USDT"].sort());
      for (let turn = 0; turn < 2; turn++) await tellDifferingSettings(odd.archive);
      const said = odd.archive.lines.filter((line) => line.includes("settings differ"));
      assert.equal(said.length, 1, "once");
      assert.deepEqual(JSON.parse(said[0]!).differences, [
        "ROLLUPS: not set here, 5m there",
        "SYMBOLS: BTC/USDT,DOGE/USDT here, BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT there",
      ]);
      await tellDifferingSettings(other.archive);
      assert(
        !other.archive.lines.some((line) =>
          /ROLLUPS: .* here/.test(line) && line.includes("other")
        ),
      );
      // When it is gone, the leader says what is wanted of what nobody asks for.
      await odd.share.lease.end();
      await scene.settle(one, other);
      await forgetUnconfigured(one.archive);
      const left = await database.sql`
        select symbol from checkpoints where wanted_since < 'infinity' order by symbol`;
      assert.deepEqual(left.map(({ symbol }) => symbol), [...SYMBOLS]);
    },
};

/** What befalls one node, or one symbol, for as long as it lasts. */
interface Ill {
  /** Call before each tick with the node that is at the egress in trouble. */
  readonly hold: (node: Node) => void;
  readonly end: () => void;
}

const ILLS: Readonly<Record<string, (scene: Scene) => Ill>> = {
  breaker_open: ({ elsewhere }) => {
    const fault = elsewhere.faults.add({ fault: { kind: "status", status: 500 } });
    return { hold: () => {}, end: () => fault.remove() };
  },

  access_denied: ({ elsewhere }) => {
    const fault = elsewhere.faults.add({ fault: DENIED_PAGES.at(-1)! });
    return { hold: () => {}, end: () => fault.remove() };
  },

  stale: ({ exchange, elsewhere }) => {
    const faults = [exchange, elsewhere].map(({ faults }) =>
      faults.add({ when: { symbol: "SOL/USDT" }, fault: { kind: "status", status: 500 } })
    );
    return { hold: () => {}, end: () => faults.forEach((fault) => fault.remove()) };
  },

  stream_down: ({ now }) => {
    let sinceMs: number | undefined = now();
    return {
      hold: (node) => {
        const lastEnd = { reason: "server", why: "1006" };
        node.stream = sinceMs === undefined
          ? { kind: "up", unsteadySinceMs: undefined, sinceMs: now(), lastEnd }
          : { kind: "down", unsteadySinceMs: sinceMs, sinceMs, lastEnd };
      },
      end: () => sinceMs = undefined,
    };
  },

  polls_skipped: ({ now }) => {
    let lasts = true;
    return {
      hold: ({ archive }) => archive.exchanges[0]!.work.skippedPolls.note(now(), lasts),
      end: () => lasts = false,
    };
  },
};

/** An alert of one node begins, its leaders and its node come and go, and it ends. */
async function outlives(scene: Scene, start: (scene: Scene) => Ill): Promise<void> {
  const at = { EXCHANGE_BINANCE: binanceAt(scene.elsewhere) };
  let hold: Ill["hold"] = () => {};
  const turns = async (count: number, { well, sick }: {
    readonly well?: Node;
    readonly sick?: Node;
  }): Promise<void> => {
    for (let turn = 0; turn < count; turn++) {
      scene.pass(2 * MINUTE_MS);
      if (sick !== undefined) hold(sick);
      // The sick one first: what it knows is judged in the same tick.
      await scene.tick(...[sick, well].filter((node) => node !== undefined));
    }
  };
  const first = await scene.join("a");
  const variables = { ...at, BREAKER_FAILURES: "2" };
  const sick = await scene.join("b", variables);
  await scene.settle(first, sick);
  await turns(3, { well: first, sick });
  assert.deepEqual(scene.webhook.posts, []);
  const ill = start(scene);
  hold = ill.hold;
  await turns(8, { well: first, sick });
  const states = (): readonly unknown[] => scene.webhook.posts.map(({ state }) => state);
  assert.deepEqual(states(), ["firing"]);

  await first.share.lease.expire();
  const second = await scene.join("c");
  await scene.settle(sick, second);
  assert.equal(sick.share.isLeader, true);
  await turns(2, { well: second, sick });
  await sick.share.lease.expire();
  await scene.settle(second);
  assert.equal(second.share.isLeader, true);
  await turns(2, { well: second });
  const next = await scene.join("b", variables);
  await scene.settle(second, next);
  await turns(2, { well: second, sick: next });
  await second.share.lease.end();
  const third = await scene.join("d");
  await scene.settle(next, third);
  assert.equal(next.share.isLeader, true);
  await turns(2, { well: third, sick: next });
  // Who led first wakes, and believes to lead still.
  await scene.tick(first);
  assert.deepEqual(states(), ["firing"]);

  // What is known of those that are gone does not count any more by now.
  await longAgo(scene, "node_exchanges", "at");
  ill.end();
  await turns(6, { well: third, sick: next });
  assert.deepEqual(states(), ["firing", "resolved"]);
  assert.equal(new Set(scene.webhook.posts.map(({ id }) => id)).size, 1);
}

for (const [alert, start] of Object.entries(ILLS)) {
  Deno.test(`${alert} of one node is told of once when it begins and once when it ends, whoever comes, goes and leads`, async (t) => {
    const test = await openTestDatabase("postgres");
    if (test === undefined) {
      return void await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    }
    try {
      await withScene(test.database, async (scene) => {
        await outlives(scene, start);
        assert.deepEqual([...new Set(scene.webhook.posts.map((post) => post["alert"]))], [alert]);
      });
    } finally {
      await test.drop();
    }
  });
}

Deno.test("several nodes judge an archive as one", async (t) => {
  const test = await openTestDatabase("postgres");
  if (test === undefined) {
    return void await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
  }
  try {
    for (const [name, one] of Object.entries(TESTS)) {
      await t.step(name, () => withScene(test.database, one));
    }
  } finally {
    await test.drop();
  }
});

for (const kind of DATABASE_KINDS) {
  Deno.test(`where no leases are kept, a database that is ${kind} takes what any process judges and posts`, async (t) => {
    const test = await openTestDatabase(kind);
    if (test === undefined) {
      return void await t.step({ name: `needs ${kind}`, ignore: true, fn: () => {} });
    }
    const { database } = test;
    const nowMs = Date.UTC(2024, 0, 1);
    try {
      await migrate(database, await readMigrations());
      const found = { exchange: "binance", value: 1, threshold: 1, summary: "much" };
      const begun = { conditions: [found], nowMs };
      assert.equal(await beginAlerts(database, "breaker_open", begun), true);
      const [alert] = await readRunningAlerts(database, "breaker_open");
      const poster = { node: undefined, claimMs: 1_000 };
      const news = await readUnsentNews(database, { ...poster, newsMax: 10 });
      assert.deepEqual(news.map(({ id, state }) => [id, state]), [[alert!.id, "firing"]]);
      assert.equal(await claimNews(database, news, poster), true);
      assert.equal(await isLeading(database, undefined), true);
      await markNewsSent(database, news, { node: undefined, nowMs });
      assert.equal(await endAlerts(database, [alert!.id], { nowMs }), true);
      assert.equal((await readUnsentNews(database, { ...poster, newsMax: 10 })).length, 1);
      await dropUnsentNews(database);
      assert.deepEqual(await readUnsentNews(database, { ...poster, newsMax: 10 }), []);
      // One post tells of a whole event, and of the beginning of another one.
      for (const exchange of ["kraken", "okx"]) {
        await beginAlerts(database, "breaker_open", {
          conditions: [{ ...found, exchange }],
          nowMs,
        });
      }
      const running = await readRunningAlerts(database, "breaker_open");
      const kraken = running.find(({ exchange }) => exchange === "kraken");
      await endAlerts(database, [kraken!.id], { nowMs });
      const both = await readUnsentNews(database, { ...poster, newsMax: 10 });
      assert.deepEqual(
        both.map(({ exchange, state }) => `${exchange} ${state}`).sort(),
        ["kraken firing", "kraken resolved", "okx firing"],
      );
      await markNewsSent(database, both, { node: undefined, nowMs });
      assert.deepEqual(await readUnsentNews(database, { ...poster, newsMax: 10 }), []);
      const still = (await readRunningAlerts(database, "breaker_open")).map(({ id }) => id);
      assert.deepEqual(still.length, 1, "of okx");
      await endAlerts(database, still, { nowMs });
      const ends = await readUnsentNews(database, { ...poster, newsMax: 10 });
      assert.deepEqual(ends.map(({ exchange, state }) => [exchange, state]), [["okx", "resolved"]]);
      await markNewsSent(database, ends, { node: undefined, nowMs });
      // A node that is not known leads nowhere.
      const stranger = { node: crypto.randomUUID(), claimMs: 1_000 };
      assert.equal(await beginAlerts(database, "breaker_open", { ...begun, ...stranger }), false);
      assert.equal(await endAlerts(database, [alert!.id], { nowMs, ...stranger }), false);
      assert.equal(await claimNews(database, news, stranger), false);
      assert.deepEqual(await readRunningAlerts(database, "breaker_open"), []);
      assert.deepEqual(await readNodeExchanges(database), []);
      assert.equal((await readAlertHold(database, "stale")).ageMs, undefined);
    } finally {
      await test.drop();
    }
  });
}

/** Lets the requests for a symbol fail. */
function down({ exchange }: Scene, symbol: string): { remove(): void } {
  return exchange.faults.add({ when: { symbol }, fault: { kind: "status", status: 500 } });
}

function told({ posts }: TestWebhook): readonly string[] {
  return posts.map(({ alert, symbol, state }) => `${alert} ${symbol} ${state}`);
}

/** As if so much time had passed that nothing of it counts any more, by the database's clock. */
async function longAgo({ database }: Scene, table: string, column: string): Promise<void> {
  await database.sql.unsafe(`update ${table} set ${column} = ${column} - interval '10 minutes'`);
}

async function withScene(
  database: Database,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  await emptyDatabase(database);
  const there = await database.sql`select to_regclass('nodes') is not null as yes`;
  if (there[0]?.["yes"] === true) {
    await database
      .sql`truncate nodes, node_symbols, leases, egress_leases, node_exchanges, alert_holds`;
  }
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock, dialect: binance });
  const elsewhere = await startLocalExchange({ clock, dialect: binance });
  const webhook = startWebhook();
  const nodes: Node[] = [];
  const settle = async (...all: readonly Node[]): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) {
      for (const { share } of all) await share.beat();
    }
  };
  try {
    await test({
      ...{ database, exchange, elsewhere, webhook, settle },
      join: async (egress, variables = {}) => {
        const archive = await openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: SYMBOLS.join(),
          TIMEFRAMES: "1m",
          BACKFILL: "off",
          LIVE: "off",
          EGRESS: egress,
          BREAKER_FAILURES: "1000",
          EXCHANGE_BINANCE: binanceAt(exchange),
          ALERT_WEBHOOK_URL: webhook.url,
          ...variables,
        }, clock);
        const node = nodeOf(archive, egress);
        nodes.push(node);
        return node;
      },
      tick: async (...all) => {
        for (const node of all) await node.tick();
      },
      pass: (ms) => clock.pass(ms),
      now: () => clock.now(),
    });
  } finally {
    for (const { alerts } of nodes) await alerts.stop();
    await webhook.close();
    await exchange.close();
    await elsewhere.close();
  }
}

function nodeOf(archive: Node["archive"], egress: string): Node {
  const { hash, settings } = sharedSettings(archive.config);
  const symbols = archive.config.everywhere.symbols.names;
  const lease = new LeaseNode(archive.database, {
    egress,
    settingsHash: hash,
    settings,
    wanted: { binance: symbols },
  });
  const share = new Share(lease);
  Object.assign(archive, { leases: share });
  const alerts = new Alerts(archive, { state: () => node.stream });
  const poll = new Poll(archive);
  const node: Node = {
    ...{ archive, alerts, share },
    stream: { kind: "off" },
    tick: async () => {
      await alerts.reports.during(() => poll.runOnce());
      await alerts.judgePolls();
      await alerts.idle();
    },
    takeStock: async () => {
      await alerts.judgeGaps();
      await alerts.idle();
    },
  };
  return node;
}
