/** Files that exchanges publish. @module */
import {
  contracts,
  type FileCandle,
  type FileFormat,
  H,
  HOUR_MS,
  M,
  MINUTE_MS,
  rows,
  series,
  withVolume,
} from "./format.ts";

const BINANCE = "https://github.com/binance/binance-public-data";
const BINANCE_HEAD =
  "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore";
const binance = ({ t, o, h, l, c, v, q }: FileCandle, stepMs = MINUTE_MS): string =>
  `${t},${o},${h},${l},${c},${v},${t + stepMs - 1},${q},17,${v},${q},0`;
/** Binance's seconds of 2025, in microseconds. */
const micros = ({ t, o, h, l, c, v, q }: FileCandle): string =>
  `${t}000,${o},${h},${l},${c},${v},${t + MINUTE_MS - 1}999,${q},17,${v},${q},0`;
const coinMargined = (row: FileCandle): string => {
  const { t, o, h, l, c, v } = row;
  return `${t},${o},${h},${l},${c},${contracts(row)},${t + MINUTE_MS - 1},${v},17,1,1,0`;
};
const noVolume = ({ t, o, h, l, c }: FileCandle): string =>
  `${t},${o},${h},${l},${c},0,${t + MINUTE_MS - 1},0,60,0,0,0`;
const UNTRADED = withVolume(M, () => "");

const binanceFormats: readonly FileFormat[] = [
  {
    name: "Binance spot, a month without a head",
    source: BINANCE,
    path: "BTCUSDT-1m-2024-03.csv",
    bytes: rows(M, (row) => binance(row)),
    tries: [
      { flags: [], refused: /--exchange/ },
      { flags: ["--preset", "binance"], as: "binance BTC/USDT 1m", stored: M },
      { flags: series("binance", "BTC/USDT", "1m"), stored: M },
      { flags: series("binance", "ETH/USDT", "1m"), refused: /name says BTCUSDT.*--name/ },
      { flags: series("binance", "BTC/USDT", "5m"), refused: /name says 1m.*--name/ },
    ],
  },
  {
    name: "Binance spot, a day with a head",
    source: BINANCE,
    path: "ETHBTC-1h-2024-03-01.csv",
    bytes: rows(H.slice(0, 24), (row) => binance(row, HOUR_MS), BINANCE_HEAD),
    tries: [{ flags: ["--preset", "binance"], as: "binance ETH/BTC 1h", stored: H.slice(0, 24) }],
  },
  {
    name: "Binance spot in microseconds",
    source: `${BINANCE}#klines (from 2025 on)`,
    path: "BTCUSDT-1m-2024-03.csv",
    bytes: rows(M, micros),
    tries: [{ flags: ["--preset", "binance"], as: "binance BTC/USDT 1m", stored: M }],
  },
  {
    name: "Binance spot under a name of another month",
    source: BINANCE,
    path: "BTCUSDT-1m-2024-04.csv",
    bytes: rows(M, (row) => binance(row)),
    tries: [
      { flags: ["--preset", "binance"], refused: /not of the day or the month.*--name/ },
      {
        flags: [...series("binance", "BTC/USDT", "1m"), "--name", "{any}"],
        stored: M,
      },
    ],
  },
  {
    name: "Binance USD-M with a head",
    source: `${BINANCE}: data/futures/um`,
    path: "data/futures/um/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-03.csv",
    bytes: rows(M, (row) => binance(row), BINANCE_HEAD),
    tries: [
      {
        flags: series("binance", "BTC/USDT", "1m"),
        refused: /BTC\/USDT is a symbol of a spot market.*binance-futures.*--symbol/,
      },
      {
        flags: ["--preset", "binance", "--exchange", "binance"],
        refused: /files of binance are of a spot market.*--symbol/,
      },
      {
        flags: ["--preset", "binance-futures", "--exchange", "binanceusdm"],
        as: "binanceusdm BTC/USDT:USDT 1m",
        stored: M,
      },
      { flags: series("binanceusdm", "BTC/USDT:USDT", "1m"), stored: M },
    ],
  },
  {
    name: "Binance USD-M without a head, before 2022",
    source: `${BINANCE}: data/futures/um`,
    path: "BTCUSDT-1m-2024-03.csv",
    bytes: rows(M, (row) => binance(row)),
    tries: [
      {
        flags: ["--preset", "binance-futures", "--symbol", "BTC/USDT", "--exchange", "binance"],
        refused: /BTC\/USDT is a symbol of a spot market.*--preset/,
      },
      { flags: series("binance", "BTC/USDT:USDT", "1m"), stored: M },
    ],
  },
  {
    name: "Binance USD-M, a dated future",
    source: `${BINANCE}: data/futures/um`,
    path: "BTCUSDT_240329-1m-2024-03.csv",
    bytes: rows(M, (row) => binance(row), BINANCE_HEAD),
    tries: [
      {
        flags: ["--preset", "binance-futures", "--exchange", "binance"],
        as: "binance BTC/USDT:USDT-240329 1m",
        stored: M,
      },
      { flags: series("binance", "BTC/USDT:USDT", "1m"), refused: /name says BTCUSDT_240329/ },
    ],
  },
  {
    name: "Binance COIN-M, contracts and what they are worth",
    source: `${BINANCE}: data/futures/cm`,
    path: "BTCUSD_PERP-1m-2024-03.csv",
    bytes: rows(M, coinMargined, BINANCE_HEAD),
    tries: [
      { flags: series("binancecoinm", "BTC/USD:BTC", "1m"), stored: M },
      {
        flags: ["--preset", "binance-futures", "--exchange", "binancecoinm"],
        as: "binancecoinm BTC/USD:BTC 1m",
        stored: M,
      },
      { flags: series("binance", "BTC/USD", "1m"), refused: /./ },
    ],
  },
  {
    name: "Binance COIN-M without a head",
    source: `${BINANCE}: data/futures/cm`,
    path: "BTCUSD_PERP-1m-2024-03.csv",
    bytes: rows(M, coinMargined),
    tries: [
      {
        flags: ["--preset", "binance-futures", "--exchange", "binancecoinm"],
        as: "binancecoinm BTC/USD:BTC 1m",
        stored: M,
      },
    ],
  },
  {
    name: "Binance's mark prices",
    source: `${BINANCE}: markPriceKlines`,
    path: "futures/um/daily/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2024-03-01.csv",
    bytes: rows(M, noVolume, BINANCE_HEAD),
    tries: [
      { flags: series("binance", "BTC/USDT:USDT", "1m"), refused: /mark price.*@mark/ },
      {
        flags: ["--preset", "binance-futures", "--exchange", "binance"],
        as: "binance BTC/USDT:USDT@mark 1m",
        stored: UNTRADED,
      },
      { flags: series("binance", "BTC/USDT:USDT@index", "1m"), refused: /mark price/ },
    ],
  },
  {
    name: "Binance's index prices",
    source: `${BINANCE}: indexPriceKlines`,
    path: "futures/um/daily/indexPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2024-03-01.csv",
    bytes: rows(M, noVolume),
    tries: [
      {
        flags: series("binance", "BTC/USDT:USDT", "1m", "--preset", "binance-futures"),
        refused: /index price.*@index/,
      },
      { flags: series("binance", "BTC/USDT:USDT@index", "1m"), stored: UNTRADED },
    ],
  },
  {
    name: "Binance's mark prices without their folder",
    source: `${BINANCE}: markPriceKlines`,
    path: "BTCUSDT-1m-2024-03-01.csv",
    bytes: rows(M, noVolume, BINANCE_HEAD),
    tries: [
      { flags: series("binance", "BTC/USDT:USDT", "1m"), refused: /no volume in any row.*@mark/ },
      { flags: series("binance", "BTC/USDT:USDT@mark", "1m"), stored: UNTRADED },
    ],
  },
];

const kraken = ({ t, o, h, l, c, v }: FileCandle): string => [t / 1000, o, h, l, c, v, 9].join();
const OKX = "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm";
const okx =
  (name: string, vol: (row: FileCandle) => string, ccy: (row: FileCandle) => string) =>
  (row: FileCandle, n: number): string =>
    [name, row.o, row.h, row.l, row.c, vol(row), ccy(row), row.q, row.t, n < 59 ? 1 : 0].join();
const hundredths = ({ v }: FileCandle): string => (Number(v) * 100).toFixed(1);
const gate = ({ t, o, h, l, c, q }: FileCandle): string => [t / 1000, q, c, h, l, o].join();
const gateContracts = (row: FileCandle): string =>
  [row.t / 1000, contracts(row, 1), row.c, row.h, row.l, row.o].join();
const lots = withVolume(M, (row) => contracts(row, 1));
const metaTime = (t: number, aheadMs: number): string =>
  new Date(t + aheadMs).toISOString().slice(0, 16).replace("T", " ").replaceAll("-", ".");

export const EXCHANGE_FORMATS: readonly FileFormat[] = [
  ...binanceFormats,
  {
    name: "Kraken's OHLCVT",
    source: "https://support.kraken.com/articles/360047124832",
    path: "XBTUSD_60.csv",
    bytes: rows(H, kraken),
    tries: [
      { flags: [], as: "kraken BTC/USD 1h", stored: H },
      { flags: ["--timeframe", "1m"], refused: /name says 1h/ },
      { flags: ["--exchange", "kraken", "--symbol", "ETH/USD"], refused: /name says XBTUSD/ },
    ],
  },
  {
    name: "Kraken's minutes of Dogecoin",
    source: "https://support.kraken.com/articles/360047124832",
    path: "XDGUSD_1.csv",
    bytes: rows(M, kraken),
    tries: [{ flags: [], as: "kraken DOGE/USD 1m", stored: M }],
  },
  {
    name: "OKX spot",
    source: "https://www.okx.com/historical-data",
    path: "BTC-USDT-candlesticks-2024-03-01.csv",
    bytes: rows(M, okx("BTC-USDT", ({ v }) => v, ({ q }) => q), OKX),
    tries: [
      { flags: series("okx", "BTC/USDT", "1m"), stored: M.slice(0, 59) },
      {
        flags: ["--preset", "okx", "--timeframe", "1m"],
        as: "okx BTC/USDT 1m",
        stored: M.slice(0, 59),
      },
    ],
  },
  {
    name: "OKX swap, whose vol counts contracts",
    source: "https://www.okx.com/historical-data",
    path: "BTC-USDT-SWAP-candlesticks-2024-03-01.csv",
    bytes: rows(M, okx("BTC-USDT-SWAP", hundredths, ({ v }) => v), OKX),
    tries: [
      { flags: series("okx", "BTC/USDT:USDT", "1m"), stored: M.slice(0, 59) },
      {
        flags: ["--preset", "okx-swap", "--timeframe", "1m"],
        as: "okx BTC/USDT:USDT 1m",
        stored: M.slice(0, 59),
      },
      { flags: series("okx", "BTC/USDT", "1m"), refused: /BTC-USDT-SWAP/ },
    ],
  },
  {
    name: "OKX inverse swap",
    source: "https://www.okx.com/historical-data",
    path: "BTC-USD-SWAP-candlesticks-2024-03-01.csv",
    bytes: rows(M, okx("BTC-USD-SWAP", contracts, ({ v }) => v), OKX),
    tries: [{
      flags: ["--preset", "okx-swap", "--timeframe", "1m"],
      as: "okx BTC/USD:BTC 1m",
      stored: M.slice(0, 59),
    }],
  },
  {
    name: "Bybit's files for MetaTrader 4, at UTC+3",
    source: "https://public.bybit.com/kline_for_metatrader4",
    path: "BTCUSDT_1_2024-03-01_2024-03-31.csv",
    bytes: rows(M, ({ t, o, h, l, c, v }) => [metaTime(t, 3 * HOUR_MS), o, h, l, c, v].join()),
    tries: [
      { flags: series("bybit", "BTC/USDT:USDT", "1m"), stored: M },
      { flags: ["--symbol", "BTC/USDT:USDT"], as: "bybit BTC/USDT:USDT 1m", stored: M },
    ],
  },
  {
    name: "Bybit's interface as CSV",
    source: "https://bybit-exchange.github.io/docs/v5/market/kline",
    path: "klines.csv",
    bytes:
      rows(M, ({ t, o, h, l, c, v, q }) => [t, o, h, l, c, v, q].join()).split("\n").reverse().join(
        "\n",
      ).trim() + "\n",
    tries: [{ flags: series("bybit", "BTC/USDT", "1m"), stored: M }],
  },
  {
    name: "Bybit inverse, dollars and coins",
    source: "https://bybit-exchange.github.io/docs/v5/market/kline",
    path: "klines.csv",
    bytes: rows(M, ({ t, o, h, l, c, v, q }) => [t, o, h, l, c, q, v].join()),
    tries: [{ flags: series("bybit", "BTC/USD:BTC", "1m", "--preset", "bybit"), stored: M }],
  },
  {
    name: "Gate spot, whose volume is turnover",
    source: "https://www.gate.com/developer/historical_quotes",
    path: "BTC_USDT-202403.csv",
    bytes: rows(M, gate),
    tries: [
      {
        flags: series("gate", "BTC/USDT", "1m"),
        refused: /--columns time,volume,close,high,low,open/,
      },
      {
        flags: series(
          "gate",
          "BTC/USDT",
          "1m",
          "--columns",
          "time,volume,close,high,low,open",
          "--volume-unit",
          "quote",
        ),
        refused: /counts the quote currency.*count the base currency/,
      },
    ],
  },
  {
    name: "Gate spot with base volume",
    source: "https://www.gate.com/docs/developers/apiv4/#market-candlesticks",
    path: "BTC_USDT-202403.csv",
    bytes: rows(M, (row) => `${gate(row)},${row.v},true`),
    tries: [
      { flags: series("gate", "BTC/USDT", "1m"), stored: M },
      { flags: ["--symbol", "BTC/USDT", "--timeframe", "1m"], as: "gate BTC/USDT 1m", stored: M },
    ],
  },
  {
    name: "Gate futures, whose volume counts contracts, as the archive's does",
    source: "https://www.gate.com/developer/historical_quotes",
    path: "futures_usdt/candlesticks_1m/202403/BTC_USDT-202403.csv",
    bytes: rows(M, gateContracts),
    tries: [
      { flags: series("gate", "BTC/USDT:USDT", "1m"), stored: lots },
      { flags: series("gate", "BTC/USDT", "1m"), refused: /./ },
    ],
  },
  {
    name: "HTX spot, turnover before volume",
    source: "https://github.com/hbdmapi/huobi_public_data",
    path: "BTCUSDT-1min-2024-03-01.csv",
    bytes: rows(M, ({ t, o, h, l, c, v, q }) => [t / 1000, o, c, h, l, q, v].join()),
    tries: [
      { flags: [], as: "htx BTC/USDT 1m", stored: M },
      { flags: series("htx", "BTC/USDT", "1m"), stored: M },
    ],
  },
  {
    name: "HTX spot in the order of its README",
    source: "https://github.com/hbdmapi/huobi_public_data",
    path: "btcusdt.csv",
    bytes: rows(M, ({ t, o, h, l, c, v, q }) => [t / 1000, o, h, l, c, q, v, 13].join()),
    tries: [{ flags: series("htx", "BTC/USDT", "1m", "--preset", "htx"), stored: M }],
  },
  {
    name: "HTX linear swap, nine columns",
    source: "https://github.com/hbdmapi/huobi_public_data",
    path: "BTC-USDT-1min-2024-03-01.csv",
    bytes: rows(
      M,
      (row) => [row.t / 1000, row.o, row.h, row.l, row.c, hundredths(row), row.v, 13, row.q].join(),
    ),
    tries: [{ flags: series("htx", "BTC/USDT:USDT", "1m"), stored: M }],
  },
  {
    name: "KuCoin spot, close before high",
    source: "https://www.kucoin.com/docs-new/3470071w0",
    path: "BTCUSDT-1m-2024-03-01.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v, q }) => [t / 1000, o, c, h, l, v, q].join(),
      "time,open,close,high,low,volume,turnover",
    ),
    tries: [{ flags: series("kucoin", "BTC/USDT", "1m"), stored: M }],
  },
  {
    name: "KuCoin futures, whose volume counts lots",
    source: "https://www.kucoin.com/docs-new/rest/futures-trading/market-data/get-klines",
    path: "klines.csv",
    bytes: rows(
      M,
      (row) => [row.t, row.o, row.h, row.l, row.c, contracts(row, 1)].join(),
      "time,open,high,low,close,volume",
    ),
    tries: [
      {
        flags: series("kucoinfutures", "BTC/USDT:USDT", "1m"),
        refused: /nothing says what its volume counts.*--volume-unit contracts/,
      },
      {
        flags: series("kucoinfutures", "BTC/USDT:USDT", "1m", "--volume-unit", "contracts"),
        stored: lots,
      },
      { flags: series("kucoinfutures", "BTC/USDT:USDT", "1m", "--preset", "kucoin"), stored: lots },
    ],
  },
  {
    name: "Bitget's klines",
    source: "https://www.bitget.com/api-doc/spot/market/Get-Candle-Data",
    path: "BTCUSDT_SPBL_1min_20240301.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v, q }) => [t, o, h, l, c, v, q].join(),
      "timestamp,open,high,low,close,baseVolume,usdtVolume",
    ),
    tries: [
      { flags: series("bitget", "BTC/USDT", "1m"), stored: M },
    ],
  },
  {
    name: "Coinbase's interface, low first",
    source: "https://docs.cdp.coinbase.com/exchange/reference/exchangerestapi_getproductcandles",
    path: "candles.csv",
    bytes: rows(M.toReversed(), ({ t, o, h, l, c, v }) => [t / 1000, l, h, o, c, v].join()),
    tries: [
      { flags: series("coinbase", "BTC/USD", "1m"), stored: M },
      {
        flags: ["--preset", "coinbase", "--symbol", "BTC/USD", "--timeframe", "1m"],
        as: "coinbase BTC/USD 1m",
        stored: M,
      },
    ],
  },
  {
    name: "Coinbase's interface, too few rows to prove it",
    source: "https://docs.cdp.coinbase.com/exchange/reference/exchangerestapi_getproductcandles",
    path: "candles.csv",
    bytes: rows(M.slice(0, 5), ({ t, o, h, l, c, v }) => [t / 1000, l, h, o, c, v].join()),
    tries: [
      { flags: series("coinbase", "BTC/USD", "1m"), refused: /--preset coinbase/ },
      { flags: series("coinbase", "BTC/USD", "1m", "--preset", "coinbase"), stored: M.slice(0, 5) },
    ],
  },
  {
    name: "Bitfinex's interface",
    source: "https://docs.bitfinex.com/reference/rest-public-candles",
    path: "candles.csv",
    bytes: rows(M.slice(0, 5).toReversed(), ({ t, o, h, l, c, v }) => [t, o, c, h, l, v].join()),
    tries: [
      { flags: series("bitfinex", "BTC/USD", "1m"), refused: /--preset bitfinex/ },
      { flags: series("bitfinex", "BTC/USD", "1m", "--preset", "bitfinex"), stored: M.slice(0, 5) },
    ],
  },
];
