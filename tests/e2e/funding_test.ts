/** Funding rates from the daemon's first minute to files: what commands tell and write is what the exchange has. @module */
import assert from "node:assert/strict";
import { parquetReadObjects } from "hyparquet";
import { systemClock } from "../../lib/clock.ts";
import { contract } from "../../lib/local_exchange/contract.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { assertCode, run, start, withArchiveDirectory } from "../support/program.ts";

const [LINEAR, INVERSE] = ["BTC/USDT:USDT", "BTC/USD:BTC"] as const;
const DAY_MS = 24 * 3_600_000;
const FACTS = { price: 40_000, tickDecimals: 1, quoteVolume24h: 1_000_000 };

Deno.test("the daemon keeps funding rates, and commands beside it and without it tell the same of them", async () => {
  const exchange = await startLocalExchange({
    clock: systemClock,
    symbols: [
      contract(LINEAR, { ...FACTS, size: 0.001 }),
      contract(INVERSE, {
        ...FACTS,
        size: 100,
      }),
    ],
  });
  // Whole days: no rate becomes due between the command and the comparison.
  const untilMs = Math.floor(systemClock.now() / DAY_MS) * DAY_MS - DAY_MS;
  const window = { sinceMs: untilMs - 30 * DAY_MS, untilMs };
  const range = [
    ...["--since", new Date(window.sinceMs).toISOString()],
    ...["--until", new Date(untilMs).toISOString()],
  ];
  try {
    await withArchiveDirectory(async (cwd) => {
      const env = {
        EXCHANGES: "binance",
        SYMBOLS: `${LINEAR},${INVERSE}`,
        TIMEFRAMES: "1d",
        BACKFILL: "1d:40d",
        POLL_CRON: "* * * * * *",
        LIVE: "off",
        HTTP_PORT: "0",
        LOG_FORMAT: "json",
        EXCHANGE_PROXY_URL: exchange.proxyUrl,
        EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
      };
      const command = async (...args: readonly string[]): Promise<string> => {
        const ended = await run(args, { cwd, env });
        assertCode(ended, 0);
        return ended.stdout.trimEnd();
      };
      const exported = async (): Promise<void> => {
        const text = await command("export", "--what", "funding", "--symbol", LINEAR, ...range);
        const [head, ...lines] = text.split("\n");
        assert.equal(head, "exchange,symbol,time,rate");
        const rows = lines.map((line) => line.split(","));
        const truth = exchange.funding(LINEAR, window);
        assert.equal(rows.length, truth.length);
        for (const [at, { timeMs, rate }] of truth.entries()) {
          const [id, symbol, time = "", told] = rows[at]!;
          assert.deepEqual([id, symbol, Number(told)], ["binance", LINEAR, Number(rate)]);
          const lateMs = Date.parse(time) - timeMs;
          assert(lateMs >= 0 && lateMs < 1_000, time);
        }
      };
      const daemon = start(["run"], { cwd, env });
      try {
        await daemon.waitFor(/"message":"job done".*"job":"funding_history"/);
        await exported();
        const { funding } = JSON.parse(await command("status", "--json"));
        assert.deepEqual(
          funding.map((
            row: Record<string, unknown>,
          ) => [row["symbol"], row["owed"], row["missing"]]),
          [[INVERSE, 0, 0], [LINEAR, 0, 0]],
        );
        assert.match(await command("status"), /^binance +2 +\d+ .* 0 +0 +0$/m);
        assert.deepEqual(JSON.parse(await command("gaps", "--json")).funding, []);
        const plan = JSON.parse(await command("plan", "--json"));
        assert.deepEqual(
          plan.funding.map((row: Record<string, unknown>) => [row["perpetuals"], row["rates"]]),
          [[2, 0]],
        );
      } finally {
        daemon.kill("SIGTERM");
        assert.equal((await daemon.ended).code, 143, daemon.stderr());
      }
      await exported();
      await command("export", "--what", "funding", "-o", "rates.parquet", ...range);
      const { buffer } = await Deno.readFile(`${cwd}/rates.parquet`);
      const rows = await parquetReadObjects({ file: buffer as ArrayBuffer });
      assert.equal(rows.length, 2 * 90);
      const last = exchange.funding(LINEAR, window).at(-1)!;
      assert.deepEqual([rows.at(-1)!["symbol"], rows.at(-1)!["rate"]], [LINEAR, Number(last.rate)]);
      assert.equal(
        Math.floor((rows.at(-1)!["time"] as Date).getTime() / 1_000),
        last.timeMs / 1_000,
      );
      for (
        const args of [["--timeframe", "1d"], ["--source", "merged"], ["--final-only"], [
          "--numbers",
          "exact",
          "--format",
          "parquet",
        ]]
      ) {
        const refused = await run(["export", "--what", "funding", ...args], { cwd, env });
        assertCode(refused, 2);
        assert.match(refused.stderr, new RegExp(args[0]!));
      }
      const unknown = await run(["export", "--what", "funding", "--symbol", "ETH/USDT:USDT"], {
        cwd,
        env,
      });
      assertCode(unknown, 1);
      assert.match(unknown.stderr, /Nothing is archived of the symbol ETH\/USDT:USDT/);
    });
  } finally {
    await exchange.close();
  }
});
