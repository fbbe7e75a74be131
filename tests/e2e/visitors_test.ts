/** A crowd of visitors asks a daemon as fast as it can: what that costs polls, memory and the database. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { startLocalExchange } from "../../lib/local_exchange/server.ts";
import type { Status } from "../../lib/serve/status.ts";
import { binanceAt } from "../support/local_archive.ts";
import { peakSoFar } from "../support/peak_memory.ts";
import { start, withDirectory } from "../support/program.ts";
import { openPostgres } from "../support/test_database.ts";
import { sendCrowd } from "../support/visitors.ts";
import { until } from "../support/until.ts";

/** The whole figure: VISITORS_SECONDS=3 VISITORS_READYZ=60000 VISITORS_EXPLAINED=20000. */
const numberOf = (name: string, usual: number): number => Number(Deno.env.get(name) ?? usual);
const SECONDS = numberOf("VISITORS_SECONDS", 1);
const READYZ = numberOf("VISITORS_READYZ", 20_000);
const EXPLAINED = numberOf("VISITORS_EXPLAINED", 7_000);

const POLL_EVERY_MS = 1_000;
const POLL_LATE_MS_MAX = 2_000;
const PEAK_BYTES_MAX = 450e6;

Deno.test("a crowd of visitors, over HTTP/1.1 and HTTP/2, delays no poll, fills no memory and ends no connection", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const exchange = await startLocalExchange({ clock: systemClock });
  try {
    await withDirectory(async (cwd) => {
      const daemon = start(["run"], {
        cwd,
        env: {
          DATABASE_URL: server.url,
          EXCHANGES: "binance",
          SYMBOLS: "BTC/USDT,ETH/USDT",
          TIMEFRAMES: "1s",
          BACKFILL: "off",
          POLL_CRON: "*/1 * * * * *",
          HTTP_PORT: "0",
          LOG_FORMAT: "json",
          EXCHANGE_BINANCE: binanceAt(exchange),
        },
      });
      try {
        const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
        await daemon.waitFor(/"job":"poll"/);
        const paths = await pathsOf(url);
        for (const protocol of ["http1", "http2"] as const) {
          const beganMs = systemClock.now();
          const report = await sendCrowd(url, {
            protocol,
            seconds: SECONDS,
            crowds: [
              { path: paths.readyz, requests: READYZ },
              { path: paths.explained, requests: EXPLAINED },
            ],
          });
          const seconds = (systemClock.now() - beganMs) / 1000;
          console.log(`${protocol} in ${seconds.toFixed(1)} s: ${JSON.stringify(report)}`);
          if (protocol === "http1") {
            assert((report.answered["200"] ?? 0) > 50, "nobody was answered");
          } else assert.equal(report.answered["200"], undefined, "HTTP/2 was spoken");
          const since = beganMs - POLL_EVERY_MS;
          // One more poll, so that a late one shows.
          await systemClock.sleep(POLL_EVERY_MS + 200);
          const lateMs = longestPauseMs(exchange.requests, since) - POLL_EVERY_MS;
          console.log(`the latest poll was ${lateMs} ms late`);
          assert(lateMs <= POLL_LATE_MS_MAX, `a poll was ${lateMs} ms late`);
          const answer = await fetch(`${url}/readyz`);
          assert.equal(answer.status, 200, await answer.text());
        }
        await endsWhatNobodyWaitsFor(url + paths.explained, server.url);
        const peak = await peakSoFar(daemon.pid);
        console.log(`at most ${Math.round(peak / 1e6)} MB`);
        assert(peak <= PEAK_BYTES_MAX, `${Math.round(peak / 1e6)} MB`);
        const log = daemon.stderr() + daemon.stdout();
        assert.doesNotMatch(
          log,
          /cannot be reached|is away|CONNECTION_|it took longer than|a request failed/,
        );
      } finally {
        daemon.kill("SIGTERM");
        assert.equal((await daemon.ended).code, 143, daemon.stderr());
      }
    });
  } finally {
    await exchange.close();
    await server.stop();
  }
});

/** A visitor whose statement waits for a lock goes: the server ends that long before its time is over. */
async function endsWhatNobodyWaitsFor(url: string, databaseUrl: string): Promise<void> {
  const admin = postgres(databaseUrl, { max: 2, onnotice: () => {} });
  const waiting = async (): Promise<number> => {
    const [row] = await admin`
      select count(*)::int as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query ~ 'rollups'`;
    return row?.["n"];
  };
  try {
    const gone = new AbortController();
    await admin.begin(async (sql) => {
      await sql`lock table rollups in access exclusive mode`;
      const asked = assert.rejects(fetch(url, gone));
      await until("a statement that waits", async () => await waiting() > 0);
      const beganMs = systemClock.now();
      gone.abort();
      await asked;
      await until("no statement that waits", async () => await waiting() === 0);
      const tookMs = systemClock.now() - beganMs;
      assert(tookMs < 5_000, `it went on for ${tookMs} ms`);
    });
  } finally {
    await admin.end();
  }
}

/** The endpoints that the crowd asks, the second one for the newest hour of a series. */
async function pathsOf(
  url: string,
): Promise<{ readonly readyz: string; readonly explained: string }> {
  let last: string | null | undefined;
  while (typeof last !== "string") {
    const { series }: Status = await (await fetch(`${url}/status`)).json();
    last = series.find(({ symbol }) => symbol === "BTC/USDT")?.last;
  }
  const untilMs = Date.parse(last);
  const query = new URLSearchParams({
    exchange: "binance",
    symbol: "BTC/USDT",
    timeframe: "1s",
    since: new Date(untilMs - 30 * 60_000).toISOString(),
    until: new Date(untilMs).toISOString(),
  });
  const explained = `/explained?${query}`;
  const answer = await fetch(url + explained);
  assert.equal(answer.status, 200, await answer.text());
  return { readyz: "/readyz", explained };
}

/** The longest time without a request for candles. */
function longestPauseMs(
  requests: readonly { readonly path: string; readonly timeMs: number }[],
  sinceMs: number,
): number {
  const times = requests.filter(({ path, timeMs }) => path.endsWith("klines") && timeMs >= sinceMs)
    .map(({ timeMs }) => timeMs);
  assert(times.length > 1, "nothing was polled");
  times.push(systemClock.now());
  return times.slice(1).reduce((most, timeMs, at) => Math.max(most, timeMs - times[at]!), 0);
}
