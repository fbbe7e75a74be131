/** A query that would run for days, asked beside the daemon: what else goes on, and how it ends. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { startLocalExchange } from "../../lib/local_exchange/server.ts";
import { binanceAt } from "../support/local_archive.ts";
import { peakSoFar } from "../support/peak_memory.ts";
import { assertCode, run, type Running, start, withArchiveDirectory } from "../support/program.ts";
import { until } from "../support/until.ts";

const ENDLESS =
  "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000000) b";

/** Each once ended the server or left it broken, or made the daemon two gigabytes large. */
const TOO_MUCH: readonly (readonly [text: string, refusal: RegExp])[] = [
  ["select repeat('[', 10000)::json", /too deep|stack depth/],
  [Array(5_000).fill("select 1").join(" union all "), /too deep|stack depth/],
  ["select array_fill(0, array[100000000])", /out of memory. Ask for fewer or shorter rows/],
  ["select repeat('x', 9000000)", /a row of it has 9000002 bytes, and at most 4000000/],
];

type Where = { readonly cwd: string; readonly env: Readonly<Record<string, string>> };

Deno.test("a heavy query leaves the daemon healthy, can be ended, and costs no candle", (t) =>
  withDaemon(async ({ where, daemon, url }) => {
    const before = await candles(where);
    await t.step("health is answered while the database is busy with it", async () => {
      const query = start(["query", "--timeout", "1h", ENDLESS], where);
      await untilReadiness(url, 503);
      const health = await fetch(`${url}/healthz`);
      assert.deepEqual([health.status, await health.json()], [200, { ok: true, reasons: [] }]);
      query.kill("SIGINT");
      const { code } = await query.ended;
      assertCode({ code, stdout: query.stdout(), stderr: query.stderr() }, 130);
    });
    await t.step("Ctrl-C ends it in the daemon, too", async () => {
      await untilReadiness(url, 200);
      assert.equal(daemon.stderr().includes("crashed"), false, daemon.stderr());
    });
    await t.step("--timeout ends it with a sentence", async () => {
      const late = await run(["query", "--timeout", "2s", ENDLESS], where);
      assertCode(late, 1);
      assert.match(late.stderr, /^Cannot run the query: it took longer than 2 s and was ended$/m);
    });
    await t.step("what is too deep or too large is refused, and costs little", async () => {
      for (const [text, refusal] of TOO_MUCH) {
        const refused = await run(["query", text], where);
        assertCode(refused, 1);
        assert.match(refused.stderr, refusal);
      }
      await untilReadiness(url, 200);
      const peakBytes = await peakSoFar(daemon.pid);
      assert.ok(peakBytes < 700e6, `${peakBytes} bytes`);
    });
    await t.step("what was committed is there, and candles go on being written", async () => {
      let after = await candles(where);
      await until("a new candle", async () => {
        after = await candles(where);
        return after.length > before.length;
      });
      assert.deepEqual(after.slice(0, before.length), before);
      const ranges = await run(
        ["query", "--csv", "select count(*) from checkpoints, unnest(covered)"],
        where,
      );
      // None before the first candles are final.
      assert.match(ranges.stdout, /^count\n[01]\n$/, "a hole is left");
      assert.doesNotMatch(daemon.stderr(), /did not take a page|"level":"(?:ERROR|FATAL)"/i);
    });
  }));

/** Every candle, oldest first, one a line. */
async function candles(where: Where): Promise<readonly string[]> {
  const asked = await run(["query", "--csv", "select time, close from ohlcv_1s order by 1"], where);
  assertCode(asked, 0);
  return asked.stdout.trimEnd().split("\n");
}

async function untilReadiness(url: string, status: number): Promise<void> {
  await until(`status ${status} of /readyz`, async () => {
    const response = await fetch(`${url}/readyz`);
    await response.body?.cancel();
    return response.status === status;
  });
}

async function withDaemon(
  use: (scene: {
    readonly where: Where;
    readonly daemon: Running;
    readonly url: string;
  }) => Promise<void>,
): Promise<void> {
  const exchange = await startLocalExchange({ clock: systemClock });
  try {
    await withArchiveDirectory(async (cwd) => {
      const env = {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1s",
        BACKFILL: "off",
        POLL_CRON: "*/1 * * * * *",
        HTTP_PORT: "0",
        LOG_FORMAT: "json",
        EXCHANGE_BINANCE: binanceAt(exchange),
      };
      const daemon = start(["run"], { cwd, env });
      try {
        const [, url] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
        await untilReadiness(url!, 200);
        await daemon.waitFor(/"job":"poll"/);
        await use({ where: { cwd, env }, daemon, url: url! });
      } finally {
        daemon.kill("SIGTERM");
        const { code } = await daemon.ended;
        assert.equal(code, 143, daemon.stderr());
      }
    });
  } finally {
    await exchange.close();
  }
}
