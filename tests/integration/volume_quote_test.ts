/** Markets whose volumes are turnovers: BTSE's over HTTP, a real database. */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { ceilTime, parseTimeframe } from "../../lib/market/timeframe.ts";
import { openTestArchive } from "../support/local_archive.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const HOUR_MS = 3_600_000;
const HOUR = parseTimeframe("1h");

Deno.test("a turnover is no base volume, and a market whose volumes count something else begins anew", async () => {
  const { database, drop } = await openAnyTest();
  const clock = new TestClock();
  const server = btse(() => clock.now());
  const fill = async (): Promise<BackfillReport> => {
    const archive = await openTestArchive(database, {
      EXCHANGES: "btse",
      SYMBOLS: "BTC/USDT,BTC/USDT:USDT",
      TIMEFRAMES: "1h",
      BACKFILL: "1h:20h",
      EXCHANGE_PROXY_URL: `http://127.0.0.1:${server.addr.port}/`,
      EXCHANGE_BTSE: JSON.stringify({ rateLimit: 1 }),
    }, clock);
    const [report] = await backfill(archive, { patient: false });
    assert.ok(report);
    return report;
  };
  const { sql } = database;
  const known = async (): Promise<readonly string[]> => {
    const rows = await sql<{ text: string }[]>`
      select distinct concat_ws(' ', candle.symbol, volume_unit, trim_scale(volume), coalesce(volume_base::text, '-')) as text
      from ohlcv as candle join listings using (exchange, symbol)
      where timeframe = '1h' and until is null order by text`;
    return rows.map(({ text }) => text);
  };
  try {
    const { left, added, problems, replaced } = await fill();
    assert.deepEqual([left, added, problems, replaced], [0, 40, [], []]);
    const turnovers = ["BTC/USDT quote 301000 -", "BTC/USDT:USDT quote 301000 -"];
    assert.deepEqual(await known(), turnovers);
    // A symbol that is delisted since: no list has it, and it is told of by its kind.
    await sql`
      insert into listings (exchange, symbol, since, until, why, kind)
      values ('btse', 'OLD/USDT:USDT', '2020-01-01', '2021-01-01', 'delisted', 'linear')`;
    await sql`update listings set volume_unit = null`;
    clock.pass(HOUR_MS);
    assert.deepEqual((await fill()).replaced, [], "what was not known is no change");
    assert.deepEqual(await known(), turnovers);
    const [old] = await sql`select volume_unit from listings where symbol = 'OLD/USDT:USDT'`;
    assert.equal(old?.["volume_unit"], "quote");
    // As if the class had given contracts until now.
    await sql`update listings set volume_unit = 'contracts' where symbol = 'BTC/USDT:USDT'`;
    clock.pass(HOUR_MS);
    assert.deepEqual((await fill()).replaced, [
      "BTC/USDT:USDT now means another market, BTC-PERP-USDT with volumes in quote instead of contracts: " +
      "a new listing begins",
    ]);
    const listings = await sql`
      select volume_unit, why from listings where symbol = 'BTC/USDT:USDT' order by since`;
    assert.deepEqual(listings.map((row) => ({ ...row })), [
      { volume_unit: "contracts", why: "replaced" },
      { volume_unit: "quote", why: null },
    ]);
    // The candles before count as they did.
    const [before] = await sql`
      select min(trim_scale(volume_base)::text) as base from ohlcv where timeframe = '1h' and symbol = 'BTC/USDT:USDT'`;
    assert.equal(before?.["base"], "3.01");
  } finally {
    await server.shutdown();
    await drop();
  }
});

/** Shapes follow what `ccxt/js/src/btse.js` quotes of its answers. In every hour 7 BTC are traded at 43,000. */
function btse(now: () => number): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { origin } = new URL(request.url);
    const url = new URL(decodeURIComponent(request.url.slice(origin.length + 1)));
    const answer = (data: unknown): Response =>
      Response.json({ code: 1, msg: "Success", success: true, time: now(), data }, {
        headers: { date: new Date(now()).toUTCString() },
      });
    if (url.pathname.endsWith("/markets")) return answer({ symbols: [SPOT, PERPETUAL] });
    if (!url.pathname.endsWith("/klines")) return new Response("{}", { status: 404 });
    const [start, end] = ["start", "end"].map((name) => 1000 * Number(url.searchParams.get(name)));
    const untilMs = Math.min(end === undefined || end === 0 ? Infinity : end, now());
    const rows: unknown[] = [];
    for (let openMs = ceilTime(HOUR, start ?? 0); openMs <= untilMs; openMs += HOUR_MS) {
      rows.push([String(openMs / 1000), "43000", "43100", "42900", "43050", "301000"]);
    }
    return answer(rows.slice(0, Number(url.searchParams.get("limit"))));
  });
}

const MARKET = {
  ...{ category: "CRYPTO", baseCurrency: "BTC", quoteCurrency: "USDT", displayName: "Bitcoin" },
  ...{ active: true, minOrderPrice: "0.1", minPriceIncrement: "0.1", pricePrecision: 1 },
};

const SPOT = {
  ...MARKET,
  ...{ symbol: "BTC-USDT", type: "Spot", tradeCurrency: "BTC", minOrderSize: "0.00001" },
  ...{ maxOrderSize: "100", minSizeIncrement: "0.00001", sizePrecision: 5 },
};

const PERPETUAL = {
  ...MARKET,
  ...{ symbol: "BTC-PERP-USDT", type: "FuturesPerpetual", tradeCurrency: "BTC-PERP" },
  ...{ minOrderSize: "1", maxOrderSize: "7500000", minSizeIncrement: "1", sizePrecision: 0 },
  ...{ contractSize: "0.00001", availableSettlement: ["USD", "USDT"] },
};
