/** The daemon without its database: at the start, killed under its hands again and again, and stopped itself. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { Random } from "../faults/random.ts";
import { binanceAt } from "../support/local_archive.ts";
import { type PostgresServer, startPostgres } from "../support/postgres_server.ts";
import { assertCode, run, type Running, start, withDirectory } from "../support/program.ts";
import { settleQuickly } from "../support/quick_settling.ts";
import { startSwallowingProxy } from "../support/swallowing_proxy.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import type { EventsDocument } from "../../lib/serve/news.ts";
import { createServerDatabase } from "../support/test_database.ts";

/** How often the server is killed under the daemon; TITAN10_KILLS=30 for a longer look. */
const KILLS = Number(Deno.env.get("TITAN10_KILLS") ?? 5);

/** How many connections are ended under the daemon; TITAN10_TERMINATIONS=200 for a longer look. */
const TERMINATIONS = Number(Deno.env.get("TITAN10_TERMINATIONS") ?? 25);

const RESTART_EVERY = 10;

const SYMBOLS = ["BTC/USDT", "ETH/USDT"] as const;
const SECOND = parseTimeframe("1s");
const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

interface Scene {
  readonly server: PostgresServer;
  readonly exchange: LocalExchange;
  readonly cwd: string;
  /** DATABASE_URL. */
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
}

async function withScene(
  t: Deno.TestContext,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const server = await startPostgres();
  if (server === undefined) {
    await t.step({ name: "needs a server", ignore: true, fn: () => {} });
    return;
  }
  const exchange = await startLocalExchange({ clock: systemClock });
  exchange.faults.add({ when: { about: "candles" }, fault: { kind: "latency", ms: 40 } });
  const { url } = await createServerDatabase(server.url);
  await settleQuickly(url);
  const env = {
    DATABASE_URL: url,
    EXCHANGES: "binance",
    SYMBOLS: SYMBOLS.join(","),
    TIMEFRAMES: "1s",
    // Enough for every kill to land inside the backfill.
    BACKFILL: `1m:${4 * KILLS}d`,
    PAGE_LIMIT: "100",
    POLL_CRON: "*/1 * * * * *",
    RETRY_MIN: "50ms",
    RETRY_MAX: "300ms",
    HTTP_PORT: "0",
    LOG_FORMAT: "json",
    EXCHANGE_BINANCE: binanceAt(exchange),
  };
  try {
    await withDirectory((cwd) => use({ server, exchange, cwd, url, env }));
  } finally {
    await exchange.close();
    await server.stop();
  }
}

Deno.test("a daemon waits for a server that is not there yet, and survives its every death", (t) =>
  withScene(t, async ({ server, exchange, cwd, url: databaseUrl, env }) => {
    await server.kill9();
    const daemon = start(["run"], { cwd, env });
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {}, backoff: () => 0.1 });
    try {
      const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
      await daemon.waitFor(/the database cannot be reached/);
      assert.equal((await answer(url, "/healthz")).status, 200);
      const starting = await answer(url, "/readyz");
      assert.equal(starting.status, 503);
      assert.match(starting.text, /the database does not answer \(unavailable\)/);
      await server.restart();
      await until(daemon, async () => (await answer(url, "/readyz")).status === 200);

      for (let kill = 0; kill < KILLS; kill++) {
        const before = await covered(sql);
        await until(daemon, async () => await covered(sql) > before);
        await server.kill9();
        await until(daemon, async () => (await answer(url, "/readyz")).status === 503);
        assert.equal((await answer(url, "/healthz")).status, 200, `kill ${kill}`);
        await server.restart();
        await until(daemon, async () => (await answer(url, "/readyz")).status === 200);
      }
      const { events }: EventsDocument = JSON.parse((await answer(url, "/eventlog")).text);
      assert.ok(events.some(({ kind }) => kind === "daemon_started"), JSON.stringify(events));
      // The last one is written soon after the database is ready again.
      await until(daemon, async () => {
        const { events }: EventsDocument = JSON.parse((await answer(url, "/eventlog")).text);
        const back = events.filter(({ kind }) => kind === "database_back");
        return back.length === 1 && back[0]!.times >= KILLS;
      });
      // Whatever the daemon has come to: stopped like this it goes on when it is woken.
      daemon.kill("SIGSTOP");
      const asleep = await covered(sql);
      daemon.kill("SIGCONT");
      await until(daemon, async () => await covered(sql) > asleep);
      assert.equal((await answer(url, "/healthz")).status, 200);

      daemon.kill("SIGTERM");
      const { code } = await daemon.ended;
      assertCode({ code, stdout: "", stderr: daemon.stderr() }, 143);
      assertCode(await run(["backfill"], { cwd, env }), 0);
      await assertNothingLost(sql, exchange);
    } finally {
      daemon.kill("SIGKILL");
      await daemon.ended;
      await sql.end();
    }
  }));

Deno.test("away and back are one line of the log each, and who looks meanwhile is told", (t) =>
  withScene(t, async ({ server, cwd, env }) => {
    const daemon = start(["run"], { cwd, env });
    try {
      const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
      await daemon.waitFor(/"message":"job done","job":"poll"/);
      const before = daemon.stderr().length;
      const lines = (): Record<string, unknown>[] =>
        daemon.stderr().slice(before).split("\n").slice(0, -1).map((line) => JSON.parse(line));
      await server.kill9();
      let ticks = 0;
      await until(daemon, () => {
        ticks = lines().filter(({ message, job }) =>
          message === "job done" && job === "poll"
        ).length;
        return Promise.resolve(ticks >= 5);
      });
      const { status, text } = await answer(url, "/status");
      assert.deepEqual([status, text], [
        503,
        '{"error":"Cannot answer /status: the database cannot be reached. Trying again"}',
      ]);
      const page = await fetch(`${url}/events`);
      const reader = page.body!.pipeThrough(new TextDecoderStream()).getReader();
      assert.match(
        (await reader.read()).value ?? "",
        /"error":"The database cannot be reached\. Trying/,
      );
      await reader.cancel();
      await server.restart();
      await daemon.waitFor(/"message":"the database is back"/);
      // Of polls that wait for the database some may be skipped, which is told, too.
      const told = lines().filter(({ level }) => level !== "info").map(({ message }) => message)
        .filter((message) => !/^polls are skipped/.test(String(message)));
      assert.deepEqual(told, ["the database cannot be reached; trying again"]);
      const back = lines().filter(({ message }) => message === "the database is back");
      assert.equal(back.length, 1);
      assert(Number(back[0]?.["seconds"]) > 0);
    } finally {
      daemon.kill("SIGKILL");
      await daemon.ended;
    }
  }));

Deno.test("a server that answers and takes no writes is not ready within seconds, and is again when it does", (t) =>
  withScene(t, async ({ server, cwd, url: databaseUrl, env }) => {
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {}, backoff: () => 0.1 });
    const daemon = start(["run"], { cwd, env: { ...env, BACKFILL: "1m:1h" } });
    try {
      const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
      await untilReady(daemon, url, true);

      await server.restart({ isStandby: true });
      await untilReady(daemon, url, false, /the database takes no writes: it is read-only/);
      assert.equal((await answer(url, "/status")).status, 200);
      await sql`select pg_promote()`;
      await untilReady(daemon, url, true);

      // What reads goes on, and what writes waits.
      await sql.begin(async (tx) => {
        await tx`lock table checkpoints in share row exclusive mode`;
        const why = /the database takes no writes: a write has waited for over 5 s, for a lock/;
        await untilReady(daemon, url, false, why);
        assert.equal((await answer(url, "/status")).status, 200);
      });
      await untilReady(daemon, url, true);
    } finally {
      daemon.kill("SIGKILL");
      await daemon.ended;
      await sql.end();
    }
  }));

/** So long a daemon may take to see whether its database takes writes: one has waited, and the next look comes. */
const SEEN_WITHIN_MS = 15_000;

/** Resolves when both probe and metric say so, and the probe why. */
async function untilReady(
  daemon: Running,
  url: string,
  isReady: boolean,
  why = /"reasons":\[\]/,
): Promise<void> {
  const sinceMs = systemClock.now();
  let text = "";
  await until(daemon, async () => {
    const probe = await answer(url, "/readyz");
    const { text: metrics } = await answer(url, "/metrics");
    text = probe.text;
    assert(
      systemClock.now() < sinceMs + SEEN_WITHIN_MS,
      `${text} ${daemon.stderr().slice(-2_000)}`,
    );
    return probe.status === (isReady ? 200 : 503) && why.test(text) &&
      metrics.includes(`\ntitan10_database_up ${isReady ? 1 : 0}\n`);
  });
}

Deno.test("while the first migrations run, the status is answered: nothing is archived yet", (t) =>
  whileMigrating(t, { isFirst: true }, async (url) => {
    const { status, text } = await answer(url, "/status");
    assert.equal(status, 200, text);
    const { series, exchanges } = JSON.parse(text);
    assert.deepEqual([series, exchanges[0].exchange], [[], "binance"]);
  }));

Deno.test("while later migrations run, the status says so instead of an empty archive", (t) =>
  whileMigrating(t, { isFirst: false }, async (url, logged) => {
    const { status, text } = await answer(url, "/status");
    assert.equal(status, 503, text);
    assert.match(text, /Cannot answer \/status: the schema is being brought up to date/);
    const page = await fetch(`${url}/events`);
    const reader = page.body!.pipeThrough(new TextDecoderStream()).getReader();
    assert.match(
      (await reader.read()).value ?? "",
      /"error":"Cannot read the status: the schema is being brought up to date"/,
    );
    await reader.cancel();
    assert.doesNotMatch(logged(), /a request failed|cannot read the status/);
  }));

/** Holds up the migrations of a daemon, the first ones or the newest one. */
function whileMigrating(
  t: Deno.TestContext,
  { isFirst }: { readonly isFirst: boolean },
  use: (url: string, logged: () => string) => Promise<void>,
): Promise<void> {
  return withScene(t, async ({ server, cwd, env }) => {
    const { url: DATABASE_URL } = await createServerDatabase(server.url);
    if (!isFirst) {
      const options = { url: DATABASE_URL, dataDir: "", poolMax: 1, clock: systemClock };
      const database = await openDatabase(options);
      await migrate(database, (await readMigrations()).slice(0, -1));
      await database.close();
    }
    const holder = postgres(DATABASE_URL, { max: 1, onnotice: () => {} });
    await holder`select pg_advisory_lock(${String(0x746974616e3130n)}::bigint)`;
    const daemon = start(["run"], { cwd, env: { ...env, DATABASE_URL } });
    try {
      const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
      await until(
        daemon,
        async () =>
          (await holder`select from pg_stat_activity where wait_event_type = 'Lock'`).length > 0,
      );
      await use(url, () => daemon.stderr());
      await holder.end();
      await until(daemon, async () => (await answer(url, "/readyz")).status === 200);
    } finally {
      daemon.kill("SIGKILL");
      await daemon.ended;
      await holder.end();
    }
  });
}

Deno.test("a daemon whose connections are ended at any moment, migrations included, goes on and loses nothing", (t) =>
  withScene(t, async ({ server, exchange, cwd, env }) => {
    const { url: DATABASE_URL } = await createServerDatabase(server.url);
    const sql = postgres(DATABASE_URL, { max: 1, onnotice: () => {} });
    // Migrations take long enough to be met in the middle.
    await sql.unsafe(`
      create function slow() returns event_trigger language plpgsql as 'begin perform pg_sleep(0.005); end';
      create event trigger slow on ddl_command_start execute function slow()`);
    const random = new Random(TERMINATIONS);
    const settings = { ...env, DATABASE_URL, BACKFILL: `1m:${Math.ceil(TERMINATIONS / 12)}d` };
    let daemon = start(["run"], { cwd, env: settings });
    try {
      for (let ended = 0, waits = 0; ended < TERMINATIONS; waits++) {
        assert(waits < 100 * TERMINATIONS, "there is nothing to end");
        await systemClock.sleep(random.next() * 120);
        await assertRunning(daemon);
        // Mostly one of them, sometimes all.
        const found = await sql`
          select pg_terminate_backend(pid) from (
            select pid from pg_stat_activity
            where application_name = 'titan10' and datname = current_database()
            order by random() limit ${random.next() < 0.8 ? 1 : 50}
          ) as connections`;
        if (found.length === 0) continue;
        ended++;
        if (ended % RESTART_EVERY !== 0) continue;
        // Starting up is a phase like the others.
        daemon.kill("SIGTERM");
        const { code } = await daemon.ended;
        assertCode({ code, stdout: daemon.stdout(), stderr: daemon.stderr() }, 143);
        daemon = start(["run"], { cwd, env: settings });
      }
      const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
      await until(daemon, async () => (await answer(url, "/readyz")).status === 200);
      // What was never polled cannot be looked at, and polls may have been ended each time.
      await until(daemon, async () => await polled(sql) === SYMBOLS.length);
      const before = await covered(sql);
      await until(daemon, async () => await covered(sql) > before);
      daemon.kill("SIGTERM");
      const { code } = await daemon.ended;
      assertCode({ code, stdout: daemon.stdout(), stderr: daemon.stderr() }, 143);
      await settleQuickly(DATABASE_URL);
      assertCode(await run(["backfill"], { cwd, env: settings }), 0);
      await assertNothingLost(sql, exchange);
    } finally {
      daemon.kill("SIGKILL");
      await daemon.ended;
      await sql.end();
    }
  }));

Deno.test("behind connections that swallow all, readiness says so in time, health is well and a signal still ends it", (t) =>
  withScene(t, async ({ cwd, url: databaseUrl, env }) => {
    const proxy = startSwallowingProxy(databaseUrl);
    const daemon = start(["run"], { cwd, env: { ...env, DATABASE_URL: proxy.url } });
    try {
      const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
      await until(daemon, async () => (await answer(url, "/readyz")).status === 200);
      proxy.swallow(true);
      let text = "";
      await until(daemon, async () => {
        const ready = await answer(url, "/readyz");
        text = ready.text;
        return ready.status === 503;
      });
      assert.match(text, /the database does not answer/);
      assert.equal((await answer(url, "/healthz")).status, 200);
      daemon.kill("SIGTERM");
      const { code } = await daemon.ended;
      assertCode({ code, stdout: "", stderr: daemon.stderr() }, 143);
    } finally {
      daemon.kill("SIGKILL");
      await daemon.ended;
      await proxy.close();
    }
  }));

Deno.test("a login that is refused ends the daemon at once instead of being tried again", (t) =>
  withScene(t, async ({ cwd, url: databaseUrl, env }) => {
    const url = new URL(databaseUrl);
    url.username = "nobody_of_this_name";
    url.password = "hunter2hunter2";
    const { code, stdout, stderr } = await run(["run"], {
      cwd,
      env: { ...env, DATABASE_URL: url.href },
    });
    assertCode({ code, stdout, stderr }, 1);
    assert.match(stderr, /nobody_of_this_name/);
    assert.doesNotMatch(stderr, /hunter2/);
  }));

Deno.test("an error that nobody catches ends the program with a line in the log, a sentence and exit code 1", async () => {
  const crash = new URL("../../lib/cli/crash.ts", import.meta.url).href;
  const log = new URL("../../lib/telemetry/log.ts", import.meta.url).href;
  for (
    const fault of [
      `Promise.reject(new Error("lost: apiKey=abc"))`,
      `setTimeout(() => { throw new Error("lost: apiKey=abc"); })`,
    ]
  ) {
    const code = `import { endOnCrash } from "${crash}"; import { configureLogging } from "${log}";
      configureLogging({ level: "info", format: "json" });
      endOnCrash((text) => console.error(text));
      ${fault}; await new Promise((resolve) => setTimeout(resolve, 60_000));`;
    const child = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "--config", `${PROJECT}deno.json`, code],
      stdout: "piped",
      stderr: "piped",
    }).output();
    const lines = new TextDecoder().decode(child.stderr).trim().split("\n");
    assert.equal(child.code, 1, lines.join("\n"));
    const entry: Record<string, unknown> = JSON.parse(lines.at(-2) ?? "");
    assert.deepEqual([entry["level"], entry["logger"]], ["fatal", "crash"]);
    assert.equal(
      lines.at(-1),
      "Cannot go on: an error that nobody caught: lost: apiKey=***",
    );
  }
});

/** Fails when the daemon has ended, with what it said. */
async function assertRunning(daemon: Running): Promise<void> {
  const state = await Promise.race([daemon.ended, Promise.resolve(undefined)]);
  assert.equal(state, undefined, daemon.stderr());
}

async function answer(
  url: string,
  path: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(url + path);
  return { status: response.status, text: await response.text() };
}

/** Looks again and again until it is so; fails when the daemon ends first. */
async function until(daemon: Running, isSo: () => Promise<boolean>): Promise<void> {
  let hasEnded = false;
  daemon.ended.then(() => hasEnded = true);
  while (!(await isSo())) {
    assert.equal(hasEnded, false, daemon.stderr());
    await systemClock.sleep(20);
  }
}

/** How many series of seconds have candles: only polls bring them. */
async function polled(sql: ReturnType<typeof postgres>): Promise<number> {
  const [row] = await sql`
    select count(*)::int as series from checkpoints
    where timeframe = ${SECOND.text} and not isempty(covered + unsettled)`;
  return Number(row?.["series"]);
}

/** How much time is covered, of all series together. Milliseconds. */
async function covered(sql: ReturnType<typeof postgres>): Promise<number> {
  const [row] = await sql`
    select coalesce(sum(extract(epoch from upper(range) - lower(range))), 0) * 1000 as ms
    from checkpoints, unnest(covered) as range`;
  return Number(row?.["ms"]);
}

/** What is counted is stored, and what is covered, or stored and not final yet, is the exchange's truth. */
async function assertNothingLost(
  sql: ReturnType<typeof postgres>,
  exchange: LocalExchange,
): Promise<void> {
  const rows = await sql`
    select symbol, timeframe, candles::int, extract(epoch from lower(range)) * 1000 as since,
           extract(epoch from upper(range)) * 1000 as until
    from checkpoints, unnest(covered + unsettled) as range order by symbol, timeframe, range`;
  for (const symbol of SYMBOLS) {
    for (const timeframe of [SECOND, parseTimeframe("1m")]) {
      const ranges = rows.filter((row) =>
        row["symbol"] === symbol && row["timeframe"] === timeframe.text
      );
      let truth = 0;
      for (const { since, until } of ranges) {
        const window = { sinceMs: Number(since), untilMs: Number(until) };
        truth += exchange.truth(symbol, timeframe, window).length;
      }
      const name = `${symbol} ${timeframe.text}`;
      const [stored] = await sql`select count(*)::int as candles from ${
        sql(`ohlcv_${timeframe.text}`)
      } where symbol = ${symbol}`;
      assert.equal(stored?.["candles"], truth, name);
      assert.equal(ranges[0]?.["candles"], truth, name);
      assert.equal(ranges.length, 1, `${name}: a hole is left`);
    }
  }
}
