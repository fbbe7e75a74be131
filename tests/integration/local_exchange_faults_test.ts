/** Every fault of the local exchange once, over real HTTP, and the conditions of its rules. @module */
import assert from "node:assert/strict";
import type { Clock } from "../../lib/clock.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Fault, FaultRule } from "../support/local_exchange/fault.ts";
import type { BadValue, RowFault } from "../support/local_exchange/row_fault.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { ccxtClient } from "../support/dialects/ccxt_client.ts";
import {
  candles,
  candlesUrl,
  get,
  NOW_MS,
  STILL_CLOCK,
  withExchange,
} from "../support/dialects/local_client.ts";

const MINUTE_MS = 60_000;

const SINCE_MS = Date.UTC(2024, 5, 1, 11);

const MINUTE = parseTimeframe("1m");

Deno.test("fault latency: the answer comes when the clock has moved", async () => {
  const asleep = Promise.withResolvers<number>();
  const awake = Promise.withResolvers<void>();
  const clock: Clock = {
    now: () => NOW_MS,
    sleep: (ms) => {
      asleep.resolve(ms);
      return awake.promise;
    },
  };
  await withExchange({ clock }, async (exchange) => {
    strike(exchange, { kind: "latency", ms: 700 });
    let isAnswered = false;
    const answer = candles(exchange, {}).finally(() => isAnswered = true);
    assert.equal(await asleep.promise, 700);
    await get(`${exchange.url}/api/v3/ping`);
    assert.equal(isAnswered, false);
    awake.resolve();
    assert.equal((await answer).length, 500);
  });
});

Deno.test("fault status: each comes with its body, and Retry-After only when asked", async () => {
  await withExchange({}, async (exchange) => {
    for (const status of [418, 429, 500, 503]) {
      strike(exchange, { kind: "status", status });
      const response = await fetch(candlesUrl(exchange, {}));
      assert.equal(response.status, status);
      assert.equal(response.headers.get("retry-after"), null);
      assert.ok((await response.json()).code < 0);
    }
    strike(exchange, { kind: "status", status: 418, retryAfterSeconds: 300 });
    const banned = await fetch(candlesUrl(exchange, {}));
    assert.equal(banned.headers.get("retry-after"), "300");
    assert.match((await banned.json()).msg, new RegExp(`IP banned until ${NOW_MS + 300_000}\\.`));
    strike(exchange, { kind: "status", status: 451, body: "not here" });
    assert.deepEqual(await get(candlesUrl(exchange, {})), { status: 451, body: "not here" });
  });
});

Deno.test("fault hang: no answer until the client goes away", async () => {
  const arrived = Promise.withResolvers<void>();
  const clock: Clock = {
    ...STILL_CLOCK,
    now: () => {
      arrived.resolve();
      return NOW_MS;
    },
  };
  await withExchange({ clock }, async (exchange) => {
    strike(exchange, { kind: "hang" });
    const client = new AbortController();
    const answer = fetch(candlesUrl(exchange, {}), { signal: client.signal });
    await arrived.promise;
    assert.equal((await candles(exchange, {})).length, 500);
    client.abort();
    await assert.rejects(answer, { name: "AbortError" });
    assert.deepEqual(exchange.requests.map(({ status }) => status), [undefined, 200]);
  });
});

Deno.test("fault hang: closing the exchange ends it, before and after the headers", async () => {
  const exchange = await startLocalExchange({ clock: STILL_CLOCK });
  exchange.faults.add({ when: { symbol: "ETH/USDT" }, fault: { kind: "hang" } });
  const silent = assert.rejects(fetch(candlesUrl(exchange, { symbol: "ETHUSDT" })), TypeError);
  const when = { symbol: "BTC/USDT" };
  exchange.faults.add({ when, fault: { kind: "hang", afterHeaders: true } });
  const begun = await fetch(candlesUrl(exchange, {}));
  assert.equal(begun.status, 200);
  const cut = assert.rejects(begun.text(), TypeError);
  await exchange.close();
  await Promise.all([silent, cut]);
});

Deno.test("fault reset: the connection breaks in the middle of the body", async () => {
  await withExchange({}, async (exchange) => {
    strike(exchange, { kind: "reset" });
    const response = await fetch(candlesUrl(exchange, {}));
    assert.equal(response.status, 200);
    await assert.rejects(response.text(), TypeError);
  });
});

Deno.test("faults truncated, html and empty_body: status 200 and no whole JSON", async () => {
  await withExchange({}, async (exchange) => {
    for (const kind of ["truncated", "html", "empty_body"] as const) {
      strike(exchange, { kind });
      const { status, body } = await get(candlesUrl(exchange, {}));
      assert.equal(status, 200);
      assert.throws(() => JSON.parse(body), SyntaxError, kind);
    }
    // The reason these faults exist: CCXT does not notice.
    const client = await ccxtClient("binance", exchange.url);
    await client.loadMarkets();
    strike(exchange, { kind: "html" });
    assert.deepEqual(await client.fetchOHLCV("BTC/USDT", "1m", SINCE_MS, 5), []);
  });
});

Deno.test("faults short_page, moved_start and empty_page: rows are missing at one end or all", async () => {
  await withExchange({}, async (exchange) => {
    assert.deepEqual(await minutesWith(exchange, { kind: "short_page", rows: 2 }), [0, 1]);
    assert.deepEqual(await minutesWith(exchange, { kind: "moved_start", rows: 2 }), [4, 5]);
    assert.deepEqual(await minutesWith(exchange, { kind: "empty_page" }), []);
  });
});

Deno.test("faults duplicate_rows, contradiction, unordered_rows and holes: the rows are not what they were", async () => {
  await withExchange({}, async (exchange) => {
    assert.deepEqual(await minutesWith(exchange, { kind: "duplicate_rows" }), [
      0,
      0,
      1,
      2,
      3,
      4,
      5,
    ]);
    const openTimeMs = SINCE_MS + 4 * MINUTE_MS;
    strike(exchange, { kind: "contradiction", openTimeMs });
    const rows = await candles(exchange, { startTime: SINCE_MS, limit: 6 });
    assert.deepEqual(rows.map(([time]) => (time - SINCE_MS) / MINUTE_MS), [0, 1, 2, 3, 4, 4, 5]);
    assert.notEqual(rows[4]?.[5], rows[5]?.[5]);
    assert.deepEqual(await minutesWith(exchange, { kind: "unordered_rows" }), [3, 4, 5, 0, 1, 2]);
    const hole = { sinceMs: SINCE_MS + MINUTE_MS, untilMs: SINCE_MS + 3 * MINUTE_MS };
    assert.deepEqual(await minutesWith(exchange, { kind: "holes", ...hole }), [0, 3, 4, 5]);
  });
});

Deno.test("fault forming: the forming candle is appended past window and limit, half formed", async () => {
  await withExchange({}, async (exchange) => {
    assert.deepEqual(await minutesWith(exchange, { kind: "forming" }), [0, 1, 2, 3, 4, 5, 60]);
    strike(exchange, { kind: "forming" });
    const row = (await candles(exchange, { startTime: SINCE_MS, limit: 1 })).at(-1);
    assert.deepEqual(row, (await candles(exchange, {})).at(-1));
  });
});

Deno.test("fault late_final: a candle is half-formed until it was closed for so long", async () => {
  await withExchange({}, async (exchange) => {
    const closedMs = Math.floor(NOW_MS / MINUTE_MS) * MINUTE_MS;
    const sinceMs = closedMs - 3 * MINUTE_MS;
    const truth = exchange.truth("BTC/USDT", MINUTE, { sinceMs, untilMs: closedMs });
    const agesMs = [2, 1, 0].map((minutes) => NOW_MS - closedMs + minutes * MINUTE_MS);
    for (const lateMs of agesMs) {
      strike(exchange, { kind: "late_final", lateMs });
      const rows = await candles(exchange, { startTime: sinceMs, limit: 3 });
      assert.deepEqual(
        rows.map((row, n) => row[5] !== truth[n]?.volume),
        agesMs.map((ageMs) => ageMs < lateMs),
      );
    }
  });
});

Deno.test("fault revision: a candle differs the first times it is given, then it is the true one", async () => {
  await withExchange({}, async (exchange) => {
    const window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + MINUTE_MS };
    const handle = exchange.faults.add({ when: window, fault: { kind: "revision", asks: 2 } });
    const truth = exchange.truth("BTC/USDT", MINUTE, {
      ...window,
      untilMs: SINCE_MS + 2 * MINUTE_MS,
    });
    for (const isRevised of [true, true, false]) {
      const rows = await candles(exchange, { startTime: SINCE_MS, limit: 2 });
      assert.equal(rows[0]?.[5] !== truth[0]?.volume, isRevised);
      assert.equal(rows[1]?.[5], truth[1]?.volume);
    }
    assert.equal(handle.struck, 3);
  });
});

Deno.test("fault bad_value: each kind spoils one row in its own way", async () => {
  await withExchange({}, async (exchange) => {
    const spoiled = async (value: BadValue, row: number): Promise<(string | number | null)[]> => {
      strike(exchange, { kind: "bad_value", value, row });
      const rows = await candles(exchange, { startTime: SINCE_MS, limit: 3 });
      return [...rows.at(row) ?? []];
    };
    const [, , high, low] = await spoiled("high_below_low", 0);
    assert.ok(Number(high) < Number(low));
    assert.ok(Number((await spoiled("negative_price", 1))[3]) < 0);
    assert.equal(Number((await spoiled("zero_price", 2))[3]), 0);
    assert.equal((await spoiled("nan_text", -1))[4], "NaN");
    assert.equal((await spoiled("null_value", 0))[4], null);
    assert.notEqual(Number((await spoiled("misaligned_time", 0))[0]) % MINUTE_MS, 0);
    assert.equal((await spoiled("missing_volume", 0)).length, 5);
  });
});

Deno.test("a rule strikes only what its conditions name, and as often as it says", async () => {
  await withExchange({}, async (exchange) => {
    const rules: [when: NonNullable<FaultRule["when"]>, strikes: boolean][] = [
      [{ path: "klines" }, true],
      [{ about: "candles" }, true],
      [{ path: "exchangeInfo" }, false],
      [{ exchange: "kraken" }, false],
      [{ symbol: "BTC/USDT", timeframe: "1m" }, true],
      [{ symbol: "ETH/USDT" }, false],
      [{ timeframe: "1h" }, false],
      [{ sinceMs: SINCE_MS + MINUTE_MS, untilMs: SINCE_MS + 2 * MINUTE_MS }, true],
      [{ untilMs: SINCE_MS }, false],
      [{ sinceMs: SINCE_MS + 6 * MINUTE_MS }, false],
      [{ proxied: false }, true],
      [{ proxied: true }, false],
    ];
    for (const [when, strikes] of rules) {
      const handle = exchange.faults.add({ when, fault: { kind: "empty_page" } });
      const rows = await candles(exchange, { startTime: SINCE_MS, limit: 6 });
      assert.equal(rows.length === 0, strikes, JSON.stringify(when));
      assert.equal(handle.struck, strikes ? 1 : 0);
      handle.remove();
      assert.equal((await candles(exchange, { startTime: SINCE_MS, limit: 6 })).length, 6);
    }
    exchange.faults.add({ times: 2, fault: { kind: "status", status: 500 } });
    exchange.faults.add({ times: 1, fault: { kind: "status", status: 503 } });
    const statuses: number[] = [];
    for (let ask = 0; ask < 4; ask++) statuses.push((await get(candlesUrl(exchange, {}))).status);
    assert.deepEqual(statuses, [500, 500, 503, 200]);
    exchange.faults.add({ fault: { kind: "empty_page" } });
    exchange.faults.clear();
    assert.equal((await candles(exchange, {})).length, 500);
  });
});

/** Puts a fault on the next request for candles. */
function strike(exchange: LocalExchange, fault: Fault): void {
  exchange.faults.add({ when: { path: "klines" }, times: 1, fault });
}

/** Minutes after SINCE_MS that a six-minute ask gives with a row fault. */
async function minutesWith(exchange: LocalExchange, fault: RowFault): Promise<number[]> {
  strike(exchange, fault);
  const rows = await candles(exchange, { startTime: SINCE_MS, limit: 6 });
  return rows.map(([time]) => (time - SINCE_MS) / MINUTE_MS);
}
