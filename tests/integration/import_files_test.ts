/** Files as exchanges and their users write them: each is read for what it is, or refused with nothing stored. @module */
import { gzipSync } from "node:zlib";
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
  utf16,
} from "../support/file_candles.ts";
import { type FileCase, importAll } from "../support/file_cases.ts";

const BTC = ["kraken", "BTC/USD", "1m"];
const SHAPES: readonly FileCase[] = [
  {
    name: "a download that broke off in a row",
    file: text(...M.map((row) => binance(row, MINUTE_MS))).slice(0, -60),
    as: ["binance", "BTC/USDT", "1m"],
    refused: /line 60 of .*it has \d+ fields, 12 are expected/,
  },
  {
    name: "a download that broke off in the last value",
    file: text(PLAIN, ...M.map(plain)).slice(0, -3),
    as: BTC,
    stored: M.slice(0, 59),
  },
  {
    name: "a file whose last line has no end, but is whole",
    file: text(PLAIN, ...M.map(plain)).slice(0, -1),
    as: BTC,
    stored: M,
  },
  {
    name: "an address before the head, the newest row first",
    file: text(
      "https://www.CryptoDataDownload.com",
      "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT,tradecount",
      ...H.map(({ t, o, h, l, c, v, q }) =>
        `${t},${day(t)} ${clock(t)}:00,BTCUSDT,${o},${h},${l},${c},${v},${q},7`
      ).reverse(),
    ),
    as: ["binance", "BTC/USDT", "1h"],
    stored: H,
  },
  {
    name: "NaN where nothing was traded",
    file: text(
      "Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price",
      ...M.map(({ t, o, h, l, c, v, q }, n) =>
        `${t / 1000},${n % 6 === 0 ? [o, h, l, c, v, q, o].join() : Array(7).fill("NaN").join()}`
      ),
    ),
    as: ["bitstamp", "BTC/USD", "1m"],
    stored: M.filter((_, n) => n % 6 === 0),
  },
  {
    name: "three lines of head, the close first",
    file: text(
      "Price,Close,High,Low,Open,Volume",
      "Ticker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD",
      "Date,,,,,",
      ...D.map(({ t, o, h, l, c, v }) => [day(t), c, h, l, o, v].join()),
    ),
    as: ["coinbase", "BTC/USD", "1d"],
    stored: D,
  },
  {
    name: "gzip of two members under another name",
    file: new Uint8Array([
      ...gzipSync(text(PLAIN, ...M.slice(0, 30).map(plain))),
      ...gzipSync(text(...M.slice(30).map(plain))),
    ]),
    as: BTC,
    stored: M,
  },
  {
    name: "gzip that was cut",
    file: new Uint8Array(gzipSync(text(PLAIN, ...M.map(plain)))).slice(0, -20),
    as: BTC,
    refused: /unexpected end of file/i,
  },
  {
    name: "UTF-16 of a spreadsheet",
    file: utf16(text(PLAIN, ...M.map(plain)).replaceAll("\n", "\r\n")),
    as: BTC,
    stored: M,
  },
  ...([
    ["an old workbook", latin1("\xd0\xcf\x11\xe0\0"), /it is an Excel workbook \(\.xls\): save/],
    ["PDF", latin1("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), /it is a PDF document: save it as CSV/],
    ["a web page", "\n<!DOCTYPE html>\n<html>a,b", /it is an HTML page, .*: download it again$/],
    ["tar in gzip", gzipSync(`${"a.csv".padEnd(257, "\0")}ustar\0`), /it is a tar archive: unpack/],
    ["Latin-1", latin1("time,open,h\xf6chst\n"), /it is not text in UTF-8 or UTF-16\. Save it as/],
    [
      "a line of prose",
      "no candles here\n",
      /it has no columns separated by comma, semicolon or tab/,
    ],
  ] as const).map(([name, file, refused]) => ({
    name,
    file: typeof file === "string" ? file : new Uint8Array(file),
    as: BTC,
    refused,
  })),
  {
    name: "control bytes in the head",
    file: text(`\x1b]0;title\x07\x1b[31m${PLAIN}`, ...M.map(plain)),
    as: BTC,
    refused: /line 1 of .*it has control characters/,
  },
  { name: "a head alone", file: text(PLAIN), as: BTC, refused: /it has no rows/ },
];

/** One byte a character. */
function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Contracts of 100 dollars; the turnover of them is in the base currency. */
const inverse = ({ t, o, h, l, c, v, q }: FileCandle): string =>
  `${t},${o},${h},${l},${c},${Math.round(Number(q) / 100 * 1e6) / 1e6},${t + MINUTE_MS - 1},${v}`;

const VOLUMES: readonly FileCase[] = [
  {
    name: "contracts, and what they are worth in the base currency",
    file: text(`open_time,open,high,low,close,volume,close_time,quote_volume`, ...M.map(inverse)),
    as: ["binancecoinm", "BTC/USD:BTC", "1m"],
    stored: M,
  },
  {
    name: "the same without names",
    file: text(...M.map(inverse)),
    as: ["binancecoinm", "BTC/USD:BTC", "1m"],
    stored: M,
  },
  {
    name: "contracts as if they were coins",
    file: text(
      "open_time,open,high,low,close,volume,quote_volume",
      ...M.map(({ t, o, h, l, c, v, q }) => [t, o, h, l, c, Number(v) * 100, q].join()),
    ),
    as: ["binance", "BTC/USDT:USDT", "1m"],
    refused: /its volume counts contracts of 0\.01/,
  },
  {
    name: "turnover before volume",
    file: text(...M.map(({ t, o, h, l, c, v, q }) => [t / 1000, o, h, l, c, q, v, 69].join())),
    as: ["htx", "BTC/USDT", "1m"],
    stored: M,
  },
  {
    name: "open, close, high, low, and turnover before volume",
    file: text(...M.map(({ t, o, h, l, c, v, q }) => [t / 1000, o, c, h, l, q, v].join())),
    as: ["htx", "BTC/USDT", "1m"],
    stored: M,
  },
  {
    name: "low, high, open, close, the newest first",
    file: text(...M.map(({ t, o, h, l, c, v }) => [t / 1000, l, h, o, c, v].join()).reverse()),
    as: ["coinbase", "BTC/USD", "1m"],
    stored: M,
  },
  {
    name: "close before open in a few rows",
    file: text(...M.slice(0, 5).map(({ t, o, h, l, c, v }) => [t, o, c, h, l, v].join())),
    as: ["bitfinex", "BTC/USD", "1m"],
    refused: /open and close cannot be told apart\. Name them with --columns/,
  },
  {
    name: "an average price before the volume",
    file: text(...M.map(({ t, o, h, l, c, v }) => [t, o, h, l, c, o, v, 9].join())),
    as: BTC,
    refused: /several may be the volume|looks like an average price/,
  },
  {
    name: "turnover and no volume",
    file: text(...M.map(({ t, o, h, l, c, q }) => [t / 1000, q, c, h, l, o].join())),
    as: ["gate", "BTC/USDT", "1m"],
    refused: /base volume is not among them.*--columns time,volume,close,high,low,open/,
  },
  {
    name: "columns that the user names",
    file: text(...M.map(({ t, o, h, l, c, v }) => [t / 1000, 9, c, h, l, o, v].join())),
    as: ["gate", "BTC/USDT", "1m", "--columns", "time,-,close,high,low,open,volume"],
    stored: M,
  },
];

Deno.test("a file is taken for what it is, or refused and nothing of it stored", async (t) => {
  await importAll(t, [...SHAPES, ...VOLUMES]);
});
