/** Classes of CCXT that change the rows of an answer: what the program sees is what the exchange sent. @module */
import assert from "node:assert/strict";
import { openExchange } from "../../lib/exchange/client.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { NOW_MS, STILL_CLOCK } from "../support/dialects/local_client.ts";

const MINUTE_MS = 60_000;
const FIRST_MS = NOW_MS - 30_000 - 60 * MINUTE_MS;

/** `[from, to)` minutes after the exchange's first candle. */
function minutes(from: number, to: number): Window {
  return { sinceMs: FIRST_MS + from * MINUTE_MS, untilMs: FIRST_MS + to * MINUTE_MS };
}

Deno.test("bitopro: the candles that CCXT invents between the rows, and before them, are not there", async () => {
  const sent = [2, 3, 6].map((minute) => ({
    timestamp: FIRST_MS + minute * MINUTE_MS,
    ...{ open: "11", high: "12", low: "10", close: "11.50", volume: "0.1" },
  }));
  const answers = {
    "/provisioning/trading-pairs": {
      data: [{ pair: "btc_usdt", base: "btc", quote: "usdt", maintain: false }],
    },
    "/trading-history/": { data: sent },
  };
  assert.deepEqual(await fetchRows("bitopro", { answers, window: minutes(0, 10) }), [
    [2, "11", "12", "10", "11.50", "0.1"],
    [3, "11", "12", "10", "11.50", "0.1"],
    [6, "11", "12", "10", "11.50", "0.1"],
  ]);
});

Deno.test("btcturk: rows outside the window come as well, in the exchange's order", async () => {
  const sent = [9, 4, 2, -5];
  const column = (text: string): number[] => sent.map(() => JSON.parse(text));
  const answers = {
    "/server/exchangeinfo": {
      data: {
        symbols: [{ name: "BTCUSDT", numerator: "BTC", denominator: "USDT", status: "TRADING" }],
      },
    },
    "/klines/history": {
      s: "ok",
      t: sent.map((minute) => (FIRST_MS + minute * MINUTE_MS) / 1_000),
      ...{ o: column("11"), h: column("12"), l: column("10"), c: column("11.5"), v: column("0.1") },
    },
  };
  for (let times = 0; times < 2; times++) {
    const rows = await fetchRows("btcturk", { answers, window: minutes(2, 4) });
    assert.deepEqual(rows, sent.map((minute) => [minute, "11", "12", "10", "11.5", "0.1"]));
  }
});

/** The rows that the program gets; of each time, the minutes after the exchange's first candle. */
async function fetchRows(
  id: string,
  { answers, window }: {
    readonly answers: Readonly<Record<string, unknown>>;
    readonly window: Window;
  },
): Promise<unknown[]> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const url = decodeURIComponent(request.url);
    const found = Object.entries(answers).find(([path]) => url.includes(path));
    return Response.json(found?.[1] ?? {}, { status: found === undefined ? 404 : 200 });
  });
  try {
    const proxyUrl = `http://127.0.0.1:${server.addr.port}/`;
    const client = await openExchange(id, { clock: STILL_CLOCK, proxyUrl });
    const list = await client.loadMarkets();
    const series = { exchange: id, symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };
    const { rows } = await client.fetchCandles(series, window, { list });
    return rows.map((row) => {
      const [timeMs, ...values] = row as readonly unknown[];
      return [(Number(timeMs) - FIRST_MS) / MINUTE_MS, ...values];
    });
  } finally {
    await server.shutdown();
  }
}
