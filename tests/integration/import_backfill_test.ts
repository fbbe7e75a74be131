/** What a file brought is not asked for, and what it lacks is. @module */
import assert from "node:assert/strict";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { binanceAt } from "../support/local_archive.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";

const HOUR_MS = 3_600_000;

Deno.test("a backfill asks for what lies between a file's candles, and leaves those as they are", () =>
  withAnyArchivePlace(async (place) => {
    const { folder } = place;
    const clock = new TestClock();
    const exchange = await startLocalExchange({ clock });
    try {
      const env = {
        ...place.env,
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1h",
        BACKFILL: "1h:20d",
        EXCHANGE_BINANCE: binanceAt(exchange),
      };
      const command = (...args: readonly string[]): Promise<CommandResult> =>
        runInProcess(args, env, undefined, "", clock);
      const beginMs = Math.floor(START_MS / HOUR_MS) * HOUR_MS - 300 * HOUR_MS;
      const lines = Array.from({ length: 100 }, (_, n) => n).filter((n) => n < 40 || n >= 43)
        .map((n) => `${beginMs + n * HOUR_MS},1,2,0.5,1.5,10`);
      await Deno.writeTextFile(`${folder}/btc.csv`, `${lines.join("\n")}\n`);
      const series = ["--exchange", "binance", "--symbol", "BTC/USDT", "--timeframe", "1h"];
      const imported = await command("import", `${folder}/btc.csv`, ...series);
      assert.match(imported.stdout, /\n {2}97 added\n {2}3 in between are lacking/);
      const filled = await command("backfill", "--json");
      assert.equal(filled.code, 0, filled.stderr);
      const [{ added, revised }] = JSON.parse(filled.stdout).exchanges;
      assert.deepEqual([added, revised], [20 * 24 - 97, 0]);
      const since = new Date(beginMs).toISOString();
      const sql = `select count(*) filter (where open = 1) as of_file,
      string_agg(((extract(epoch from time) * 1000 - ${beginMs}) / ${HOUR_MS})::int::text, ' ' order by time)
        filter (where open <> 1) as of_exchange,
      (select stored::text from imports) =
        (select (covered * '{[${since},${new Date(beginMs + 100 * HOUR_MS).toISOString()})}'
                 - tstzmultirange(tstzrange('${since}'::timestamptz + '40 hours', '${since}'::timestamptz + '43 hours'))
                )::text from checkpoints) as told
      from ohlcv_1h where time >= '${since}' and time < '${since}'::timestamptz + '100 hours'`;
      const asked = await command("query", "--json", sql);
      assert.deepEqual(JSON.parse(asked.stdout), {
        of_file: 97,
        of_exchange: "40 41 42",
        told: true,
      });
    } finally {
      await exchange.close();
    }
  }));
