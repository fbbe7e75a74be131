/** A contract that changes what its numbers mean under the same id: Gate's perpetuals over HTTP, a real database. */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { ceilTime, parseTimeframe } from "../../lib/market/timeframe.ts";
import { openTestArchive } from "../support/local_archive.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const HOUR_MS = 3_600_000;
const HOUR = parseTimeframe("1h");

/** What differs from case to case. */
interface Listed {
  contractSize: string;
}

Deno.test("a contract of another size begins anew, one whose size was not known does not", async () => {
  const { database, drop } = await openAnyTest();
  const clock = new TestClock();
  const listed: Listed = { contractSize: "0.0001" };
  const server = perpetuals(listed, () => clock.now());
  const fill = async (): Promise<BackfillReport> => {
    const archive = await openTestArchive(database, {
      EXCHANGES: "gate",
      SYMBOLS: "BTC/USDT:USDT",
      TIMEFRAMES: "1h",
      BACKFILL: "1h:20h",
      EXCHANGE_PROXY_URL: `http://127.0.0.1:${server.addr.port}/`,
      EXCHANGE_GATE: JSON.stringify({ rateLimit: 1 }),
    }, clock);
    const [report] = await backfill(archive, { patient: false });
    assert.ok(report);
    return report;
  };
  try {
    const first = await fill();
    assert.deepEqual([first.replaced, first.left, first.added, first.problems], [[], 0, 20, []]);
    // As an archive of an older version has it.
    await database
      .sql`update listings set kind = null, settle = null, contract_size = null, volume_unit = null`;
    clock.pass(HOUR_MS);
    assert.deepEqual((await fill()).replaced, []);
    const facts = async (): Promise<readonly unknown[]> =>
      await database.sql`
        select market_id, kind, settle, trim_scale(contract_size)::text as size, volume_unit, why
        from listings order by since`;
    const linear = {
      ...{ market_id: "BTC_USDT", kind: "linear", settle: "USDT" },
      volume_unit: "contracts",
    };
    assert.deepEqual([...await facts()].map((row) => ({ ...row as object })), [
      { ...linear, size: "0.0001", why: null },
    ]);
    listed.contractSize = "0.001";
    clock.pass(5 * HOUR_MS);
    assert.deepEqual((await fill()).replaced, [
      "BTC/USDT:USDT now means another market, BTC_USDT with contracts of 0.001 instead of 0.0001: " +
      "a new listing begins",
    ]);
    clock.pass(3 * HOUR_MS);
    assert.deepEqual((await fill()).replaced, [], "it is news once");
    assert.deepEqual([...await facts()].map((row) => ({ ...row as object })), [
      { ...linear, size: "0.0001", why: "replaced" },
      { ...linear, size: "0.001", why: null },
    ]);
    const volumes = await database.sql`
      select trim_scale(volume)::text as volume, trim_scale(volume_base)::text as base, count(*)::int as candles
      from ohlcv where timeframe = '1h' group by volume, volume_base order by 3`;
    // The five hours in which nothing was asked would come in contracts of the new size: nobody asks for them.
    assert.deepEqual(volumes.map((row) => ({ ...row })), [
      { volume: "7000", base: "7", candles: 2 },
      { volume: "70000", base: "7", candles: 21 },
    ]);
  } finally {
    await server.shutdown();
    await drop();
  }
});

/** Shapes follow Gate's documentation (APIv4, futures). In every hour 7 BTC are traded; volumes count contracts. */
function perpetuals(listed: Listed, now: () => number): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { origin } = new URL(request.url);
    const url = new URL(decodeURIComponent(request.url.slice(origin.length + 1)));
    const endpoint = url.pathname.replace("/api/v4/futures/", "");
    const answer = (value: unknown): Response =>
      Response.json(value, { headers: { date: new Date(now()).toUTCString() } });
    if (endpoint === "usdt/contracts") return answer([contractOf(listed)]);
    if (endpoint === "btc/contracts") return answer([]);
    if (endpoint !== "usdt/candlesticks") return new Response("{}", { status: 404 });
    const [from, to] = ["from", "to"].map((name) => 1000 * Number(url.searchParams.get(name)));
    const untilMs = Math.min(to ?? 0, now());
    const v = Math.round(7 / Number(listed.contractSize));
    const rows: unknown[] = [];
    for (let openMs = ceilTime(HOUR, from ?? 0); openMs <= untilMs; openMs += HOUR_MS) {
      rows.push({ t: openMs / 1000, o: "43000", h: "43100", l: "42900", c: "43050", v, sum: "1" });
    }
    return answer(rows);
  });
}

function contractOf({ contractSize }: Listed): unknown {
  return {
    ...{ name: "BTC_USDT", type: "direct", quanto_multiplier: contractSize, in_delisting: false },
    ...{ order_price_round: "0.1", order_price_deviate: "0.5", mark_price: "43000" },
    ...{ leverage_min: "1", leverage_max: "100", order_size_min: 1, order_size_max: 1_000_000 },
    ...{ maker_fee_rate: "-0.00025", taker_fee_rate: "0.00075", maintenance_rate: "0.005" },
  };
}
