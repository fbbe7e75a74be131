/** The daemon between two servers that both take writes: it is not ready, says why, and goes on when one is stopped. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import postgres from "postgres";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { binanceAt } from "../support/local_archive.ts";
import { startPostgres, startPrimary } from "../support/postgres_server.ts";
import { start, withDirectory } from "../support/program.ts";
import { runInProcess } from "../support/shell.ts";
import { until } from "../support/until.ts";

Deno.test("between two primaries the daemon is not ready and writes nothing, until one of them is stopped", async (t) => {
  const primary = await startPrimary();
  if (primary === undefined) {
    await t.step({ name: "needs PostgreSQL and pg_basebackup", ignore: true, fn: () => {} });
    return;
  }
  const settings = {
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT",
    TIMEFRAMES: "1s",
    BACKFILL: "off",
  };
  const migrated = await runInProcess(["migrate"], { ...settings, DATABASE_URL: primary.url });
  assert.equal(migrated.code, 0, migrated.stderr);
  const standby = await startPostgres({ standbyOf: primary.url });
  assert(standby !== undefined);
  const exchange = await startLocalExchange({ clock: systemClock });
  const sql = postgres(standby.url, { max: 1, onnotice: () => {} });
  try {
    await sql`select pg_promote()`;
    const places = [primary, standby].map(({ url }) => new URL(url).host).join();
    await withDirectory(async (cwd) => {
      const daemon = start(["run"], {
        cwd,
        env: {
          DATABASE_URL: `postgres://postgres@${places}/postgres`,
          ...settings,
          POLL_CRON: "*/1 * * * * *",
          RETRY_MIN: "50ms",
          RETRY_MAX: "300ms",
          HTTP_PORT: "0",
          LOG_FORMAT: "json",
          EXCHANGE_BINANCE: binanceAt(exchange),
        },
      });
      try {
        const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
        const untilSaid = async (path: string, expected: RegExp): Promise<void> => {
          const text = async (): Promise<string> => await (await fetch(url + path)).text();
          const isSaid = async (): Promise<boolean> => expected.test(await text());
          await until(`${path} to say ${expected}`, isSaid, { instead: text });
        };
        await untilSaid(
          "/readyz",
          /several hosts of DATABASE_URL act as primary \(split brain\): nothing is/,
        );
        await daemon.waitFor(
          /the database cannot be reached.*split brain\): 127\.0\.0\.1:\d+ \(timeline 1\), 127/,
        );
        const asked = exchange.requests.length;
        await untilSaid(
          "/metrics",
          /job_runs_total\{job="poll",outcome="success"\} (?:[5-9]|\d\d)/,
        );
        assert.equal(exchange.requests.length, asked, "what cannot be stored is not asked for");
        await primary.kill9();
        await untilSaid("/readyz", /"ok":true/);
        await daemon.waitFor(/"message":"the database is back"/);
        await untilSaid("/metrics", /titan10_candles_written_total\{exchange="binance"\} [1-9]/);
        const [row] = await sql`select candles::int from checkpoints`;
        assert(row?.["candles"] > 0, "they are on the one that is left");
      } finally {
        daemon.kill("SIGKILL");
        await daemon.ended;
      }
    });
  } finally {
    await sql.end();
    await exchange.close();
    await standby.stop();
    await primary.stop();
  }
});
