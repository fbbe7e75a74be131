/** Two daemons of one archive, as people and Prometheus see them. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import type { NodesDocument } from "../../lib/serve/node_status.ts";
import type { Status } from "../../lib/serve/status.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { assertCode, run, type Running, start, withDirectory } from "../support/program.ts";
import { openPostgres } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const SYMBOLS = ["BTC/USDT", "ETH/USDT"];

Deno.test("a second daemon stands by and is ready, differs where its settings do, and takes over when the first one stops", (t) =>
  withScene(t, async ({ cwd, env }) => {
    const first = start(["run"], { cwd, env });
    let second: Running | undefined;
    try {
      const url = await readyUrl(first);
      await until(
        "leases of the first",
        async () => (await metricsOf(url)).includes(held(SYMBOLS.length)),
      );
      assert.match(await metricsOf(url), /^titan10_leader 1$/m);
      second = start(["run"], { cwd, env: { ...env, GAP_ALERT_PERCENT: "7" } });
      // It may ask nobody, and that is no reason to be restarted or left out.
      const otherUrl = await readyUrl(second);
      await until("two nodes", async () => (await nodesAt(otherUrl)).length === 2);
      for (const at of [url, otherUrl]) {
        const [leader, other] = await nodesAt(at);
        assert(leader !== undefined && other !== undefined);
        assert.deepEqual(
          [leader.isLeader, leader.leases, leader.exchanges.map(({ exchange }) => exchange)],
          [true, SYMBOLS.length, ["binance"]],
        );
        assert.equal(leader.name.split(":").at(-1), new URL(url).port);
        assert.deepEqual([other.isLeader, other.leases, other.exchanges], [false, 0, []]);
        assert.deepEqual(other.differs, ["GAP_ALERT_PERCENT: 7 here, 5 there"]);
      }
      assert.match(await metricsOf(otherUrl), /^titan10_leader 0$/m);
      // What another node asks, this one does not tell of by itself.
      const { exchanges: [binance] } = await statusAt(otherUrl);
      assert.deepEqual([binance?.breaker, binance?.paceMs, binance?.stream], [
        "closed",
        null,
        null,
      ]);

      first.kill("SIGTERM");
      assert.equal((await first.ended).code, 143);
      await until(
        "leases of the second",
        async () => (await metricsOf(otherUrl)).includes(held(SYMBOLS.length)),
      );
      assert.match(await metricsOf(otherUrl), /^titan10_leader 1$/m);
      const shown = await run(["nodes", "--json"], { cwd, env });
      assertCode(shown, 0);
      const { nodes }: NodesDocument = JSON.parse(shown.stdout);
      assert.deepEqual(
        nodes.map(({ isLeader, leases, differs }) => [isLeader, leases, differs]),
        [[true, SYMBOLS.length, []]],
      );
    } finally {
      for (const daemon of [first, second]) daemon?.kill("SIGKILL");
      await Promise.all([first.ended, second?.ended]);
    }
  }));

interface Scene {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly exchange: LocalExchange;
}

async function withScene(
  t: Deno.TestContext,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const exchange = await startLocalExchange({ clock: systemClock });
  try {
    await withDirectory((cwd) =>
      use({
        cwd,
        exchange,
        env: {
          DATABASE_URL: server.url,
          EXCHANGES: "binance",
          SYMBOLS: SYMBOLS.join(),
          TIMEFRAMES: "1h",
          BACKFILL: "1h:2d",
          HTTP_PORT: "0",
          LOG_FORMAT: "json",
          EXCHANGE_BINANCE: JSON.stringify({
            urls: { api: { public: `${exchange.url}/api/v3` } },
            rateLimit: 1,
          }),
        },
      })
    );
  } finally {
    await exchange.close();
    await server.stop();
  }
}

async function readyUrl(daemon: Running): Promise<string> {
  const [, url] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
  assert(url !== undefined);
  await until("a daemon that is ready", async () => {
    const response = await fetch(`${url}/readyz`);
    await response.body?.cancel();
    return response.status === 200;
  });
  return url;
}

async function statusAt(url: string): Promise<Status> {
  return await (await fetch(`${url}/status`)).json();
}

async function nodesAt(url: string): Promise<Status["nodes"]> {
  return (await statusAt(url)).nodes;
}

async function metricsOf(url: string): Promise<string> {
  return await (await fetch(`${url}/metrics`)).text();
}

/** The line of the metrics. */
function held(symbols: number): string {
  return `titan10_leases_held{exchange="binance"} ${symbols}\n`;
}
