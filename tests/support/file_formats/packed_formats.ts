/** Files that are packed, or no CSV at all. @module */
import { gzipSync } from "node:zlib";
import { featherWriter } from "../../../lib/transfer/feather.ts";
import { candles } from "../file_candles.ts";
import { zipOf } from "../zip_file.ts";
import {
  type FileCandle,
  type FileFormat,
  H,
  HOUR_MS,
  M,
  MINUTE_MS,
  rows,
  series,
  text,
  withVolume,
} from "./format.ts";

const FREQTRADE = "https://www.freqtrade.io/en/stable/data-download/";
/** Numbers as Python writes them. */
const number = (value: string): string => String(Number(value));
const json = (list: readonly FileCandle[]): string =>
  `[${
    list.map(({ t, o, h, l, c, v }) => `[${[t, ...[o, h, l, c, v].map(number)].join(",")}]`).join(
      ",",
    )
  }]`;
/** Doubles have no zeros at their end. */
const plain = (list: readonly FileCandle[]): readonly FileCandle[] =>
  list.map(({ t, o, h, l, c, v, q }) => ({
    t,
    q,
    ...{ o: number(o), h: number(h), l: number(l), c: number(c), v: number(v) },
  }));
const FIVE = candles(60, 5 * MINUTE_MS);
const feather = await featherOf(H);

export const PACKED_FORMATS: readonly FileFormat[] = [
  {
    name: "freqtrade, JSON",
    source: FREQTRADE,
    path: "BTC_USDT-5m.json",
    bytes: json(FIVE),
    tries: [
      { flags: [], refused: /the exchange is missing.*--exchange/ },
      { flags: ["--exchange", "binance"], as: "binance BTC/USDT 5m", stored: plain(FIVE) },
      { flags: ["--exchange", "binance", "--timeframe", "1m"], refused: /name says 5m/ },
    ],
  },
  {
    name: "freqtrade, JSON in gzip",
    source: FREQTRADE,
    path: "ETH_BTC-5m.json.gz",
    bytes: gzipSync(json(FIVE)),
    tries: [{ flags: ["--exchange", "kraken"], as: "kraken ETH/BTC 5m", stored: plain(FIVE) }],
  },
  {
    name: "freqtrade, feather of a perpetual",
    source: FREQTRADE,
    path: "futures/BTC_USDT_USDT-1h-futures.feather",
    bytes: feather,
    tries: [
      { flags: ["--exchange", "binance"], as: "binance BTC/USDT:USDT 1h", stored: plain(H) },
      { flags: ["--exchange", "gate"], as: "gate BTC/USDT:USDT 1h", stored: plain(H) },
      { flags: series("binance", "BTC/USDT", "1h"), refused: /name says BTC_USDT_USDT|contract/ },
    ],
  },
  {
    name: "freqtrade, mark prices",
    source: FREQTRADE,
    path: "futures/BTC_USDT_USDT-1h-mark.json",
    bytes: json(withVolume(H, () => "0")),
    tries: [
      {
        flags: ["--exchange", "binance"],
        as: "binance BTC/USDT:USDT@mark 1h",
        stored: withVolume(plain(H), () => ""),
      },
      { flags: series("binance", "BTC/USDT:USDT", "1h"), refused: /mark price.*@mark/ },
    ],
  },
  {
    name: "freqtrade, funding rates",
    source: FREQTRADE,
    path: "futures/BTC_USDT_USDT-8h-funding_rate.feather",
    bytes: feather,
    tries: [{ flags: ["--exchange", "binance"], refused: /by its name it holds funding rates/ }],
  },
  {
    name: "CCXT's own list",
    source: "https://docs.ccxt.com/#/?id=ohlcv-structure",
    path: "ohlcv.json",
    bytes: json(M),
    tries: [{ flags: series("binance", "BTC/USDT", "1m"), stored: plain(M) }],
  },
  {
    name: "Binance's interface, one answer",
    source:
      "https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints",
    path: "klines.json",
    bytes: `[${
      M.map(({ t, o, h, l, c, v, q }) =>
        `[${t},"${o}","${h}","${l}","${c}","${v}",${t + MINUTE_MS - 1},"${q}",17,"${v}","${q}","0"]`
      ).join(",")
    }]`,
    tries: [{ flags: series("binance", "BTC/USDT", "1m"), stored: M }],
  },
  {
    name: "Binance's month as it is downloaded",
    source: "https://github.com/binance/binance-public-data",
    path: "BTCUSDT-1m-2024-03.zip",
    bytes: zipOf(
      "BTCUSDT-1m-2024-03.csv",
      rows(
        M,
        ({ t, o, h, l, c, v, q }) =>
          `${t},${o},${h},${l},${c},${v},${t + MINUTE_MS - 1},${q},17,${v},${q},0`,
      ),
    ),
    tries: [{ flags: ["--preset", "binance"], as: "binance BTC/USDT 1m", stored: M }],
  },
  {
    name: "Bybit's month as it is downloaded",
    source: "https://public.bybit.com/kline_for_metatrader4",
    path: "BTCUSDT_1_2024-03-01_2024-03-31.csv.gz",
    bytes: gzipSync(
      rows(M, ({ t, o, h, l, c, v }) => {
        const time = new Date(t + 3 * HOUR_MS).toISOString().slice(0, 16);
        return [time.replace("T", " ").replaceAll("-", "."), o, h, l, c, v].join();
      }),
    ),
    tries: [{ flags: [], as: "bybit BTC/USDT:USDT 1m", stored: M }],
  },
  {
    name: "Bitget's workbook",
    source: "https://www.bitget.com/data-download",
    path: "BTCUSDT_SPBL_1min_20240301.xlsx",
    bytes: zipOf("[Content_Types].xml", text("<Types/>")),
    tries: [{
      flags: series("bitget", "BTC/USDT", "1m"),
      refused: /Excel workbook.*CSV/,
    }],
  },
];

async function featherOf(list: readonly FileCandle[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const writer = featherWriter({
    write: (bytes) => Promise.resolve(void parts.push(bytes.slice())),
    finish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  });
  await writer.write(
    list.map(({ t, o, h, l, c, v }) => [t, Number(o), Number(h), Number(l), Number(c), Number(v)]),
  );
  await writer.finish();
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}
