/** `titan10 backfill` on a server beside a daemon: it takes what it may, and says what is left to whom. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { binanceAt } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { assertCode, run, start, withDirectory } from "../support/program.ts";
import { settleQuickly } from "../support/quick_settling.ts";
import { openPostgres } from "../support/test_database.ts";

const HOUR_MS = 60 * 60_000;

Deno.test("a backfill beside a daemon asks for its own part, says what is left, and has all once the daemon is dead", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs a server", ignore: true, fn: () => {} });
    return;
  }
  const exchange = await startLocalExchange({ clock: systemClock });
  const sql = postgres(server.url, { max: 1, onnotice: () => {} });
  try {
    await settleQuickly(server.url);
    await withDirectory(async (cwd) => {
      const env = {
        DATABASE_URL: server.url,
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT,ETH/USDT",
        TIMEFRAMES: "1m",
        BACKFILL: "1m:1h",
        HTTP_PORT: "0",
        LOG_FORMAT: "json",
        EXCHANGE_BINANCE: binanceAt(exchange),
      };
      const since = new Date(systemClock.now() - 30 * HOUR_MS).toISOString();
      const daemon = start(["run"], { cwd, env });
      try {
        await daemon.waitFor(/"message":"job done".*"job":"backfill"/);
        const asked = exchange.requests.length;
        const same = await run(["backfill", "--since", since], { cwd, env });
        assertCode(same, 1);
        assert.match(same.stdout, /binance: not asked, because the node \S+ asks it from the same/);
        assert.match(same.stdout, /[\d,]+ candles of 2 symbols are owed/);
        assert.match(same.stdout, /Other nodes fetch what their own BACKFILL asks for/);
        // The daemon may have polled meanwhile, and no more.
        const older = exchange.requests.slice(asked).filter(({ query }) =>
          Number(query["startTime"]) < systemClock.now() - 2 * HOUR_MS
        );
        assert.deepEqual(older, []);

        const other = await run(["backfill", "--since", since, "--json"], {
          cwd,
          env: { ...env, EGRESS: "elsewhere" },
        });
        assertCode(other, 1);
        const { exchanges, others } = JSON.parse(other.stdout);
        assert(exchanges[0].added > 1_000, other.stdout);
        assert.equal(exchanges[0].left, 0);
        const [left] = others;
        assert.deepEqual([left.exchange, left.asker, left.symbols], ["binance", undefined, 1]);
        assert.equal(left.nodes.length, 1);
      } finally {
        daemon.kill("SIGKILL");
        await daemon.ended;
      }
      // Its port is closed, so that nothing waits until its leases have run out.
      assertCode(await run(["backfill", "--since", since], { cwd, env }), 0);
    });
    const rows = await sql<{ candles: number }[]>`select candles::int from checkpoints`;
    assert.equal(rows.length, 2);
    for (const { candles } of rows) assert(candles >= 30 * 60, String(candles));
  } finally {
    await sql.end();
    await exchange.close();
    await server.stop();
  }
});
