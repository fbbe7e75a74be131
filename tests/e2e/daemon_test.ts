/** The daemon as a process: what it serves, how it stops, what it survives. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import type { Status } from "../../lib/serve/status.ts";
import type { StorageDocument } from "../../lib/serve/storage_report.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { binanceAt } from "../support/local_archive.ts";
import {
  assertCode,
  run,
  type Running,
  start,
  withArchiveDirectory,
  withDirectory,
} from "../support/program.ts";
import { until } from "../support/until.ts";

/** A supervisor's patience. */
const STOP_MS_MAX = 10_000;

Deno.test("the daemon serves health, readiness, metrics and status, and status works beside it", () =>
  withScene(async ({ cwd, env }) => {
    const daemon = start(["run"], { cwd, env });
    try {
      const url = await untilReady(daemon);
      const health = await fetch(`${url}/healthz`);
      assert.deepEqual([health.status, await health.json()], [200, { ok: true, reasons: [] }]);

      const metrics = await (await fetch(`${url}/metrics`)).text();
      assert.match(metrics, /titan10_build_info\{version="[\d.]+",deno="[\d.]+"\} 1/);
      await assertPromtoolAccepts(metrics);

      const beside = await run(["status", "--json"], { cwd, env });
      assertCode(beside, 0);
      const served: Status = await (await fetch(`${url}/status`)).json();
      const asked: Status = JSON.parse(beside.stdout);
      assert.deepEqual(Object.keys(asked), Object.keys(served));
      assert.equal(asked.startedAt, served.startedAt);
      assert.notEqual(asked.startedAt, null);

      const planned = await run(["plan", "--json"], { cwd, env });
      assertCode(planned, 0);
      const examined = await run(["doctor", "--json"], { cwd, env });
      assertCode(examined, 0);
      const { ok, checks, exchanges: [binance] } = JSON.parse(examined.stdout);
      assert.deepEqual([ok, binance.exchange], [true, "binance"]);
      assert.deepEqual(checks.map(({ check }: { readonly check: string }) => check), [
        ...["configuration", "configuration", "configuration"],
        ...["database", "migrations", "clock", "disk"],
      ]);
      const gaps = await run(["gaps", "--json"], { cwd, env });
      assertCode(gaps, 0);
      assert.deepEqual(JSON.parse(gaps.stdout), { gaps: [], funding: [] });
      const sizes = await run(["status", "--storage", "--json"], { cwd, env });
      assertCode(sizes, 0);
      const { storage, jobs }: Status & StorageDocument = JSON.parse(sizes.stdout);
      assert.notEqual(storage.length, 0);
      assert(jobs.some(({ job }) => job === "maintenance"), sizes.stdout);
      const refused = await run(["gaps", "--repair"], { cwd, env });
      assertCode(refused, 1);
      const checked = await run(["healthcheck"], {
        cwd,
        env: { ...env, HTTP_PORT: new URL(url).port },
      });
      assertCode(checked, 0);

      for (
        const [path, method, status] of [["/nope", "GET", 404], ["/status", "POST", 405], [
          "/plan",
          "GET",
          404,
        ], ["/doctor", "GET", 404]] as const
      ) {
        const response = await fetch(url + path, { method });
        await response.body?.cancel();
        assert.equal(response.status, status, `${method} ${path}`);
      }
      const socket = await Deno.stat(`${cwd}/titan10-data/run/titan10.sock`);
      assert.equal((socket.mode ?? 0) & 0o777, 0o600);
      const around = await Deno.stat(`${cwd}/titan10-data/run`);
      assert.equal((around.mode ?? 0) & 0o777, 0o700);
    } finally {
      await stop(daemon, "SIGTERM", 143);
    }
  }));

Deno.test("a second daemon on one data directory is refused and leaves the first alone", () =>
  withScene(async ({ cwd, env }) => {
    const daemon = start(["run"], { cwd, env });
    try {
      const url = await untilReady(daemon);
      const second = await run(["run"], { cwd, env });
      assertCode(second, 1);
      assert.match(second.stderr, new RegExp(`process ${daemon.pid} holds it`));
      const response = await fetch(`${url}/readyz`);
      await response.body?.cancel();
      assert.equal(response.status, 200);
    } finally {
      await stop(daemon, "SIGINT", 130);
    }
  }));

Deno.test("SIGTERM while the exchange hangs ends the daemon within ten seconds with 143", () =>
  withScene(async ({ cwd, env, exchange }) => {
    exchange.faults.add({ when: { about: "candles" }, fault: { kind: "hang" } });
    const daemon = start(["run"], { cwd, env });
    await daemon.waitFor(/markets loaded/);
    await stop(daemon, "SIGTERM", 143);
  }));

Deno.test("a Ctrl-C that comes five times at once, as through tasks, ends the demo in order", () =>
  withDirectory(async (cwd) => {
    const demo = start(["demo", "--http-port", "0"], { cwd, env: { TMPDIR: cwd } });
    await demo.waitFor(/status +http:\S+\/status/);
    assert.equal([...Deno.readDirSync(cwd)].length, 1);
    // Signals that follow without a pause may be delivered as one.
    for (let times = 0; times < 5; times++) {
      demo.kill("SIGINT");
      await systemClock.sleep(20);
    }
    assert.equal((await demo.ended).code, 130);
    assert.deepEqual([...Deno.readDirSync(cwd)], []);
  }));

Deno.test("a second signal ends the daemon at once", () =>
  withScene(async ({ cwd, env }) => {
    const daemon = start(["run"], { cwd, env });
    await daemon.waitFor(/listening/);
    daemon.kill("SIGINT");
    daemon.kill("SIGTERM");
    const { code } = await daemon.ended;
    assert([130, 143].includes(code), String(code));
  }));

Deno.test("a killed daemon goes on where it was", () =>
  withScene(async ({ cwd, env, exchange }) => {
    const first = start(["run"], { cwd, env });
    await first.waitFor(
      /"message":"job done".*"job":"backfill"|"job":"backfill".*"message":"job done"/,
    );
    first.kill("SIGKILL");
    await first.ended;
    const before = exchange.requests.length;
    const second = start(["run"], { cwd, env });
    try {
      const url = await untilReady(second);
      await second.waitFor(/"job":"backfill"/);
      const { series }: Status = await (await fetch(`${url}/status`)).json();
      const hourly = series.find(({ timeframe, symbol }) =>
        timeframe === "1h" && symbol === "BTC/USDT"
      );
      const told = await run(["events", "--limit", "3"], { cwd, env });
      assertCode(told, 0);
      assert.match(
        told.stdout.replaceAll(/\n +/g, " "),
        /^\S+ \S+ {2}Titan-10 \S+ started\. The run before it has no end: it was killed.* \(2 times since /m,
      );
      // All 2,400 but one, which may not be final yet.
      assert((hourly?.candles ?? 0) >= 2399, JSON.stringify(hourly));
      const again = exchange.requests.slice(before).filter(({ path, query }) =>
        path.endsWith("klines") && Number(query["limit"]) > 100
      );
      assert.deepEqual(again, []);
    } finally {
      await stop(second, "SIGTERM", 143);
    }
  }));

Deno.test("the daemon makes the rollups that are configured", () =>
  withScene(async ({ cwd, env }) => {
    const daemon = start(["run"], { cwd, env: { ...env, ROLLUPS: "4h,1d" } });
    try {
      await daemon.waitFor(/"added":\["ohlcv_rollup_4h","ohlcv_rollup_1d"\]/);
    } finally {
      await stop(daemon, "SIGTERM", 143);
    }
  }));

Deno.test("an exchange that answers only 500 and a symbol that vanishes leave all other series on time", async () => {
  const broken = await startLocalExchange({ clock: systemClock, dialect: kraken });
  broken.faults.add({ fault: { kind: "status", status: 500 } });
  try {
    await withScene(async ({ cwd, env, exchange }) => {
      const daemon = start(["run"], {
        cwd,
        env: {
          ...env,
          EXCHANGES: "binance,kraken",
          POLL_CRON: "*/1 * * * * *",
          TIMEFRAMES: "1s",
          BACKFILL: "off",
          RETRY_MIN: "10ms",
          RETRY_MAX: "20ms",
          EXCHANGE_KRAKEN: JSON.stringify({
            urls: { api: { public: broken.url } },
            rateLimit: 1,
            timeframes: { "1s": 1 },
          }),
        },
      });
      try {
        const url = await untilReady(daemon);
        await daemon.waitFor(/"added":[1-9]/);
        exchange.symbols.delist("ETH/USDT", { forget: true });
        await daemon.waitFor(/Invalid symbol/);
        const status: Status = await (await fetch(`${url}/status`)).json();
        assert.match(
          status.exchanges.find(({ exchange }) => exchange === "kraken")?.lastError ?? "",
          /500/,
        );
        const gone = status.series.find(({ symbol }) => symbol === "ETH/USDT");
        assert.match(gone?.lastError ?? "", /Invalid symbol/);
        await untilNewer(url, { symbol: "BTC/USDT", last: lastOf(status, "BTC/USDT") });
        const metrics = await (await fetch(`${url}/metrics`)).text();
        assert.match(
          metrics,
          /titan10_fetch_failures_total\{exchange="kraken",kind="transient"\} [1-9]/,
        );
        assert.match(
          metrics,
          /titan10_fetch_failures_total\{exchange="binance",kind="permanent"\} [1-9]/,
        );
        assert.match(metrics, /titan10_breaker_state\{exchange="kraken",state="open"\} 1/);
        const later: Status = await (await fetch(`${url}/status`)).json();
        const failing = later.exchanges.find(({ exchange }) => exchange === "kraken");
        const [since, trial] = [failing?.breakerSince, failing?.trialAt].map((at) =>
          Date.parse(at ?? "")
        );
        assert(since! < trial!, Deno.inspect(failing));
        const poll = later.jobs.find(({ job }) => job === "poll");
        assert((poll?.nextStart ?? "") > (poll?.lastStart ?? "z"), Deno.inspect(poll));
      } finally {
        await stop(daemon, "SIGTERM", 143);
      }
    });
  } finally {
    await broken.close();
  }
});

Deno.test("the demo says where to look, finishes its backfill and shows candles arriving", () =>
  withDirectory(async (cwd) => {
    const demo = start(["demo", "--http-port", "0"], { cwd });
    const [, url] = await demo.waitFor(/status +(http:\S+)\/status/);
    await demo.waitFor(/backfill finished: [\d,]+ candles/);
    await demo.waitFor(/new candles of \d+ series arrived/);
    const status: Status = await (await fetch(`${url}/status`)).json();
    const symbols = new Set(
      status.series.filter(({ candles }) => candles > 0).map(({ symbol }) => symbol),
    );
    assert(symbols.size >= 5, [...symbols].join(" "));
    assert(symbols.has("BTC/USDT:USDT") && symbols.has("BTC/USDT:USDT@mark"));
    await stop(demo, "SIGINT", 130);
    assert.deepEqual([...Deno.readDirSync(cwd)], []);
  }));

interface Scene {
  readonly cwd: string;
  readonly exchange: LocalExchange;
  readonly env: Readonly<Record<string, string>>;
}

async function withScene(use: (scene: Scene) => Promise<void>): Promise<void> {
  const exchange = await startLocalExchange({ clock: systemClock });
  try {
    await withArchiveDirectory((cwd) =>
      use({
        cwd,
        exchange,
        env: {
          EXCHANGES: "binance",
          SYMBOLS: "BTC/USDT,ETH/USDT",
          TIMEFRAMES: "1m",
          BACKFILL: "1h:100d",
          HTTP_PORT: "0",
          LOG_FORMAT: "json",
          EXCHANGE_BINANCE: binanceAt(exchange),
        },
      })
    );
  } finally {
    await exchange.close();
  }
}

/** Waits for the first poll's end, by when everything is up, and returns where the daemon listens. */
async function untilReady(daemon: Running): Promise<string> {
  const [, url] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
  await daemon.waitFor(/"job":"poll"/);
  assert(url !== undefined);
  return url;
}

function lastOf({ series }: Status, symbol: string): string {
  return series.find((one) => one.symbol === symbol)?.last ?? "";
}

/** Waits until a poll has stored a newer candle of it. */
async function untilNewer(
  url: string,
  { symbol, last }: { readonly symbol: string; readonly last: string },
): Promise<void> {
  const status = async (): Promise<Status> => await (await fetch(`${url}/status`)).json();
  await until(
    `a candle of ${symbol} after ${last}`,
    async () => lastOf(await status(), symbol) > last,
    { instead: status },
  );
}

async function stop(daemon: Running, signal: Deno.Signal, code: number): Promise<void> {
  const startMs = systemClock.now();
  daemon.kill(signal);
  const status = await daemon.ended;
  assert.equal(status.code, code, daemon.stderr());
  assert(systemClock.now() - startMs < STOP_MS_MAX);
}

/** Checked where promtool is installed. */
async function assertPromtoolAccepts(metrics: string): Promise<void> {
  try {
    const child = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(metrics));
    await writer.close();
    const { code, stderr } = await child.output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("promtool is not installed: the metrics' format was not checked");
  }
}
