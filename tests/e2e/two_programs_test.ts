/** Two programs on one server: what one of them finds out about a market holds for the other one, too. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { assertCode, run, start, withDirectory } from "../support/program.ts";
import { settleQuickly } from "../support/quick_settling.ts";
import { openPostgres } from "../support/test_database.ts";

const FORMER = market("BTC/USDT", { tickDecimals: 2, price: 100, quoteVolume24h: 1_000_000 });
/** CCXT calls it BTC/USDT, too. Its prices are far from those of the former market. */
const LATER: LocalSymbol = { ...FORMER, id: "BTCV2USDT", price: 7_000 };

/** Between the prices of both. */
const PRICE_BETWEEN = 1_000;

/** So many candles of the new listing show what the daemon asks for. */
const NEW_CANDLES = 5;

Deno.test("a daemon that loaded its markets before another program found a new one never mixes the two", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs a server", ignore: true, fn: () => {} });
    return;
  }
  const exchange = await startLocalExchange({ clock: systemClock, symbols: [FORMER] });
  // An exchange may go on answering for a market that it lists no more.
  const hidden = new Set<string>();
  const front = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (asked) => {
      const { pathname, search } = new URL(asked.url);
      const response = await fetch(`${exchange.url}${pathname}${search}`);
      if (!pathname.endsWith("/exchangeInfo")) return response;
      const { symbols, ...info } = await response.json();
      const listed = (symbols as { symbol: string }[]).filter(({ symbol }) => !hidden.has(symbol));
      return Response.json({ ...info, symbols: listed });
    },
  );
  const sql = postgres(server.url, { max: 1, onnotice: () => {} });
  try {
    await settleQuickly(server.url);
    await withDirectory(async (cwd) => {
      const env = {
        DATABASE_URL: server.url,
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1s",
        BACKFILL: "1s:1h",
        POLL_CRON: "*/1 * * * * *",
        RETRY_MIN: "50ms",
        RETRY_MAX: "300ms",
        HTTP_PORT: "0",
        LOG_FORMAT: "json",
        EXCHANGE_BINANCE: JSON.stringify({
          urls: { api: { public: `http://127.0.0.1:${front.addr.port}/api/v3` } },
          rateLimit: 1,
        }),
      };
      const daemon = start(["run"], { cwd, env });
      try {
        await daemon.waitFor(/"message":"job done".*"job":"backfill"/);
        await until(daemon, async () => (await listing(sql)).stored > 0);
        exchange.symbols.list(LATER);
        hidden.add("BTCUSDT");
        // From another address: of one and the same only the daemon may ask.
        const told = await run(["backfill"], { cwd, env: { ...env, EGRESS: "elsewhere" } });
        assertCode(told, 0);
        assert.match(told.stdout + told.stderr, /BTCV2USDT instead of BTCUSDT/);
        await until(daemon, async () => (await listing(sql)).stored >= NEW_CANDLES);
      } finally {
        daemon.kill("SIGTERM");
        await daemon.ended;
      }
      const { ids, mixed, before } = await listing(sql);
      assert.deepEqual(ids, ["BTCUSDT", "BTCV2USDT"]);
      assert.equal(mixed, 0, "candles of the other market");
      assert(before > 0, "what is stored of the former market stays");
    });
  } finally {
    await sql.end();
    await front.shutdown();
    await exchange.close();
    await server.stop();
  }
});

/** The markets that were listed, and the candles before and since the last one began. */
async function listing(sql: postgres.Sql): Promise<{
  readonly ids: readonly string[];
  readonly stored: number;
  readonly before: number;
  /** Candles with the price of the market that was not listed at their time. */
  readonly mixed: number;
}> {
  const listings = await sql<
    { market_id: string }[]
  >`select market_id from listings order by since`;
  const [row] = await sql<{ stored: number; before: number; mixed: number }[]>`
    select count(*) filter (where is_later)::int as stored, count(*) filter (where not is_later)::int as before,
           count(*) filter (where (close > ${PRICE_BETWEEN}) <> (is_later and ${listings.length}::int > 1))::int as mixed
    from (select close, time >= coalesce(listed_from, '-infinity') as is_later
          from ohlcv_1s join checkpoints using (exchange, symbol) where timeframe = '1s') as candle`;
  return { ids: listings.map(({ market_id }) => market_id), ...row! };
}

/** Waits for the condition for as long as the daemon runs. */
async function until(
  daemon: { readonly ended: Promise<unknown> },
  isSo: () => Promise<boolean>,
): Promise<void> {
  let hasEnded = false;
  void daemon.ended.then(() => hasEnded = true);
  while (!await isSo()) {
    assert(!hasEnded, "the daemon has ended");
    await systemClock.sleep(100);
  }
}
