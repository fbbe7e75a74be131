/** Two daemons on one archive, each with an address of its own: what one of them held when it ends, the other one goes on with. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { askedTwice, candleRequests } from "../nodes/asked.ts";
import { CANDLES_COST } from "../nodes/scene.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { assertCode, type Running, start, withDirectory } from "../support/program.ts";
import { openPostgres } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const SYMBOLS = LOCAL_SYMBOLS.slice(0, 4);
const [FIRST, SECOND] = ["127.0.0.2", "127.0.0.3"] as const;

/** Seldom enough that a backfill is not over before its nodes are ended. */
const REQUEST_MS = 60;
const HISTORY_DAYS = 3;
const MINUTE_MS = 60_000;
const HISTORY_MINUTES = HISTORY_DAYS * 24 * 60;

/** What is younger may not be final, and is asked for again. */
const YOUNG_MS = 10 * MINUTE_MS;

interface Scene {
  readonly exchange: LocalExchange;
  readonly sql: postgres.Sql;
  /** By address. */
  startNode(egress: string): Running;
  /** Ids of the symbols that an address has polled since. */
  polledBy(egress: string, since?: number): ReadonlySet<string>;
}

Deno.test("what a killed node polled, the other one polls within two ticks, and nothing that is stored is asked for again", (t) =>
  withScene(t, async (scene) => {
    const { exchange, sql, startNode, polledBy } = scene;
    const [first, second] = [startNode(FIRST), startNode(SECOND)];
    try {
      await untilShared(scene);
      const history = systemClock.now() - YOUNG_MS;
      await until("a part of the history", async () => await covered(sql) > HISTORY_MINUTES / 4);
      first.kill("SIGKILL");
      await first.ended;
      const end = await endOf(scene);
      await untilAllPolledBy(scene, SECOND, end.before);
      await untilComplete(sql);
      assert.deepEqual([...polledBy(FIRST, end.before)], [], "a killed node asks nothing");
      assertNothingAgain(exchange, { ...end, history });
    } finally {
      await endAll(first, second);
    }
  }));

Deno.test("a node that is stopped hands over at once, and nothing that is stored is asked for again", (t) =>
  withScene(t, async (scene) => {
    const { exchange, sql, startNode } = scene;
    const [first, second] = [startNode(FIRST), startNode(SECOND)];
    try {
      await untilShared(scene);
      const history = systemClock.now() - YOUNG_MS;
      await until("a part of the history", async () => await covered(sql) > HISTORY_MINUTES / 4);
      first.kill("SIGTERM");
      const { code } = await first.ended;
      assertCode({ code, stdout: first.stdout(), stderr: first.stderr() }, 143);
      const end = await endOf(scene);
      // Of two nodes one is left: what it does not hold by now is free.
      const held = await sql`
        select holder from leases where holder is not null union select holder from egress_leases where holder is not null`;
      assert(held.length <= 1, "what a stopped node held is free when it has ended");
      await untilAllPolledBy(scene, SECOND, end.before);
      await untilComplete(sql);
      assertNothingAgain(exchange, { ...end, history });
      second.kill("SIGTERM");
      assertCode({ code: (await second.ended).code, stdout: "", stderr: second.stderr() }, 143);
    } finally {
      await endAll(first, second);
    }
  }));

Deno.test("two nodes with one address keep its pace together, and the second one goes on where the first one ends", (t) =>
  withScene(t, async (scene) => {
    const { exchange, sql, startNode, polledBy } = scene;
    const [first, second] = [startNode(FIRST), startNode(FIRST)];
    try {
      await until("two nodes", async () => (await sql`select from nodes`).length === 2);
      await until("polls of all symbols", () => polledBy(FIRST).size === SYMBOLS.length);
      const before = exchange.requests.length;
      first.kill("SIGTERM");
      await first.ended;
      await untilAllPolledBy(scene, FIRST, before);
      const statuses = new Set(exchange.requests.map(({ status }) => status));
      assert(!statuses.has(429), "the exchange was asked faster than one node may ask");
    } finally {
      await endAll(first, second);
    }
  }));

interface NodeEnd {
  /** How many requests the exchange had seen. */
  readonly before: number;
  readonly endMs: number;
  readonly stored: Coverage;
}

/** What there is when a node has just ended. */
async function endOf({ exchange, sql }: Scene): Promise<NodeEnd> {
  const before = exchange.requests.length;
  return { before, endMs: systemClock.now(), stored: await coverage(sql) };
}

/** What the node that ended had not stored may be asked for again; all other history once by whoever it is. */
function assertNothingAgain(
  { requests }: LocalExchange,
  { before, endMs, stored, history }: NodeEnd & { readonly history: number },
): void {
  for (const { query } of candleRequests(requests.slice(before), "1m")) {
    const sinceMs = Number(query["startTime"]);
    const untilMs = Math.min(sinceMs + Number(query["limit"]) * MINUTE_MS, history);
    const again = stored.get(query["symbol"] ?? "")?.find(([since, end]) =>
      sinceMs < Math.min(untilMs, end) && since < untilMs
    );
    assert.equal(again, undefined, `${JSON.stringify(query)} was stored before`);
  }
  const pardon = { visitor: FIRST, sinceMs: 0, untilMs: endMs };
  const { unpardoned } = askedTwice(requests, { untilMs: history, pardons: [pardon] });
  assert.deepEqual(unpardoned, []);
}

async function withScene(t: Deno.TestContext, use: (scene: Scene) => Promise<void>): Promise<void> {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs a server", ignore: true, fn: () => {} });
    return;
  }
  const exchange = await startLocalExchange({
    clock: systemClock,
    symbols: SYMBOLS,
    rateLimit: { perSecond: Math.ceil(1.5 * 1_000 / REQUEST_MS), eachVisitor: true },
  });
  const sql = postgres(server.url, { max: 1, onnotice: () => {} });
  const env = {
    DATABASE_URL: server.url,
    EXCHANGES: "binance",
    SYMBOLS: SYMBOLS.map(({ symbol }) => symbol).join(","),
    TIMEFRAMES: "1s",
    BACKFILL: `1m:${HISTORY_DAYS}d`,
    PAGE_LIMIT: "100",
    POLL_CRON: "*/2 * * * * *",
    BACKFILL_CRON: "*/5 * * * * *",
    RETRY_MIN: "50ms",
    RETRY_MAX: "300ms",
    HTTP_PORT: "0",
    LOG_FORMAT: "json",
    EXCHANGE_BINANCE: JSON.stringify({
      urls: { api: { public: `${exchange.url}/api/v3` } },
      rateLimit: REQUEST_MS / CANDLES_COST,
    }),
  };
  try {
    await withDirectory((cwd) =>
      use({
        exchange,
        sql,
        startNode: (egress) => start(["run"], { cwd, env: { ...env, EGRESS: egress } }),
        polledBy: (egress, since = 0) => {
          const polls = candleRequests(exchange.requests.slice(since), "1s");
          const own = polls.filter(({ visitor }) => visitor === egress);
          return new Set(own.map(({ query }) => query["symbol"] ?? ""));
        },
      })
    );
  } finally {
    await sql.end();
    await exchange.close();
    await server.stop();
  }
}

/** Resolves when both nodes poll, and what one of them polls the other one leaves. */
async function untilShared({ exchange, polledBy }: Scene): Promise<void> {
  let before = 0;
  await until("each node with a half of the symbols", async () => {
    await systemClock.sleep(100);
    const [some, others] = [polledBy(FIRST, before), polledBy(SECOND, before)];
    const isShared = some.size === 2 && others.size === 2 && some.isDisjointFrom(others);
    // Where symbols have changed hands meanwhile, what was polled before does not count.
    if (!isShared && some.size + others.size > 3) before = exchange.requests.length;
    return isShared;
  }, { instead: () => [FIRST, SECOND].map((egress) => [...polledBy(egress, before)]) });
}

async function untilAllPolledBy(
  { polledBy }: Scene,
  egress: string,
  before: number,
): Promise<void> {
  await until(
    `polls of all symbols by ${egress}`,
    () => polledBy(egress, before).size === SYMBOLS.length,
    { instead: () => [...polledBy(egress, before)] },
  );
}

async function untilComplete(sql: postgres.Sql): Promise<void> {
  const all = SYMBOLS.length * (HISTORY_MINUTES - YOUNG_MS / MINUTE_MS);
  await until("the whole history", async () => {
    await systemClock.sleep(200);
    return await covered(sql) >= all;
  }, { instead: () => covered(sql) });
}

/** Minutes of all symbols together that the ledger has. */
async function covered(sql: postgres.Sql): Promise<number> {
  const all = [...(await coverage(sql)).values()].flat();
  return all.reduce((sum, [since, end]) => sum + (end - since) / MINUTE_MS, 0);
}

/** What is stored of minutes, by the exchange's own symbol. */
type Coverage = ReadonlyMap<string, readonly (readonly [number, number])[]>;

async function coverage(sql: postgres.Sql): Promise<Coverage> {
  const rows = await sql<{ symbol: string; windows: [number, number][] | null }[]>`
    select symbol, (select json_agg(json_build_array(extract(epoch from lower(range)) * 1000,
                                                     extract(epoch from upper(range)) * 1000))
                    from unnest(covered) as range) as windows
    from checkpoints where timeframe = '1m'`;
  return new Map(rows.map(({ symbol, windows }) => [symbol.replace("/", ""), windows ?? []]));
}

async function endAll(...nodes: readonly Running[]): Promise<void> {
  for (const node of nodes) node.kill("SIGKILL");
  for (const node of nodes) await node.ended;
}
