/** The contracts of Bybit, OKX and Gate on the local exchange, read by the real CCXT classes. @module */
import assert from "node:assert/strict";
import { contract, fundingRates } from "../../lib/local_exchange/contract.ts";
import type { LocalCandle } from "../../lib/local_exchange/price_walk.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { bybit } from "../support/dialects/bybit.ts";
import {
  type CcxtRow,
  contractClient,
  type FetchCandles,
} from "../support/dialects/contract_client.ts";
import { type ContractExchange, contractMarkets } from "../support/dialects/contract_markets.ts";
import { gate } from "../support/dialects/gate.ts";
import { NOW_MS, withExchange } from "../support/dialects/local_client.ts";
import { okx } from "../support/dialects/okx.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import type { LocalExchange } from "../support/local_exchange/faulty_exchange.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

interface Voice {
  readonly id: ContractExchange;
  readonly dialect: Dialect;
  /** How many candles one answer holds, of trades and of other prices. */
  readonly rowsMax: number;
  readonly priceRowsMax: number;
  readonly prices: readonly ("mark" | "index" | "premium")[];
  /** What CCXT calls the size of a contract, where it is not that of the market. */
  readonly linearSize?: string;
  /** What CCXT takes of a candle: the base volume, or the contracts. */
  readonly volume: "base" | "contracts";
}

const VOICES: readonly Voice[] = [
  {
    ...{ id: "bybit", dialect: bybit, rowsMax: 1_000, priceRowsMax: 1_000, linearSize: "1" },
    ...{ prices: ["mark", "index", "premium"], volume: "base" },
  },
  {
    ...{ id: "okx", dialect: okx, rowsMax: 300, priceRowsMax: 100 },
    ...{ prices: ["mark", "index"], volume: "base" },
  },
  {
    ...{ id: "gate", dialect: gate, rowsMax: 1_999, priceRowsMax: 1_999 },
    ...{ prices: ["mark", "index"], volume: "contracts" },
  },
];

const FETCHES = {
  mark: "fetchMarkOHLCV",
  index: "fetchIndexOHLCV",
  premium: "fetchPremiumIndexOHLCV",
} as const;

for (const { id, dialect, linearSize, ...voice } of VOICES) {
  const symbols = contractMarkets(id);

  Deno.test(`${id}: CCXT loads contracts of both kinds with their size, settlement and expiry`, async () => {
    await withExchange({ dialect, symbols }, async (exchange) => {
      const markets = await (await contractClient(id, exchange.url)).loadMarkets();
      const known = symbols.map(({ symbol }) => {
        const market = markets[symbol];
        assert.ok(market !== undefined, symbol);
        const { settle, linear, inverse, contractSize, expiry, swap, active } = market;
        return { symbol, settle, linear, inverse, contractSize, expiry, swap, active };
      });
      const expected = symbols.map(({ symbol, contract }) => ({
        symbol,
        settle: contract?.settle,
        linear: contract?.kind === "linear",
        inverse: contract?.kind === "inverse",
        contractSize: contract?.kind === "linear" && linearSize !== undefined
          ? linearSize
          : String(contract?.size),
        expiry: contract?.expiryMs,
        swap: contract?.expiryMs === undefined,
        active: true,
      }));
      assert.deepEqual(known, expected);
    });
  });

  Deno.test(`${id}: candles of every kind and price are the true ones, page after page`, async () => {
    await withExchange({ dialect, symbols }, async (exchange) => {
      const client = await contractClient(id, exchange.url);
      for (const { symbol, contract } of symbols) {
        const trades = { symbol, fetch: "fetchOHLCV", rowsMax: voice.rowsMax } as const;
        const others = voice.prices
          // Bybit has a premium index of linear perpetuals alone.
          .filter((price) => price !== "premium" || contract?.kind === "linear")
          .map((price) => ({
            symbol: `${symbol}@${price}`,
            fetch: FETCHES[price],
            rowsMax: voice.priceRowsMax,
          }));
        for (const asked of [trades, ...others]) {
          const isContracts = asked === trades && voice.volume === "contracts";
          for (const text of ["1m", "1h"]) {
            const rows = await pages(client, { ...asked, market: symbol, text });
            const truth = trueCandles(exchange, { ...asked, text });
            const expected = truth.map((row) => [
              row.openTimeMs,
              ...[row.open, row.high, row.low, row.close].map(Number),
              asked === trades
                ? (isContracts ? contractsOf(row, symbol) : Number(row.volume))
                : NaN,
            ]);
            assert.deepEqual(
              rows.map((row) => row.map(Number)),
              expected,
              `${asked.symbol} ${text}`,
            );
          }
        }
      }
    });
  });

  Deno.test(`${id}: the rates of a perpetual are those that were paid, and a dated future has none`, async () => {
    await withExchange({ dialect, symbols }, async (exchange) => {
      const client = await contractClient(id, exchange.url);
      for (const market of symbols) {
        const { symbol, contract } = market;
        const sinceMs = NOW_MS - 30 * DAY_MS;
        if (contract?.expiryMs !== undefined) {
          const asked = client.fetchFundingRateHistory(symbol, sinceMs, 100);
          if (id === "bybit") assert.deepEqual(await asked, []);
          else await assert.rejects(asked);
          continue;
        }
        const rates = await client.fetchFundingRateHistory(symbol, sinceMs, 100);
        const truth = fundingRates(market, { sinceMs, untilMs: NOW_MS }, NOW_MS);
        assert.equal(truth.length, 90);
        assert.deepEqual(
          rates.map(({ timestamp, fundingRate }) => [timestamp, Number(fundingRate)]),
          truth.map(({ timeMs, rate }) => [timeMs, Number(rate)]),
        );
      }
    });
  });

  Deno.test(`${id}: tickers of contracts have a last price, and none is taken for another market's`, async () => {
    await withExchange({ dialect, symbols }, async (exchange) => {
      const client = await contractClient(id, exchange.url);
      await client.loadMarkets();
      const perpetuals = symbols.filter(({ contract }) =>
        contract?.expiryMs === undefined && contract?.kind === "linear"
      );
      const tickers = await client.fetchTickers(perpetuals.map(({ symbol }) => symbol));
      for (const { symbol, price } of perpetuals) {
        const level = Number(tickers[symbol]?.last) / price;
        assert.ok(level > 0.4 && level < 2.5, `${symbol} ${level}`);
      }
    });
  });
}

Deno.test("bybit: a list of contracts comes in pages, and those no longer traded only by their status", async () => {
  await withExchange({ dialect: bybit, symbols: contractMarkets("bybit") }, async (exchange) => {
    exchange.symbols.delist("ETH/USDT:USDT");
    const list = async (query: string): Promise<[string[], string]> => {
      const url = `${exchange.url}/v5/market/instruments-info?category=linear&${query}`;
      const { list, nextPageCursor } = (await json(url)).result;
      return [list.map(({ symbol }: { symbol: string }) => symbol), nextPageCursor];
    };
    const [first, next] = await list("limit=1");
    assert.deepEqual(first, ["BTCUSDT"]);
    assert.deepEqual(await list(`limit=1&cursor=${next}`), [["BTCUSDT-27DEC24"], ""]);
    assert.deepEqual(await list("status=Closed"), [["ETHUSDT"], ""]);
  });
});

Deno.test("bybit: inverse candles have dollars before coins, other prices have neither, newest come first", async () => {
  await withExchange({ dialect: bybit, symbols: contractMarkets("bybit") }, async (exchange) => {
    const sinceMs = NOW_MS - 90_000 - HOUR_MS;
    const ask = async (endpoint: string, query: string): Promise<string[][]> => {
      const url = `${exchange.url}/v5/market/${endpoint}?interval=1&start=${sinceMs}&${query}`;
      const { retCode, result } = await json(url);
      return retCode === 0 ? result.list : [["problem"]];
    };
    const inverse = "category=inverse&symbol=BTCUSD&limit=2";
    const window = { sinceMs, untilMs: sinceMs + 2 * MINUTE_MS };
    const truth = exchange.truth("BTC/USD:BTC", parseTimeframe("1m"), window).toReversed();
    const rows = await ask("kline", inverse);
    assert.deepEqual(
      rows.map((row) => [Number(row[0]), Number(row[5]), Number(row[6])]),
      truth.map((row) => [row.openTimeMs, Number(row.quoteVolume), Number(row.volume)]),
    );
    assert.ok(rows.every(([, , , , , dollars]) => /^\d+$/.test(dollars ?? "")));
    for (const price of ["mark", "index"]) {
      assert.ok((await ask(`${price}-price-kline`, inverse)).every(({ length }) => length === 5));
    }
    assert.deepEqual(await ask("premium-index-price-kline", inverse), [["problem"]]);
    // Without a category it is linear.
    assert.equal((await ask("premium-index-price-kline", "symbol=BTCUSDT")).length, 62);
  });
});

Deno.test("bybit: rates are counted back from an end, which has to be said when a start is", async () => {
  const hourly = contract("SOL/USDT:USDT", {
    ...{ tickDecimals: 2, price: 140, quoteVolume24h: 1_000_000, size: 0.1 },
    fundingMs: HOUR_MS,
  });
  await withExchange({ dialect: bybit, symbols: [hourly] }, async (exchange) => {
    const sinceMs = NOW_MS - 30_000 - 400 * HOUR_MS;
    const hours = async (query: string): Promise<number[] | string> => {
      const url = `${exchange.url}/v5/market/funding/history?category=linear&symbol=SOLUSDT`;
      const { retCode, retMsg, result } = await json(`${url}&${query}`);
      if (retCode !== 0) return retMsg;
      return result.list.map(({ fundingRateTimestamp }: { fundingRateTimestamp: string }) =>
        (Number(fundingRateTimestamp) - sinceMs) / HOUR_MS
      );
    };
    assert.match(String(await hours(`startTime=${sinceMs}`)), /endTime/);
    assert.deepEqual(await hours(`startTime=${sinceMs}&endTime=${sinceMs + 2 * HOUR_MS}`), [
      2,
      1,
      0,
    ]);
    const all = await hours(`startTime=${sinceMs}&endTime=${NOW_MS}&limit=1000`);
    // The start has moved: the oldest 201 of a range of 401 are left out without a word.
    assert.deepEqual([all.length, all[0], all.at(-1)], [200, 400, 201]);
    // CCXT asks for as much as fits, by the interval that the list says (ccxt#27745), but its end counts too: the rate
    // at the start itself is left out unless an end before it is said.
    const client = await contractClient("bybit", exchange.url);
    const first = async (params: Readonly<Record<string, number>>): Promise<number | undefined> =>
      (await client.fetchFundingRateHistory("SOL/USDT:USDT", sinceMs, 100, params))[0]?.timestamp;
    assert.equal(await first({}), sinceMs + HOUR_MS);
    assert.equal(await first({ until: sinceMs + 100 * HOUR_MS - 1 }), sinceMs);
  });
});

Deno.test("okx: other prices come in hundreds and say whether they are closed where volumes would be", async () => {
  await withExchange({ dialect: okx, symbols: contractMarkets("okx") }, async (exchange) => {
    const rows = async (endpoint: string, id: string): Promise<string[][]> => {
      const url = `${exchange.url}/api/v5/market/${endpoint}?instId=${id}&bar=1m&limit=300`;
      return (await json(url)).data;
    };
    for (const history of ["", "history-"]) {
      const mark = await rows(`${history}mark-price-candles`, "BTC-USD-SWAP");
      const index = await rows(`${history}index-candles`, "BTC-USD");
      for (const prices of [mark, index]) {
        assert.equal(prices.length, 100);
        assert.deepEqual(prices.slice(0, 2).map((row) => [row.length, row[5]]), [[6, "0"], [
          6,
          "1",
        ]]);
      }
      // An index is not that of one contract.
      assert.equal(
        await rows(`${history}index-candles`, "BTC-USD-SWAP").then((all) => all.length),
        0,
      );
    }
    const [trade] = await rows("candles", "BTC-USDT-SWAP");
    assert.equal(trade?.length, 9);
    assert.equal(
      Number(trade?.[5]) / 100,
      Number(trade?.[6]),
      "contracts of a hundredth, then base",
    );
  });
});

Deno.test("okx: rates are kept for three months, and the one predicted is not the one that was paid", async () => {
  await withExchange({ dialect: okx, symbols: contractMarkets("okx") }, async (exchange) => {
    const path = "/api/v5/public/funding-rate-history?instId=BTC-USDT-SWAP";
    const ask = async (query: string): Promise<Record<string, string>[]> =>
      (await json(`${exchange.url}${path}&${query}`)).data;
    const old = await ask(`before=${NOW_MS - 300 * DAY_MS}`);
    assert.equal(old.length, 3 * 92);
    const [newest, next] = old;
    assert.ok(Number(newest?.["fundingTime"]) > Number(next?.["fundingTime"]));
    assert.notEqual(newest?.["fundingRate"], newest?.["realizedRate"]);
    const after = await ask(`after=${next?.["fundingTime"]}&limit=1`);
    assert.deepEqual(after.map((row) => row["fundingTime"]), [old[2]?.["fundingTime"]]);
  });
});

Deno.test("gate: contracts have ranges of 2000, a refusal of their own for what is too old, whole contracts", async () => {
  await withExchange({ dialect: gate, symbols: contractMarkets("gate") }, async (exchange) => {
    const ask = async (contract: string, query: string): Promise<[number, unknown]> => {
      const url = `${exchange.url}/api/v4/futures/usdt/candlesticks?contract=${contract}`;
      const response = await fetch(`${url}&interval=1m&${query}`);
      return [response.status, await response.json()];
    };
    const from = (NOW_MS - 30_000 - 5 * DAY_MS) / 1_000;
    const range = (lengths: number): string => `from=${from}&to=${from + 60 * lengths}`;
    const [, rows] = await ask("BTC_USDT", range(1_999));
    assert.equal((rows as unknown[]).length, 2_000);
    const [first] = rows as [Record<string, unknown>];
    assert.deepEqual(Object.keys(first).sort(), ["c", "h", "l", "o", "sum", "t", "v"]);
    assert.ok(Number.isInteger(first["v"]));
    const [, [mark]] = await ask("mark_BTC_USDT", range(1)) as [number, [Record<string, unknown>]];
    assert.deepEqual(Object.keys(mark).sort(), ["c", "h", "l", "o", "t"]);
    const refusals = [range(2_000), `from=${from - 7 * 24 * 3_600}`, `${range(5)}&limit=5`];
    const told = await Promise.all(refusals.map((query) => ask("BTC_USDT", query)));
    assert.deepEqual(
      told.map(([status, body]) => [status, (body as { message: string }).message]),
      [
        [400, "Candlestick range too broad. Maximum 2000 data points are allowed per request"],
        [400, "Candlestick too long ago. Maximum 10000 points recently are allowed"],
        [400, "Invalid request parameter `limit` value: 5"],
      ],
    );
    assert.equal((await ask("premium_BTC_USDT", range(1)))[0], 400);
  });
});

Deno.test("gate: rates come newest first, a hundred unless told, in whole seconds", async () => {
  await withExchange({ dialect: gate, symbols: contractMarkets("gate") }, async (exchange) => {
    const ask = async (query: string): Promise<{ t: number; r: string }[]> =>
      await json(`${exchange.url}/api/v4/futures/btc/funding_rate?contract=BTC_USD&${query}`);
    const [newest, next, ...others] = await ask("");
    assert.equal(others.length, 98);
    assert.ok(newest !== undefined && next !== undefined);
    assert.equal(newest.t - next.t, 8 * 3_600);
    assert.deepEqual(await ask(`from=${next.t}&to=${newest.t}`), [newest, next]);
    assert.deepEqual(await ask(`from=${next.t - 30 * 86_400}&limit=1`), [newest]);
  });
});

/** Three pages of candles that end in the past, each asked as the archive asks for it. */
async function pages(
  client: Readonly<Record<FetchCandles, typeof fetchOne>>,
  { market, fetch, text, rowsMax }: {
    readonly market: string;
    readonly fetch: FetchCandles;
    readonly text: string;
    readonly rowsMax: number;
  },
): Promise<CcxtRow[]> {
  const rows: CcxtRow[] = [];
  for (const { sinceMs } of windows({ text, rowsMax })) {
    rows.push(...await client[fetch](market, text, sinceMs, pageRows(rowsMax)));
  }
  return rows;
}

declare function fetchOne(
  symbol: string,
  timeframe?: string,
  since?: number,
  limit?: number,
): Promise<CcxtRow[]>;

function windows({ text, rowsMax }: { readonly text: string; readonly rowsMax: number }): {
  readonly sinceMs: number;
  readonly untilMs: number;
}[] {
  const lengthMs = text === "1m" ? MINUTE_MS : HOUR_MS;
  const untilMs = Math.floor(NOW_MS / HOUR_MS) * HOUR_MS;
  const rows = pageRows(rowsMax);
  return [3, 2, 1].map((page) => ({
    sinceMs: untilMs - page * rows * lengthMs,
    untilMs: untilMs - (page - 1) * rows * lengthMs,
  }));
}

/** Whole pages where they are small. */
function pageRows(rowsMax: number): number {
  return Math.min(rowsMax, 300);
}

function trueCandles(
  exchange: LocalExchange,
  { symbol, ...page }: { readonly symbol: string; readonly text: string; readonly rowsMax: number },
): LocalCandle[] {
  return windows(page).flatMap((window) =>
    exchange.truth(symbol, parseTimeframe(page.text), window)
  );
}

/** Whole contracts of a candle. */
function contractsOf(row: LocalCandle, symbol: string): number {
  const [size, traded] = symbol.endsWith(":BTC")
    ? [1, row.quoteVolume]
    : [symbol.startsWith("BTC") ? 0.0001 : 0.01, row.volume];
  return Math.round(Number(traded) / size);
}

// deno-lint-ignore no-explicit-any -- each exchange's answer has its own shape, which the test then states
async function json(url: string): Promise<any> {
  return await (await fetch(url)).json();
}
