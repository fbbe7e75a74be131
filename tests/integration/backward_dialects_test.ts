/** The dialects whose pages count back from an end, and what the program asks so that they hold its window. @module */
import assert from "node:assert/strict";
import { type ExchangeClient, openExchange } from "../../lib/exchange/client.ts";
import type { MarketList } from "../../lib/exchange/market_list.ts";
import { FetchError } from "../../lib/exchange/fetch_error.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import type { LocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { bingx } from "../support/dialects/bingx.ts";
import { bitvavo } from "../support/dialects/bitvavo.ts";
import { ccxtClient } from "../support/dialects/ccxt_client.ts";
import { hitbtc } from "../support/dialects/hitbtc.ts";
import { NOW_MS, STILL_CLOCK, withExchange } from "../support/dialects/local_client.ts";
import { poloniex } from "../support/dialects/poloniex.ts";
import { upbit } from "../support/dialects/upbit.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const SINCE_MS = Date.UTC(2024, 5, 1, 11);
const MINUTE = parseTimeframe("1m");

/** The windows that a poll, a page and a repair ask for. */
const WINDOWS: readonly Window[] = [
  { sinceMs: NOW_MS - 30_000 - 5 * MINUTE_MS, untilMs: NOW_MS - 30_000 },
  { sinceMs: SINCE_MS - 9 * HOUR_MS, untilMs: SINCE_MS - 6 * HOUR_MS },
  { sinceMs: SINCE_MS, untilMs: SINCE_MS + MINUTE_MS },
];

for (const dialect of [bingx, upbit, poloniex, hitbtc, bitvavo]) {
  Deno.test(`${dialect.exchange}: every candle of the asked window is in the page`, async () => {
    await withExchange({ dialect }, async (exchange) => {
      for (const window of WINDOWS) {
        const rows = await fetchTimes(exchange, { dialect, text: "1m", window });
        const truth = exchange.truth("BTC/USDT", MINUTE, window).map((row) => row.openTimeMs);
        const inside = rows.filter((timeMs) => timeMs >= window.sinceMs && timeMs < window.untilMs);
        assert.deepEqual(inside.sort((a, b) => a - b), truth);
      }
    });
  });
}

Deno.test("upbit: a page of a hundred months reaches to its end, though CCXT counts 30 days for each", async () => {
  await withExchange({ dialect: upbit }, async (exchange) => {
    const window = { sinceMs: Date.UTC(2017, 8, 1), untilMs: Date.UTC(2024, 5, 1) };
    const times = await fetchTimes(exchange, { dialect: upbit, text: "1M", window });
    assert.equal(times[0], Date.UTC(2024, 4, 1));
    assert.equal(times.at(-1), Date.UTC(2017, 8, 1));
  });
});

for (
  const [dialect, path] of [[upbit, "/v1/market/all"], [hitbtc, "/api/3/public/symbol"]] as const
) {
  const { exchange: id } = dialect;
  Deno.test(`${id}: one list names the open markets, a closed one is neither in it nor has candles`, async () => {
    await withExchange({ dialect }, async (exchange) => {
      const client = await ccxtClient(id, exchange.url);
      exchange.symbols.delist("ADA/USDT");
      const markets = Object.values(await client.loadMarkets());
      assert.equal(markets.length, 9);
      assert.ok(
        markets.every(({ spot, active, symbol }) => spot && active && symbol !== "ADA/USDT"),
      );
      assert.deepEqual(exchange.requests.map((request) => request.path), [path]);
      exchange.symbols.delist("BTC/USDT");
      await assert.rejects(client.fetchOHLCV("BTC/USDT", "1m", SINCE_MS, 5), {
        name: id === "upbit" ? "ExchangeError" : "BadSymbol",
      });
    });
  });
}

Deno.test("upbit: the end is exclusive, one row comes unless told, 200 at most, newest first", async () => {
  await withExchange({ dialect: upbit }, async (exchange) => {
    const times = async (query: string): Promise<string[]> => {
      const url = `${exchange.url}/v1/candles/minutes/1?market=USDT-BTC&${query}`;
      const rows: { candle_date_time_utc: string }[] = await (await fetch(url)).json();
      return rows.map((row) => row.candle_date_time_utc);
    };
    const asked = await times("to=2024-06-01T11:02:00Z&count=2");
    assert.deepEqual(asked, ["2024-06-01T11:01:00", "2024-06-01T11:00:00"]);
    assert.deepEqual(await times("to=2024-06-01%2020:02:00%2B09:00"), ["2024-06-01T11:01:00"]);
    assert.deepEqual(await times(""), ["2024-06-01T12:00:00"]);
    assert.equal((await times("count=1000")).length, 200);
  });
});

Deno.test("upbit: older candles fill a page where some are missing", async () => {
  await withExchange({ dialect: upbit }, async (exchange) => {
    const [btc] = exchange.symbols.all();
    if (btc === undefined) throw new Error("the local exchange has markets");
    exchange.symbols.list({
      ...btc,
      holes: [{ sinceMs: SINCE_MS, untilMs: SINCE_MS + 3 * MINUTE_MS }],
    });
    const window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + 4 * MINUTE_MS };
    const times = await fetchTimes(exchange, { dialect: upbit, text: "1m", window });
    assert.deepEqual(times.map((timeMs) => (timeMs - SINCE_MS) / MINUTE_MS), [3, -1, -2, -3]);
  });
});

Deno.test("poloniex: a start alone gives the newest rows since then, a limit above 500 is refused", async () => {
  await withExchange({ dialect: poloniex }, async (exchange) => {
    const url = `${exchange.url}/markets/BTC_USDT/candles?interval=MINUTE_1`;
    const rows: unknown[][] = await (await fetch(`${url}&startTime=${SINCE_MS}&limit=3`)).json();
    assert.deepEqual(rows.map((row) => (Number(row[12]) - SINCE_MS) / MINUTE_MS), [58, 59, 60]);
    assert.ok(rows.every((row) => row.length === 14 && Number(row[0]) <= Number(row[1])));
    const refused = await fetch(`${url}&limit=501`);
    assert.deepEqual([refused.status, (await refused.json()).code], [400, 24104]);
  });
});

Deno.test("hitbtc: rows are sorted before they are counted, newest first unless asked", async () => {
  await withExchange({ dialect: hitbtc }, async (exchange) => {
    const minutes = async (query: string): Promise<number[]> => {
      const url = `${exchange.url}/api/3/public/candles/BTCUSDT?period=M1&limit=2&${query}`;
      const rows: { timestamp: string }[] = await (await fetch(url)).json();
      return rows.map(({ timestamp }) => (Date.parse(timestamp) - SINCE_MS) / MINUTE_MS);
    };
    const from = `from=${new Date(SINCE_MS).toISOString()}`;
    assert.deepEqual(await minutes(from), [60, 59]);
    assert.deepEqual(await minutes(`${from}&sort=ASC`), [0, 1]);
    assert.deepEqual(await minutes(`${from}&till=${SINCE_MS + 5 * MINUTE_MS}`), [5, 4]);
  });
});

Deno.test("bitvavo: the end decides which rows come, whatever the start says", async () => {
  await withExchange({ dialect: bitvavo }, async (exchange) => {
    const url = `${exchange.url}/v2/BTC-USDT/candles?interval=1m&start=${SINCE_MS}`;
    const minutes = async (query: string): Promise<number[]> => {
      const rows: [number][] = await (await fetch(`${url}&${query}`)).json();
      return rows.map(([timeMs]) => (timeMs - SINCE_MS) / MINUTE_MS);
    };
    assert.deepEqual(await minutes("limit=2"), [60, 59]);
    assert.deepEqual(await minutes(`limit=2&end=${SINCE_MS + 5 * MINUTE_MS}`), [5, 4]);
    const refused = await fetch(`${url}&limit=1441`);
    assert.deepEqual([refused.status, (await refused.json()).errorCode], [400, 205]);
  });
});

Deno.test("bingx: days open at Beijing's midnight unless the time zone is told", async () => {
  await withExchange({ dialect: bingx }, async (exchange) => {
    const hours = async (query: string): Promise<number[]> => {
      const path = "/openApi/spot/v1/market/kline?symbol=BTC-USDT&interval=1d&limit=2";
      const { data } = await (await fetch(`${exchange.url}${path}${query}`)).json();
      return data.map(([timeMs]: [number]) => new Date(timeMs).getUTCHours());
    };
    assert.deepEqual(await hours(""), [16, 16]);
    assert.deepEqual(await hours("&timeZone=0"), [0, 0]);
  });
});

const BANS: readonly (readonly [Dialect, number])[] = [[bingx, 429], [bitvavo, 403]];

for (const [dialect, status] of BANS) {
  Deno.test(`${dialect.exchange}: a ban is obeyed until the time that its text names`, async () => {
    await withExchange({ dialect }, async (exchange) => {
      const { client, list } = await open(exchange, dialect);
      exchange.faults.add({ when: { about: "candles" }, fault: { kind: "status", status } });
      const series = { exchange: dialect.exchange, symbol: "BTC/USDT", timeframe: MINUTE };
      await assert.rejects(client.fetchCandles(series, WINDOWS[0] as Window, { list }), (error) => {
        assert.ok(error instanceof FetchError);
        assert.deepEqual([error.kind, error.untilMs], ["rate_limited", NOW_MS + 120_000]);
        return true;
      });
    });
  });
}

/** Open times in the order in which they came, as the program asks for them. */
async function fetchTimes(
  exchange: LocalExchange,
  { dialect, text, window }: {
    readonly dialect: Dialect;
    readonly text: string;
    readonly window: Window;
  },
): Promise<number[]> {
  const { client, list } = await open(exchange, dialect);
  const timeframe = parseTimeframe(text);
  const series = { exchange: dialect.exchange, symbol: "BTC/USDT", timeframe };
  const { rows } = await client.fetchCandles(series, window, { list });
  return rows.map((row) => Number((row as readonly unknown[])[0]));
}

async function open(
  { proxyUrl }: LocalExchange,
  { exchange }: Dialect,
): Promise<{ readonly client: ExchangeClient; readonly list: MarketList }> {
  const client = await openExchange(exchange, { clock: STILL_CLOCK, proxyUrl });
  return { client, list: await client.loadMarkets() };
}
