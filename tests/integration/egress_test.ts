/** Processes that reach one exchange by different addresses, and share a database: what it says of one holds for no other. */
import assert from "node:assert/strict";
import { answersOf } from "../../lib/daemon/answers.ts";
import { nodeOf } from "../../lib/daemon/own_node.ts";
import type { OpenArchive } from "../../lib/daemon/open_archive.ts";
import { closeBreakers } from "../../lib/daemon/open_exchanges.ts";
import { Reloads } from "../../lib/daemon/reload.ts";
import { Watchdog } from "../../lib/daemon/watchdog.ts";
import { PlatformSockets } from "../../lib/exchange/stream_socket.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readMigrations } from "../../lib/store/connection/migrations.ts";
import {
  readEgressStates,
  readExchangeStates,
  writeBan,
  writeBreaker,
  writeExchangeError,
} from "../../lib/store/exchange_state.ts";
import { banned, DENIED, withAddresses } from "../support/by_address.ts";
import { LeaseNode } from "../support/lease_nodes.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { holdRows, untilWaiting } from "../support/row_locks.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { started } from "../support/started.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest, openTestDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;
const BAN_SECONDS = 7_200;
/** All of 127/8 is this machine. */
const [ONE, OTHER] = ["127.0.0.2", "127.0.0.3"] as const;

type TestArchive = Awaited<ReturnType<typeof openTestArchive>>;

interface Scene {
  readonly database: Database;
  readonly clock: TestClock;
  readonly refused: Map<string, () => Response>;
  /** A process that has just started. */
  readonly start: (
    egress: string,
    change?: Readonly<Record<string, string>>,
  ) => Promise<TestArchive>;
  /** From which addresses `archive` sends the requests of one poll. */
  readonly visits: (archive: TestArchive) => Promise<readonly string[]>;
}

async function withScene(
  opened: { readonly database: Database; readonly drop: () => Promise<void> },
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const { database } = opened;
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  try {
    await emptyDatabase(database);
    await withAddresses(exchange, async ({ url, visitors, refused }) =>
      await test({
        database,
        clock,
        refused,
        start: (egress, change = {}) =>
          openTestArchive(database, {
            EGRESS: egress,
            EXCHANGES: "binance",
            SYMBOLS: "BTC/USDT",
            TIMEFRAMES: "1h",
            BACKFILL: "1h:2d",
            EXCHANGE_BINANCE: JSON.stringify({
              urls: { api: { public: `${url}/api/v3` } },
              rateLimit: 1,
            }),
            ...change,
          }, clock),
        visits: async (archive) => {
          const before = visitors.length;
          await new Poll(archive).runOnce();
          return [...new Set(visitors.slice(before))];
        },
      }));
  } finally {
    await exchange.close();
    await opened.drop();
  }
}

function scenario(what: string, test: (scene: Scene) => Promise<void>): void {
  // Clients that leave from an address live as long as the process.
  Deno.test({
    name: `by several addresses, ${what}`,
    sanitizeResources: false,
    fn: async () => await withScene(await openAnyTest(), test),
  });
}

scenario(
  "a ban of one address holds for no other, and each process has its own again after a restart",
  async ({ database, clock, refused, start, visits }) => {
    const [one, other] = [await start(ONE), await start(OTHER)];
    refused.set(ONE, banned(BAN_SECONDS));
    assert.deepEqual(await visits(one), [ONE]);
    assert.deepEqual(await visits(other), [OTHER]);
    assert(one.exchanges[0]!.client.bannedUntilMs > clock.now() + HOUR_MS);
    assert.equal(other.exchanges[0]!.client.bans.length, 0);

    assert.deepEqual(await visits(await start(ONE)), [], "banned before the restart");
    const again = await start(OTHER);
    assert.deepEqual(await visits(again), [OTHER]);
    assert.doesNotMatch(await again.metrics.text(), /^titan10_exchange_banned_until.*binance/m);
    // People see the worst.
    const [state] = await readExchangeStates(database);
    assert(state!.bannedUntilMs! > clock.now() + HOUR_MS);
    assert.match(String(state?.lastError), /Way too many requests/);
  },
);

scenario(
  "an egress that no live node has may be what this process was called before, so its bans count",
  async ({ database, refused, start, visits }) => {
    refused.set("127.0.0.1", banned(BAN_SECONDS));
    assert.equal((await visits(await start("old-name"))).length, 1);
    assert.deepEqual(await visits(await start("new-name")), []);
    assert.deepEqual(
      await visits(await start(OTHER)),
      [],
      "the name may have stood for this address",
    );

    const live = new LeaseNode(database, { egress: "old-name", wanted: { binance: [] } });
    await live.beat();
    assert.equal((await visits(await start("new-name"))).length, 1, "another node has that name");
    await live.expire();
    assert.deepEqual(await visits(await start("new-name")), []);
    await database.sql`truncate nodes, node_symbols, egress_leases, leases`;
  },
);

scenario(
  "a ban from before egresses were told apart holds for every one, and is shown, until it is over",
  async ({ database, clock, start, visits }) => {
    const untilMs = clock.now() + HOUR_MS;
    await database.sql`
      insert into exchange_egress (exchange, egress, banned_until, ban_reason)
      values ('binance', '', to_timestamp(${untilMs}::float8 / 1000.0), '418')`;
    const archive = await start(ONE);
    assert.deepEqual(await visits(archive), []);
    await writeExchangeError(database, { exchange: "binance", egress: ONE }, "of this one");
    const [state] = await readExchangeStates(database);
    assert.equal(Math.round(state?.bannedUntilMs! - untilMs), 0);
    clock.pass(HOUR_MS + 1);
    assert.deepEqual(await visits(archive), [ONE]);
  },
);

scenario(
  "two addresses are never the same one, so a ban of one is none of the other",
  async (scene) => {
    const { refused, start, visits } = scene;
    refused.set(ONE, banned(BAN_SECONDS));
    await visits(await start(ONE));
    assert.deepEqual(await visits(await start(OTHER)), [OTHER]);
  },
);

scenario(
  "an exchange that refuses one address is asked by the other, and asked again after a restart",
  async ({ database, refused, start, visits }) => {
    const one = await start(ONE);
    refused.set(ONE, DENIED);
    await visits(one);
    await visits(one);
    const why = async (egress: string): Promise<string | undefined> =>
      (await readEgressStates(database)).find((one) => one.egress === egress)?.denial?.why;
    await until("the refusal to be stored", async () => await why(ONE) !== undefined);
    assert.match(String(await why(ONE)), /Service unavailable from a restricted location/);
    const other = await start(OTHER);
    assert.deepEqual(await visits(other), [OTHER]);
    assert.notEqual(typeof other.exchanges[0]!.denial, "object");

    const again = await start(ONE);
    await visits(again);
    assert.equal(typeof again.exchanges[0]!.denial, "object", "one refusal more proves it");
    refused.delete(ONE);
    assert.deepEqual(await visits(await start(ONE)), [ONE]);
    await until("its end to be stored", async () => await why(ONE) === undefined);
    assert.equal(await why(OTHER), undefined);
  },
);

scenario(
  "breakers and errors of egresses that write at once are all seen in the worst",
  async (scene) => {
    const { database } = scene;
    const untilMs = scene.clock.now() + HOUR_MS;
    const egresses = Array.from({ length: 8 }, (_, n) => `e${n}`);
    await Promise.all(egresses.map(async (egress, n) => {
      const place = { exchange: "kraken", egress };
      await writeExchangeError(database, place, `error ${n}`);
      await writeBan(database, place, {
        host: `h${n}`,
        untilMs: untilMs + n * 1000,
        reason: `ban ${n}`,
      });
    }));
    const [state] = await readExchangeStates(database);
    assert.equal(state?.bannedUntilMs, untilMs + 7_000);
    assert.equal(state?.banReason, "ban 7");
    assert.deepEqual(state?.bans.map(({ host }) => host).sort(), egresses.map((_, n) => `h${n}`));

    const worst = async (): Promise<string | undefined> =>
      (await readExchangeStates(database))[0]?.breaker;
    const live = new LeaseNode(database, { egress: "e1", wanted: { kraken: [] } });
    await live.beat();
    await writeBreaker(database, { exchange: "kraken", egress: "e1" }, "open");
    await writeBreaker(database, { exchange: "kraken", egress: "e2" }, "closed");
    assert.equal(await worst(), "open");
    await live.expire();
    await writeBreaker(database, { exchange: "kraken", egress: "e2" }, "half_open");
    assert.equal(await worst(), "half_open", "nobody judges that of e1 any more");
    await database.sql`truncate nodes, node_symbols, egress_leases, leases`;
  },
);

scenario(
  "a breaker that was left open counts in no worst after a restart, also if that was closed without it",
  async ({ database, start }) => {
    const place = { exchange: "binance", egress: ONE };
    const worst = async (): Promise<string | undefined> =>
      (await readExchangeStates(database)).find(({ exchange }) => exchange === "binance")?.breaker;
    await writeBreaker(database, place, "open");
    // Its node was killed, and another egress is asked meanwhile.
    await writeBreaker(database, { ...place, egress: OTHER }, "closed");
    assert.equal(await worst(), "closed", "nobody judges the other one");
    await closeBreakers(await start(ONE));
    const again = new LeaseNode(database, { egress: ONE, wanted: { binance: [] } });
    await again.beat();
    await writeExchangeError(database, { ...place, egress: OTHER }, "of the other one");
    assert.equal(await worst(), "closed");
    await database.sql`truncate nodes, node_symbols, egress_leases, leases`;
  },
);

scenario(
  "an address that this machine does not have is refused at the start, and says what to do",
  async (scene) => {
    await assert.rejects(() => scene.start("203.0.113.7"), {
      name: "ConfigError",
      message:
        'Cannot use this configuration:\n  EGRESS="203.0.113.7": expected an address of this machine ' +
        "(this machine does not have it; ip -brief address lists those it has)",
    });
  },
);

Deno.test({
  name: "a stream leaves from the address that EGRESS names",
  sanitizeResources: false,
  fn: async () => {
    const seen = Promise.withResolvers<string>();
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request, { remoteAddr }) => {
        seen.resolve(remoteAddr.hostname);
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onopen = () => socket.close();
        return response;
      },
    );
    const sockets = new PlatformSockets();
    const socket = sockets.open({
      url: `ws://127.0.0.1:${server.addr.port}/`,
      proxy: undefined,
      sourceAddress: ONE,
      headers: {},
    });
    const closed = new Promise((resolve) => socket.onclose = resolve);
    assert.equal(await seen.promise, ONE);
    await closed;
    sockets.close();
    await server.shutdown();
  },
});

Deno.test({
  name:
    "a node that takes an exchange over from another one of its egress sends nothing before a ban is over",
  sanitizeResources: false,
  fn: async (t) => {
    const opened = await openTestDatabase("postgres");
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    await withScene(opened, async ({ refused, start, visits }) => {
      const [first, second] = [await start(ONE), await start(ONE)];
      const nodes = [first, second].map((archive) =>
        nodeOf(archive as OpenArchive & typeof archive, { kind: "daemon" })!
      );
      await nodes[0]!.start();
      await nodes[0]!.want("binance", ["BTC/USDT"]);
      assert(first.leases.mayAsk("binance"));
      refused.set(ONE, banned(BAN_SECONDS));
      assert.deepEqual(await visits(first), [ONE]);
      await nodes[0]!.stop();

      // It was open before the ban came, and knows nothing of it.
      await nodes[1]!.start();
      await nodes[1]!.want("binance", ["BTC/USDT"]);
      assert(second.leases.mayAsk("binance"));
      assert.deepEqual(await visits(second), []);
      assert.equal(second.exchanges[0]!.client.bans.length, 1);
      await nodes[1]!.stop();
    });
  },
});

Deno.test({
  name: "a ban of before that holds a single node on a server up is shown",
  sanitizeResources: false,
  fn: async (t) => {
    const opened = await openTestDatabase("postgres");
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    await withScene(opened, async ({ clock, database, start, visits }) => {
      const untilMs = clock.now() + HOUR_MS;
      const before = { exchange: "binance", egress: "old-name" };
      await writeBan(database, before, { host: undefined, untilMs, reason: "418" });
      const archive = await start("new-name");
      const node = nodeOf(archive, { kind: "daemon" })!;
      await node.start();
      await node.want("binance", ["BTC/USDT"]);
      const answers = answersOf({
        ground: archive,
        readiness: { reasons: [] },
        database,
        migrations: await readMigrations(),
        startedAtMs: clock.now(),
        state: { archive },
        reloads: new Reloads(archive),
        watchdog: new Watchdog({ job: "poll", cron: "* * * * *", clock, log: archive.log }),
      });
      assert.deepEqual(await visits(archive), []);
      const { exchanges: [row] } = await answers.status(new AbortController().signal);
      assert.equal(row?.bannedUntil, new Date(untilMs).toISOString());
      await node.stop();
    });
  },
});

Deno.test("two egresses that wait for each other to write the worst of an exchange both count in it", async (t) => {
  const opened = await openTestDatabase("postgres");
  if (opened === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  await withScene(opened, async ({ database, clock }) => {
    const write = (egress: string): Promise<void> =>
      writeBan(database, { exchange: "kraken", egress }, {
        host: egress,
        untilMs: clock.now() + HOUR_MS,
        reason: "418",
      });
    await write("first");
    const held = await holdRows(database, "exchanges");
    const writing = [write("second"), write("third")].map(started);
    await untilWaiting(database, 2);
    await held.release();
    await Promise.all(writing);
    const [state] = await readExchangeStates(database);
    assert.deepEqual(state?.bans.map(({ host }) => host).sort(), ["first", "second", "third"]);
  });
});

Deno.test("while an exchange bans or refuses one egress for long, another one has all symbols, and shares them when that is over", async (t) => {
  const opened = await openTestDatabase("postgres");
  if (opened === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  await withScene(opened, async ({ database }) => {
    const { sql } = database;
    const wanted = { binance: ["A/USDT", "B/USDT", "C/USDT", "D/USDT"] };
    const one = new LeaseNode(database, { egress: ONE, wanted });
    const other = new LeaseNode(database, { egress: OTHER, wanted });
    const shares = async (): Promise<readonly number[]> => {
      for (let turn = 0; turn < 3; turn++) for (const node of [one, other]) await node.settle();
      return [await one.settle(), await other.settle()].map(({ leases }) =>
        leases.find(({ exchange }) => exchange === "binance")?.symbols.length ?? 0
      );
    };
    assert.deepEqual(await shares(), [2, 2]);
    const place = { exchange: "binance", egress: ONE };
    // The database's clock decides.
    const [row] = await sql`select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`;
    const nowMs = Number(row?.["now"]);
    await writeBan(database, place, { host: "h", untilMs: nowMs + 60_000, reason: "short" });
    assert.deepEqual(await shares(), [2, 2]);
    await writeBan(database, place, { host: "h", untilMs: nowMs + HOUR_MS, reason: "long" });
    assert.deepEqual(await shares(), [0, 4]);
    await sql`update exchange_egress set banned_until = now() - interval '1 s'`;
    assert.deepEqual(await shares(), [2, 2]);
    await sql`update exchange_egress set denied_until = now() + interval '1 hour' where egress = ${ONE}`;
    assert.deepEqual(await shares(), [0, 4]);
    await sql`update exchange_egress set denied_until = null`;
    assert.deepEqual(await shares(), [2, 2]);
  });
});
