/** Files of several instruments, of another timeframe, with times that are none: never a wrong candle. @module */
import {
  BEGIN_MS,
  binance,
  candles,
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

const BTC = ["kraken", "BTC/USD", "1m"];
const OKX = "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm";
const okx = (name: string, row: FileCandle, confirm = 1): string =>
  `${name},${row.o},${row.h},${row.l},${row.c},${row.v},${row.q},${row.q},${row.t},${confirm}`;
/** Contracts of a hundredth. */
const swap = (name: string, { o, h, l, c, v, q, t }: FileCandle): string =>
  `${name},${o},${h},${l},${c},${Number(v) * 100},${v},${q},${t},1`;
const INSTRUMENTS: readonly FileCase[] = [
  {
    name: "a candle that is still forming",
    file: text(OKX, ...M.map((row, n) => okx("BTC-USDT", row, n < 59 ? 1 : 0))),
    as: ["okx", "BTC/USDT", "1m"],
    stored: M.slice(0, 59),
  },
  {
    name: "candles that were still forming in the middle of a complete file are not covered",
    file: text(OKX, ...M.map((row, n) => okx("BTC-USDT", row, [20, 21, 40].includes(n) ? 0 : 1))),
    as: ["okx", "BTC/USDT", "1m", "--complete"],
    stored: M.filter((_, n) => ![20, 21, 40].includes(n)),
    covered: ["00:00/00:20", "00:22/00:40", "00:41/01:00"],
  },
  {
    name: "what a complete file lacks is covered, also where it was still forming and came later",
    file: text(
      OKX,
      ...M.flatMap((row, n) =>
        n === 30
          ? []
          : n === 20
          ? [okx("BTC-USDT", { ...row, c: row.o }, 0), okx("BTC-USDT", row)]
          : [okx("BTC-USDT", row)]
      ),
    ),
    as: ["okx", "BTC/USDT", "1m", "--complete"],
    stored: M.filter((_, n) => n !== 30),
    covered: ["00:00/01:00"],
  },
  {
    name: "a complete file whose last line may be cut covers nothing after its last whole row",
    file: text(PLAIN, ...M.slice(0, 30).map(plain)) + plain(M[30]!).slice(0, -2),
    as: [...BTC, "--complete", "--until", "2024-03-01T00:45Z"],
    stored: M.slice(0, 30),
    covered: ["00:00/00:30"],
  },
  {
    name: "a complete file whose last candle was still forming covers nothing after the one before",
    file: text(OKX, ...M.slice(0, 30).map((row, n) => okx("BTC-USDT", row, n < 29 ? 1 : 0))),
    as: ["okx", "BTC/USDT", "1m", "--complete", "--until", "2024-03-01T00:45Z"],
    stored: M.slice(0, 29),
    covered: ["00:00/00:29"],
  },
  {
    name: "two futures, every other minute each",
    file: text(OKX, ...M.map((row, n) => swap(`BTC-USDT-24${n % 2 === 0 ? "09" : "12"}27`, row))),
    as: ["okx", "BTC/USDT:USDT-240927", "1m"],
    stored: M.filter((_, n) => n % 2 === 0),
  },
  {
    name: "futures that are all others",
    file: text(OKX, ...M.map((row, n) => swap(`BTC-USDT-24${n % 2 === 0 ? "09" : "12"}27`, row))),
    as: ["okx", "BTC/USDT:USDT", "1m"],
    refused: /BTC-USDT-240927 and BTC-USDT-241227.*--instrument/,
  },
  {
    name: "an instrument picked by its own name",
    file: text(
      `pair,${PLAIN}`,
      ...M.flatMap((row) => [`XXBTZUSX,${plain(row)}`, `A,${plain(row)}`]),
    ),
    as: [...BTC, "--instrument", "XXBTZUSX"],
    stored: M,
  },
  {
    name: "two coins that only their values tell apart",
    file: text(PLAIN, ...M.map(plain), ...candles(60, MINUTE_MS, 90).map(plain)),
    as: BTC,
    refused: /line 62 is a second row for 2024-03-01T00:00:00.000Z, with other values/,
  },
  {
    name: "two coins in a column that nobody knows, at different times",
    file: text(`${PLAIN},which`, ...M.map((row, n) => `${plain(row)},${n < 30 ? "BTC" : "ETH"}`)),
    as: BTC,
    refused: /column 7 says "BTC" and, in line 32, "ETH": the file holds several/,
  },
  {
    name: "another coin than the one that is meant",
    file: text(`ticker,${PLAIN}`, ...M.map((row) => `ETHUSD,${plain(row)}`)),
    as: BTC,
    refused: /the file holds ETHUSD, which is another series/,
  },
  {
    name: "a forming candle, and the same once it had closed",
    file: text(
      OKX,
      ...M.flatMap((row) => [okx("BTC-USDT", { ...row, c: row.o }, 0), okx("BTC-USDT", row)]),
    ),
    as: ["okx", "BTC/USDT", "1m"],
    stored: M,
  },
  {
    name: "another coin in a column of the base",
    file: text(`coin,${PLAIN}`, ...M.map((row) => `ETH,${plain(row)}`)),
    as: BTC,
    refused: /line 2 is of "ETH", not of BTC/,
  },
  {
    name: "two files joined, whose rows overlap and say the same",
    file: text(PLAIN, ...M.slice(0, 40).map(plain), PLAIN, ...M.slice(30).map(plain)),
    as: BTC,
    stored: M,
  },
];

const TIMES: readonly FileCase[] = [
  {
    name: "half hours as hours",
    file: text(...candles(40, 30 * MINUTE_MS).map((row) => binance(row, 30 * MINUTE_MS))),
    as: ["binance", "BTC/USDT", "1h"],
    refused: /the close time in line 1 says that a candle is 30 min long/,
  },
  {
    name: "half hours as hours, without a close time",
    file: text(PLAIN, ...candles(2, 30 * MINUTE_MS).map(plain)),
    as: ["kraken", "BTC/USD", "1h"],
    refused: /line 3 opens at 2024-03-01T00:30:00.000Z, where no candle of 1h opens/,
  },
  {
    name: "a few hours as minutes",
    file: text(PLAIN, ...H.slice(0, 3).map(plain)),
    as: BTC,
    refused: /rows are 60 candles apart.*add a column timeframe/,
  },
  {
    name: "a single day as a minute",
    file: text(PLAIN, plain(D[0]!)),
    as: BTC,
    refused: /its only candle may as well be one of 1d/,
  },
  {
    name: "minutes, 90 of hours behind them",
    file: text(PLAIN, ...M.map(plain), `${BEGIN_MS + 5_430_000},400,401,399,400,1`),
    as: BTC,
    refused: /line 62 opens at .*01:30:30/,
  },
  {
    name: "minutes, and hours behind them",
    file: text(PLAIN, ...M.map(plain), ...H.slice(1).map(plain)),
    as: BTC,
    refused: /many rows are 60 candles apart/,
  },
  {
    name: "dates that look like milliseconds",
    file: text(PLAIN, "20240301000000,1,2,1,2,1", "20240302000000,1,2,1,2,1"),
    as: BTC,
    refused: /line 2 of .*"20240301000000" is not a time/,
  },
  {
    name: "the newest candle ends before it should, by its close time",
    file: text(
      ...M.map((row, n) => binance(row, n < 59 ? MINUTE_MS : 20_000)),
    ),
    as: ["binance", "BTC/USDT", "1m"],
    stored: M.slice(0, 59),
  },
  {
    name: "the newest candle was still forming when the file was written",
    file: text(PLAIN, ...M.map(plain)),
    writtenMs: BEGIN_MS + 59.5 * MINUTE_MS,
    as: BTC,
    stored: M.slice(0, 59),
  },
  {
    name: "the 30th of February",
    file: text(PLAIN, "2024-02-29,1,2,1,2,1", "2024-02-30,1,2,1,2,1", "2024-03-01,1,2,1,2,1"),
    as: ["kraken", "BTC/USD", "1d"],
    refused: /line 3 of .*"2024-02-30" is not a time/,
  },
  {
    name: "seconds in scientific notation",
    file: text(PLAIN, ...D.map((row) => plain(row).replace(/^\d+/, `${row.t / 1e12}0000e+09`))),
    as: ["binance", "BTC/USDT", "1d"],
    stored: D,
  },
  {
    name: "milliseconds that become microseconds",
    file: text(PLAIN, ...M.map((row, n) => plain(n < 30 ? row : { ...row, t: row.t * 1000 }))),
    as: BTC,
    refused: /line 32 of .*its time is microseconds, those before are milliseconds/,
  },
  {
    name: "row numbers where times are expected",
    file: text(PLAIN, ...M.map((row, n) => plain({ ...row, t: n * 60 }))),
    as: BTC,
    refused: /line 2 of .*its time "0" lies before 2009, as seconds/,
  },
  {
    name: "a broker's times without their zone",
    file: text(
      "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>",
      ...M.map(({ t, o, h, l, c, v }) =>
        [day(t).replaceAll("-", "."), `${clock(t)}:00`, o, h, l, c, 9, v].join("\t")
      ),
    ),
    as: BTC,
    refused: /in the broker's time zone\. Set it with --timezone/,
  },
  {
    name: "a broker's times with their zone",
    file: text(
      "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>",
      ...M.map(({ t, o, h, l, c, v }) => {
        const there = t + 120 * MINUTE_MS;
        return [day(there).replaceAll("-", "."), clock(there), o, h, l, c, 9, v].join("\t");
      }),
    ),
    as: [...BTC, "--timezone", "+02:00"],
    stored: M,
  },
  {
    name: "dates with points and decimal commas",
    file: "\uFEFF" + text(
      PLAIN.replaceAll(",", ";"),
      ...H.map((row) => {
        const [y, m, d] = day(row.t).split("-");
        const values = [row.o, row.h, row.l, row.c, row.v].map((value) => value.replace(".", ","));
        return [`${d}.${m}.${y} ${clock(row.t)}`, ...values].join(";");
      }),
    ).replaceAll("\n", "\r\n"),
    as: ["kraken", "BTC/USD", "1h"],
    stored: H,
  },
  {
    name: "commas that may stand for thousands",
    file: text(PLAIN.replaceAll(",", ";"), ...M.map(({ t }) => `${t};1,234;1,236;1,233;1,235;1`)),
    as: BTC,
    refused: /1,234 in it may mean 1\.234 or 1234/,
  },
];

Deno.test("a file of another series than is said is refused, and nothing of it stored", async (t) => {
  await importAll(t, [...INSTRUMENTS, ...TIMES]);
});
