/** `kill -9` at random moments of a backfill, against a server that outlives it. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { assertCode, run, start, withDirectory } from "../support/program.ts";
import { settleQuickly } from "../support/quick_settling.ts";
import { isPackageWanted } from "../support/postgres_programs.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { createServerDatabase, openPostgres } from "../support/test_database.ts";

/** Fewer where the same was tried on another PostgreSQL. */
const KILLS = isPackageWanted() ? 5 : 20;
const SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT"] as const;

/** Slow enough that all kills land inside one backfill. */
const ANSWER_MS = 25;

type Sql = ReturnType<typeof postgres>;

Deno.test("kills of a backfill lose nothing, and no committed page is asked for again", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs a server", ignore: true, fn: () => {} });
    return;
  }
  const exchange = await startLocalExchange({ clock: systemClock });
  exchange.faults.add({ when: { about: "candles" }, fault: { kind: "latency", ms: ANSWER_MS } });
  const killed = await createServerDatabase(server.url);
  const uninterrupted = await createServerDatabase(server.url);
  for (const { url } of [killed, uninterrupted]) await settleQuickly(url);
  const sql = postgres(killed.url, { max: 1, onnotice: () => {} });
  const other = postgres(uninterrupted.url, { max: 1, onnotice: () => {} });
  const env = {
    EXCHANGES: "binance",
    SYMBOLS: SYMBOLS.join(","),
    TIMEFRAMES: "1m",
    BACKFILL: "1m:30d",
    PAGE_LIMIT: "250",
    EXCHANGE_BINANCE: JSON.stringify({
      urls: { api: { public: `${exchange.url}/api/v3` } },
      rateLimit: 10,
    }),
  };
  try {
    await withDirectory(async (cwd) => {
      const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
      const random = lcg(seed);
      for (let kill = 0; kill < KILLS; kill++) {
        const covered = await coverage(sql);
        const before = exchange.requests.length;
        const program = start(["backfill"], { cwd, env: { ...env, DATABASE_URL: killed.url } });
        const asked = await untilAsked(exchange, before, Math.floor(random() * 40), program.ended);
        program.kill("SIGKILL");
        await program.ended;
        assertNothingAskedAgain(
          exchange.requests.slice(before),
          covered,
          `seed ${seed}, kill ${kill}`,
        );
        if (!asked) break;
      }
      const covered = await coverage(sql);
      const before = exchange.requests.length;
      assertCode(await run(["backfill"], { cwd, env: { ...env, DATABASE_URL: killed.url } }), 0);
      assertNothingAskedAgain(exchange.requests.slice(before), covered, `seed ${seed}, last run`);
      assertCode(
        await run(["backfill"], { cwd, env: { ...env, DATABASE_URL: uninterrupted.url } }),
        0,
      );
    });
    // The uninterrupted backfill may begin a minute later, and reach back a minute less.
    const windows = [await commonWindow(sql), await commonWindow(other)];
    const window: Window = {
      sinceMs: Math.max(...windows.map(({ sinceMs }) => sinceMs)),
      untilMs: Math.min(...windows.map(({ untilMs }) => untilMs)),
    };
    for (const symbol of SYMBOLS) {
      const rows = await candles(sql, symbol, window);
      assert.deepEqual(rows, await candles(other, symbol, window), symbol);
      const truth = exchange.truth(symbol, parseTimeframe("1m"), window);
      assert.equal(rows.length, truth.length);
      assert(rows.length > 43_000);
    }
  } finally {
    await Promise.all([sql.end(), other.end()]);
    await Promise.all([killed.drop(), uninterrupted.drop()]);
    await exchange.close();
    await server.stop();
  }
});

Deno.test("a server that is killed in the middle of a backfill is waited for, and nothing is lost", async (t) => {
  const server = await startPostgres();
  if (server === undefined) {
    await t.step({ name: "needs a server", ignore: true, fn: () => {} });
    return;
  }
  const exchange = await startLocalExchange({ clock: systemClock });
  exchange.faults.add({ when: { about: "candles" }, fault: { kind: "latency", ms: ANSWER_MS } });
  const { url } = await createServerDatabase(server.url);
  await settleQuickly(url);
  try {
    await withDirectory(async (cwd) => {
      const program = start(["backfill"], {
        cwd,
        env: {
          DATABASE_URL: url,
          EXCHANGES: "binance",
          SYMBOLS: SYMBOLS.join(","),
          TIMEFRAMES: "1m",
          BACKFILL: "1m:30d",
          PAGE_LIMIT: "250",
          RETRY_MIN: "100ms",
          RETRY_MAX: "500ms",
          EXCHANGE_BINANCE: JSON.stringify({
            urls: { api: { public: `${exchange.url}/api/v3` } },
            rateLimit: 10,
          }),
        },
      });
      for (const requests of [20, 60, 120]) {
        assert(await untilAsked(exchange, 0, requests, program.ended));
        await server.kill9();
        await server.restart();
      }
      const { code } = await program.ended;
      const report = { code, stdout: program.stdout(), stderr: program.stderr() };
      assertCode(report, 0);
      // A page may have been committed without its writer hearing of it, so the database is asked.
      const sql = postgres(url, { max: 1, onnotice: () => {} });
      const [row] = await sql`
        select (select count(*)::int from ohlcv_1m) as stored, (select sum(candles)::int from checkpoints) as counted`;
      await sql.end();
      const candles = SYMBOLS.length * 30 * 24 * 60;
      assert.deepEqual({ ...row }, { stored: candles, counted: candles });
    });
  } finally {
    await exchange.close();
    await server.stop();
  }
});

/** Waits until so many more candle requests were logged; false when the program ended first. */
async function untilAsked(
  exchange: { readonly requests: readonly { readonly path: string }[] },
  before: number,
  requests: number,
  ended: Promise<unknown>,
): Promise<boolean> {
  let isOver = false;
  ended.then(() => isOver = true);
  while (!isOver) {
    const asked = exchange.requests.slice(before).filter(({ path }) => path.endsWith("klines"));
    if (asked.length > requests) return true;
    await systemClock.sleep(3);
  }
  return false;
}

type Coverage = ReadonlyMap<string, readonly (readonly [number, number])[]>;

/** What is committed, by the exchange's own symbol. */
async function coverage(sql: Sql): Promise<Coverage> {
  const [there] = await sql`select to_regclass('checkpoints') is not null as yes`;
  if (there?.["yes"] !== true) return new Map();
  const rows = await sql`
    select symbol, (select json_agg(json_build_array(extract(epoch from lower(range)) * 1000,
                                                     extract(epoch from upper(range)) * 1000))
                    from unnest(covered) as range) as windows
    from checkpoints`;
  return new Map(rows.map((row) => [row["symbol"].replace("/", ""), row["windows"] ?? []]));
}

function assertNothingAskedAgain(
  requests: readonly { readonly path: string; readonly query: Readonly<Record<string, string>> }[],
  covered: Coverage,
  when: string,
): void {
  for (const { path, query } of requests) {
    if (!path.endsWith("klines")) continue;
    const sinceMs = Number(query["startTime"]);
    const untilMs = sinceMs + Number(query["limit"]) * 60_000;
    const again = covered.get(query["symbol"] ?? "")?.find(([since, until]) =>
      sinceMs < until && untilMs > since
    );
    assert.equal(again, undefined, `${when}: ${JSON.stringify(query)} was committed before`);
  }
}

/** The time that is covered for every symbol. */
async function commonWindow(sql: Sql): Promise<Window> {
  const [row] = await sql`
    select max(lower(covered)) as since, min(upper(covered)) as until
    from checkpoints where timeframe = '1m'`;
  return { sinceMs: row?.["since"].getTime(), untilMs: row?.["until"].getTime() };
}

function candles(sql: Sql, symbol: string, window: Window): Promise<readonly unknown[]> {
  return sql`
    select time, open::text, high::text, low::text, close::text, volume::text from ohlcv_1m
    where symbol = ${symbol} and time >= ${new Date(window.sinceMs)} and time < ${new Date(
    window.untilMs,
  )} order by time`
    .then((rows) => rows.map((row) => ({ ...row })));
}

/** A linear congruential generator (Numerical Recipes): a failing seed can be tried again. */
function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
