/** What a file says in words, of its exchange, its market and its prices, is believed; few rows prove no volume. @module */
import assert from "node:assert/strict";
import {
  binance,
  clock,
  D,
  day,
  type FileCandle,
  H,
  M,
  MINUTE_MS,
  PLAIN,
  plain,
  text,
} from "../support/file_candles.ts";
import { type FileCase, importAll } from "../support/file_cases.ts";
import { runInProcess } from "../support/shell.ts";

const JESSE = "id,timestamp,open,close,high,low,volume,exchange,symbol,timeframe";
const jesse = (exchange: string) => ({ t, o, h, l, c, v }: FileCandle, n: number): string =>
  `0b5cf8f4-${n},${t},${o},${c},${h},${l},${v},${exchange},BTC-USDT,1m`;
const said = (name: string, says: string): string =>
  text(`${PLAIN},${name}`, ...M.map((row) => `${plain(row)},${says}`));

const WORDS: readonly FileCase[] = [
  {
    name: "Jesse's candles of perpetual futures are none of the spot market",
    file: text(JESSE, ...M.map(jesse("Binance Perpetual Futures"))),
    as: ["binance", "BTC/USDT", "1m"],
    refused: /the file holds Binance Perpetual Futures BTC-USDT 1m, which is another series/,
  },
  {
    name: "Jesse's candles of perpetual futures are those of the contract",
    file: text(JESSE, ...M.map(jesse("Binance Perpetual Futures"))),
    as: ["binance", "BTC/USDT:USDT", "1m"],
    stored: M,
  },
  {
    name: "Jesse's candles of a spot market are none of the contract",
    file: text(JESSE, ...M.map(jesse("Binance Spot"))),
    as: ["binance", "BTC/USDT:USDT", "1m"],
    refused: /the file holds Binance Spot BTC-USDT 1m, which is another series/,
  },
  {
    name: "an exchange whose name begins with another's is that exchange",
    file: text(JESSE, ...M.map(jesse("Binance US Spot"))),
    as: ["binanceus", "BTC/USDT", "1m"],
    stored: M,
  },
  ...["OKEX", "FTX", "Coinbase Pro", "binance-futures"].map((name) => ({
    name: `candles of ${name} are none of Binance's spot market`,
    file: said("exchange", name),
    as: ["binance", "BTC/USDT", "1m"],
    refused: /which is another series/,
  })),
  {
    name: "an exchange's former name is that exchange",
    file: said("exchange", "OKEX"),
    as: ["okx", "BTC/USDT", "1m"],
    stored: M,
  },
  ...["linear", "USDT perpetual", "futures"].map((says) => ({
    name: `a column that says ${says} is of no spot market`,
    file: said("market_type", says),
    as: ["binance", "BTC/USDT", "1m"],
    refused: /line 2 says .+, and BTC\/USDT is a symbol of a spot market/,
  })),
  {
    name: "a column that says spot is of no contract",
    file: said("category", "spot"),
    as: ["binance", "BTC/USDT:USDT", "1m"],
    refused: /line 2 says spot, and BTC\/USDT:USDT is a symbol of a contract/,
  },
  {
    name: "mark prices that a column names are no trades",
    file: said("price_type", "mark"),
    as: ["binance", "BTC/USDT:USDT", "1m"],
    refused: /line 2 is of the mark price: its symbol ends with @mark/,
  },
  {
    name: "rows of two assets that a number tells apart are no series",
    file: text(
      "time,Asset_ID,open,high,low,close,volume",
      ...M.map((row, n) => plain(row).replace(",", `,${n % 2},`)),
    ),
    as: ["binance", "BTC/USDT", "1m"],
    refused: /column 2 says "0" and, in line 3, "1": the file holds several instruments/,
  },
];

const VOLUMES: readonly FileCase[] = [
  {
    name: "three rows are enough to see that turnover and volume are exchanged",
    file: text(
      "date,high,low,open,close,volume,quoteVolume,weightedAverage",
      ...M.slice(0, 3).map(({ t, o, h, l, c, v, q }) => [t, h, l, o, c, q, v, o].join()),
    ),
    as: ["poloniex", "ETH/BTC", "1m"],
    refused: /its turnover, column 7, divided by its volume, column 6, is no price of the candle/,
  },
  {
    name: "three rows of an inverse contract do not make its contracts coins",
    file: text(
      ...M.slice(0, 3).map((row) => binance({ ...row, v: "61", q: row.v }, MINUTE_MS)),
    ),
    as: ["binance", "BTC/USD:BTC", "1m"],
    refused: /the sixth is not the volume in the base currency/,
  },
  {
    name: "no source is proposed that has prices where the file has the time of day",
    file: text(
      ...M.map(({ t, o, h, l, c }) =>
        `${day(t).replaceAll("-", ".")},${clock(t)},${o},${h},${l},${c},17`
      ),
    ),
    as: ["kraken", "BTC/USD", "1m"],
    refused: /it does not name its columns, and the first six are not time(?!.*--preset)/,
  },
  {
    name: "Gate's columns with names are its turnover, too",
    file: text(
      "time,volume,close,high,low,open",
      ...M.map(({ t, o, h, l, c, q }) => [t, q, c, h, l, o].join()),
    ),
    as: ["gate", "BTC/USDT", "1m"],
    refused: /gate's volume is turnover, and nothing in the file proves another meaning/,
  },
];

const NAMED: readonly FileCase[] = [
  {
    name: "Yahoo's whole dollars are no volume, also without adjusted closes",
    path: "BTC-USD.csv",
    file: text(
      "Date,Open,High,Low,Close,Volume",
      ...D.map(({ t, o, h, l, c, q }) => [day(t), o, h, l, c, Math.round(Number(q) * 1e6)].join()),
    ),
    as: ["coinbase", "BTC/USD", "1d"],
    refused: /Yahoo's volumes of coins are turnover .+ --volume-unit base/,
  },
  {
    name: "a file of Coinbase that has the same name and head is taken",
    path: "BTC-USD.csv",
    file: text(
      "Date,Open,High,Low,Close,Volume",
      ...D.map(({ t, o, h, l, c, v }) => [day(t), o, h, l, c, v].join()),
    ),
    as: ["coinbase", "BTC/USD", "1d"],
    stored: D,
  },
  ...["ETHUSDT-1m-2024-03 (1).csv", "ETHUSDT-1m-2024-03(2).csv", "ETHUSDT-1m-2024-03.csv.zst"].map(
    (path) => ({
      name: `a file named ${path} is of ETH`,
      path,
      file: text(...M.map((row) => binance(row, MINUTE_MS))),
      as: ["binance", "BTC/USDT", "1m"],
      refused: /the file's name says ETHUSDT/,
    }),
  ),
  {
    name: "TradingView's name without .P may be a contract's",
    path: "BYBIT_BTCUSD, 60.csv",
    file: text("time,open,high,low,close,Volume", ...H.map(plain)),
    as: [],
    refused: /the exchange is missing/,
  },
];

Deno.test("what a file says in words of its series is believed", async (t) => {
  await importAll(t, WORDS);
});

Deno.test("a volume that few rows or its name alone do not prove is refused", async (t) => {
  await importAll(t, VOLUMES);
});

Deno.test("a name of a file proves what its columns leave open", async (t) => {
  await importAll(t, NAMED);
});

Deno.test("--dry-run says in which time zone a source writes its times", async () => {
  const folder = await Deno.makeTempDir({ prefix: "titan10-words-" });
  try {
    const file = text(
      "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD",
      ...H.map(({ t, o, h, l, c, v, q }) =>
        [`${day(t)} ${clock(t)}`, "BTCUSD", o, h, l, c, v, q].join()
      ),
    );
    await Deno.writeTextFile(`${folder}/Coinbase_BTCUSD_1h.csv`, file);
    const env = { DATA_DIR: `${folder}/data`, BACKFILL: "off" };
    const { stdout } = await runInProcess(["import", "--dry-run", folder], env);
    assert.match(stdout, /text without a time zone, as of UTC/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
