/** A standby of the server answers the commands that only read, as its primary does. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { binanceAt, openTestArchive } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { startPostgres, startPrimary } from "../support/postgres_server.ts";
import { runInProcess } from "../support/shell.ts";
import { testClock } from "../support/test_clock.ts";

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  status: ["status", "--json"],
  storage: ["status", "--storage", "--json"],
  gaps: ["gaps", "--json"],
  query: ["query", "--csv", "select symbol, count(*) from ohlcv group by symbol order by symbol"],
  export: ["export"],
  plan: ["plan", "--json"],
};

Deno.test("a standby answers status, gaps, query, export, plan and report without being written to", async (t) => {
  const primary = await startPrimary();
  if (primary === undefined) {
    await t.step({ name: "needs PostgreSQL and pg_basebackup", ignore: true, fn: () => {} });
    return;
  }
  const exchange = await startLocalExchange({ clock: testClock });
  const env = {
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT,ETH/USDT",
    TIMEFRAMES: "1m",
    BACKFILL: "1m:1d",
    EXCHANGE_BINANCE: binanceAt(exchange),
    LOG_FORMAT: "json",
  };
  try {
    const { url } = primary;
    const database = await openDatabase({ url, dataDir: "", poolMax: 2, clock: systemClock });
    try {
      const archive = await openTestArchive(database, env);
      await backfill(archive, { patient: false });
      // A breaker that was left open is written to by whoever starts anew on a primary.
      await database.sql`
        insert into exchanges (exchange, breaker) values ('binance', 'open')
        on conflict (exchange) do update set breaker = 'open'`;
    } finally {
      await database.close();
    }
    const standby = await startPostgres({ standbyOf: url });
    assert(standby !== undefined);
    try {
      const replica = { ...env, DATABASE_URL: standby.url };
      const run = (args: readonly string[], env: Record<string, string>) =>
        runInProcess(args, env, undefined, "", testClock);
      const told = new Map<string, string>();
      for (const [name, args] of Object.entries(COMMANDS)) {
        await t.step(`${name} of a standby`, async () => {
          const { code, stdout, stderr } = await run(args, replica);
          assert.equal(code, 0, stderr);
          told.set(name, stdout);
        });
      }
      await t.step("what it says is what its primary says", async () => {
        for (const [name, args] of Object.entries(COMMANDS)) {
          const { stdout } = await run(args, { ...env, DATABASE_URL: url });
          assert.equal(told.get(name), stdout, name);
        }
      });
      await t.step("report of a standby", async () => {
        // The sizes of the two differ, so what it says is not compared as a whole.
        const totals = await Promise.all(
          [replica, { ...env, DATABASE_URL: url }].map(async (env) => {
            const { code, stdout, stderr } = await run(["report", "--json"], env);
            assert.equal(code, 0, stderr);
            return JSON.parse(stdout).total;
          }),
        );
        assert.equal(totals[0].there, 2 * 1440);
        assert.deepEqual(totals[0], totals[1]);
      });
      await t.step("what must write says that it is a standby", async () => {
        for (const args of [["migrate"], ["backfill"], ["gaps", "--repair"]]) {
          const { code, stderr } = await run(args, replica);
          assert.equal(code, 1, args.join(" "));
          assert.match(stderr, /read-only standby/, args.join(" "));
        }
      });
      await t.step(
        "of both the primary is taken, in either order, or the standby if asked",
        async () => {
          const [one, other] = [new URL(url).host, new URL(standby.url).host];
          for (
            const [hosts, expected] of [
              [`${other},${one}`, false],
              [`${one},${other}`, false],
              [`${one},${other}?target_session_attrs=standby`, true],
              [`${one},${other}?target_session_attrs=read-only`, true],
              [`${one},127.0.0.1:1?target_session_attrs=prefer-standby`, false],
              [`${other},${one}?target_session_attrs=any`, true],
            ] as const
          ) {
            const [places, query = ""] = hosts.split("?");
            const database = await openDatabase({
              url: `postgres://postgres@${places}/postgres?${query}`,
              dataDir: "",
              poolMax: 1,
              clock: systemClock,
            });
            try {
              const rows = await database.run(
                "ask",
                (sql) => sql`select pg_is_in_recovery() as is`,
              );
              assert.equal(rows[0]?.["is"], expected, hosts);
            } finally {
              await database.close();
            }
          }
        },
      );
      await t.step("where none is what is asked for, each is named with what it is", async () => {
        const place = new URL(standby.url).host;
        const DATABASE_URL = `postgres://postgres@${place},127.0.0.1:1/postgres`;
        const { code, stderr } = await run(["status"], { ...env, DATABASE_URL });
        assert.equal(code, 1);
        assert.match(
          stderr.replace(/\s+/g, " "),
          /no host of DATABASE_URL is a primary: 127\.0\.0\.1:\d+ is a standby; 127\.0\.0\.1:1: Connection refused/,
        );
        assert.doesNotMatch(stderr, /Start that server/);
        const examined = await run(["doctor"], { ...env, DATABASE_URL });
        assert.match(examined.stdout, /is a standby/);
        assert.doesNotMatch(examined.stdout, /Start that server/);
      });
    } finally {
      await standby.stop();
    }
  } finally {
    await primary.stop();
    await exchange.close();
  }
});
