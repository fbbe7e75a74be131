/** What `titan10 plan` and `titan10 doctor` do to a daemon that they ask: nothing. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { binanceAt } from "../support/local_archive.ts";
import { assertCode, run, start, withArchiveDirectory } from "../support/program.ts";

Deno.test("plan and doctor beside a daemon that could not load its markets yet leave it to choose its series", async () => {
  const exchange = await startLocalExchange({ clock: systemClock });
  const down = exchange.faults.add({ fault: { kind: "status", status: 503 } });
  try {
    await withArchiveDirectory(async (cwd) => {
      const env = {
        EXCHANGES: "binance",
        SYMBOLS: "top:3",
        TIMEFRAMES: "1m",
        BACKFILL: "1m:2h",
        RETRY_ATTEMPTS: "1",
        HTTP_PORT: "0",
        LOG_FORMAT: "json",
        EXCHANGE_BINANCE: binanceAt(exchange),
      };
      const daemon = start(["run"], { cwd, env });
      try {
        await daemon.waitFor(/"message":"requests to an exchange failed"/);
        down.remove();
        const planned = await run(["plan", "--json"], { cwd, env });
        assertCode(planned, 0);
        assert.deepEqual(
          JSON.parse(planned.stdout).entries.map(({ series }: { series: number }) => series),
          [3],
        );
        const examined = await run(["doctor", "--json"], { cwd, env });
        assertCode(examined, 0);
        // The daemon tries again by itself, and then asks for what is owed.
        await daemon.waitFor(/"message":"job done".*"job":"backfill"/);
        const rows = async (statement: string): Promise<readonly Record<string, unknown>[]> => {
          const answer = await run(["query", "--json", statement], { cwd, env });
          assertCode(answer, 0);
          const lines = answer.stdout.split("\n").filter((line) => line !== "");
          return lines.map((line) => JSON.parse(line));
        };
        const series = await rows("select chosen, symbol from checkpoints order by symbol");
        assert.deepEqual(series.map(({ chosen }) => chosen), ["top", "top", "top"]);
        const listings = await rows("select symbol from listings where until is null order by 1");
        assert.deepEqual(listings, series.map(({ symbol }) => ({ symbol })));
      } finally {
        daemon.kill("SIGTERM");
        assert.equal((await daemon.ended).code, 143, daemon.stderr());
      }
    });
  } finally {
    await exchange.close();
  }
});
