/** `kill -9` while published files are stored: another run makes the archive whole, and equal to the truth. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { binance } from "../support/local_exchange/binance.ts";
import { binanceFiles, FILES_ENDPOINT } from "../support/local_exchange/binance_files.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { assertCode, run, start, withDirectory } from "../support/program.ts";
import { createServerDatabase, openPostgres } from "../support/test_database.ts";
import { until } from "../support/until.ts";

/** Five months, all long past. */
const WINDOW = { sinceMs: Date.UTC(2023, 9), untilMs: Date.UTC(2024, 2) };

const KILLS = 3;

Deno.test("kills while files are stored lose nothing, and what is stored twice is there once", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs a server", ignore: true, fn: () => {} });
    return;
  }
  const exchange = await startLocalExchange({
    clock: systemClock,
    symbols: LOCAL_SYMBOLS.slice(0, 1),
    dialect: [binance, binanceFiles()],
  });
  const { url } = await createServerDatabase(server.url);
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const filesAsked = (): number =>
    exchange.requests.filter(({ endpoint, path }) =>
      endpoint === FILES_ENDPOINT && path.endsWith(".zip")
    ).length;
  const env = {
    DATABASE_URL: url,
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT",
    TIMEFRAMES: "5m",
    BACKFILL: "5m:2023-10-01..2024-03-01",
    EXCHANGE_PROXY_URL: exchange.proxyUrl,
  };
  try {
    await withDirectory(async (cwd) => {
      for (let kill = 1; kill <= KILLS; kill++) {
        const before = filesAsked();
        const program = start(["backfill"], { cwd, env });
        let hasEnded = false;
        void program.ended.then(() => hasEnded = true);
        await until("a file to be asked for", () => hasEnded || filesAsked() >= before + kill);
        program.kill("SIGKILL");
        await program.ended;
      }
      const result = await run(["backfill", "--json"], { cwd, env });
      assertCode(result, 0);
    });
    const truth = exchange.truth("BTC/USDT", parseTimeframe("5m"), WINDOW)
      .map(({ openTimeMs, close }) => `${openTimeMs} ${Number(close)}`);
    const rows = await sql<{ row: string }[]>`
      select (extract(epoch from time) * 1000)::bigint || ' ' || trim_scale(close)::text as row
      from ohlcv_5m order by time`;
    const wrong = rows.findIndex(({ row }, at) => row !== truth[at]);
    assert.deepEqual([rows.length, rows[wrong]?.row], [truth.length, undefined]);
    const [ended] = await sql<{ files: number }[]>`
      select count(distinct file)::int as files from imports where sha256 is not null`;
    assert.equal((ended?.files ?? 0) > 0, true);
  } finally {
    await sql.end();
    await exchange.close();
    await server.stop();
  }
});
