/** A copy to a server is killed half way and started again. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { assertCode, run, start, withArchiveDirectory } from "../support/program.ts";
import { seed } from "../support/seeded.ts";
import { openPostgres } from "../support/test_database.ts";

const SERIES = 6;
const CANDLES = 15_000;

Deno.test("a copy that was killed half way is finished by the next, each candle once", (t) =>
  withArchiveDirectory(async (cwd) => {
    const server = await openPostgres();
    if (server === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    try {
      const source = await openDatabase({
        url: undefined,
        dataDir: `${cwd}/titan10-data`,
        poolMax: 1,
        clock: systemClock,
      });
      await seed(
        source,
        Array.from({ length: SERIES }, (_, n) => ({
          exchange: "binance",
          symbol: `COIN${n}/USDT`,
          timeframe: "1m",
          since: "2024-01-01T00:00:00Z",
          candles: CANDLES + n,
        })),
      );
      await source.close();
      const env = { DATABASE_URL: server.url };
      const first = start(["copy"], { cwd, env });
      const target = await openDatabase({
        url: server.url,
        dataDir: cwd,
        poolMax: 1,
        clock: systemClock,
      });
      try {
        const { sql } = target;
        const copied = async (): Promise<number> => {
          const [there] = await sql`select to_regclass('copied_series') is not null as made`;
          if (there?.["made"] !== true) return 0;
          const [row] = await sql`select count(*)::int from copied_series`;
          return row?.["count"];
        };
        let isOver = false;
        first.ended.then(() => isOver = true);
        while (!isOver && await copied() < 2) { /* Its own statements take the time. */ }
        first.kill("SIGKILL");
        await first.ended;
        const [half] = await sql`select copy_ended from archive`;
        assert.deepEqual(half, { copy_ended: null });
        const second = await run(["copy"], { cwd, env });
        assertCode(second, 0);
        assert.match(second.stdout, /^90,015 candles of 6 series copied, [\d,]+ of them before\n/);
        assert.deepEqual(second.stdout.split("\n").filter((line) => line.length > 80), []);
        const rows = await sql`
          select symbol, (select candles::int from checkpoints as known where known.symbol = candle.symbol) as ledger,
                 count(*)::int, count(distinct time)::int as times
          from ohlcv_1m as candle group by symbol order by symbol`;
        assert.deepEqual(
          [...rows],
          Array.from({ length: SERIES }, (_, n) => ({
            symbol: `COIN${n}/USDT`,
            ledger: CANDLES + n,
            count: CANDLES + n,
            times: CANDLES + n,
          })),
        );
      } finally {
        await target.close();
      }
    } finally {
      await server.stop();
    }
  }));
