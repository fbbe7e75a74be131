/** Files that programs and sellers of candles write. @module */
import {
  D,
  DAY_MS,
  type FileCandle,
  type FileFormat,
  H,
  HOUR_MS,
  local,
  M,
  MINUTE_MS,
  rows,
  series,
  text,
} from "./format.ts";

const iso = (t: number): string => new Date(t).toISOString();
const day = (t: number): string => iso(t).slice(0, 10);
const plain = ({ t, o, h, l, c, v }: FileCandle): string => [t, o, h, l, c, v].join();
const values = ({ o, h, l, c, v }: FileCandle): string => [o, h, l, c, v].join();
const BTC = series("binance", "BTC/USDT", "1m");
const URL = "https://www.CryptoDataDownload.com";
const meta = (t: number, aheadMs: number): readonly string[] =>
  local(t, aheadMs).replaceAll("-", ".").split(" ");
const german = (value: string): string => value.replace(".", ",");

const collectors: readonly FileFormat[] = [
  {
    name: "CryptoDataDownload",
    source: "https://www.cryptodatadownload.com/data/binance/",
    path: "Binance_BTCUSDT_1h.csv",
    bytes: text(
      URL,
      "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT,tradecount",
      ...H.map(({ t, o, h, l, c, v, q }) => [t, local(t), "BTCUSDT", o, h, l, c, v, q, 7].join())
        .reverse(),
    ),
    tries: [
      { flags: [], as: "binance BTC/USDT 1h", stored: H },
      { flags: ["--exchange", "bitstamp"], refused: /name says binance/ },
    ],
  },
  {
    name: "CryptoDataDownload before 2020, with halves of days",
    source: "https://github.com/tensortrade-org/tensortrade/issues/265",
    path: "Coinbase_BTCUSD_1h.csv",
    bytes: text(
      URL,
      "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD",
      ...H.map(({ t, o, h, l, c, v, q }) => {
        const hour = new Date(t).getUTCHours();
        const half = `${String(hour % 12 || 12).padStart(2, "0")}-${hour < 12 ? "AM" : "PM"}`;
        return [`${day(t)} ${half}`, "BTCUSD", o, h, l, c, v, q].join();
      }).reverse(),
    ),
    tries: [{ flags: [], as: "coinbase BTC/USD 1h", stored: H }],
  },
  {
    name: "CryptoDataDownload's minutes of a year",
    source: "https://www.cryptodatadownload.com/data/bitstamp/",
    path: "Bitstamp_BTCUSD_2024_minute.csv",
    bytes: text(
      URL,
      "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD",
      ...M.map(({ t, o, h, l, c, v, q }) =>
        [t / 1000, local(t), "BTC/USD", o, h, l, c, v, q].join()
      ).reverse(),
    ),
    tries: [{ flags: [], as: "bitstamp BTC/USD 1m", stored: M }],
  },
  {
    name: "Kaggle's Bitstamp",
    source: "https://www.kaggle.com/datasets/mczielinski/bitcoin-historical-data",
    path: "bitstampUSD_1-min_data_2012-01-01_to_2021-03-31.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v, q }, n) =>
        `${t / 1000},${n % 3 === 0 ? [o, h, l, c, v, q, o].join() : Array(7).fill("NaN").join()}`,
      "Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price",
    ),
    tries: [{
      flags: ["--symbol", "BTC/USD"],
      as: "bitstamp BTC/USD 1m",
      stored: M.filter((_, n) => n % 3 === 0),
    }],
  },
  {
    name: "Kaggle's Bitstamp, as it is updated now",
    source: "https://www.kaggle.com/datasets/mczielinski/bitcoin-historical-data",
    path: "btcusd_1-min_data.csv",
    bytes: rows(
      M,
      (row) => `${row.t / 1000}.0,${values(row)}`,
      "Timestamp,Open,High,Low,Close,Volume",
    ),
    tries: [{ flags: [], as: "bitstamp BTC/USD 1m", stored: M }],
  },
  {
    name: "CoinMarketCap, a day with the time of its close",
    source: "https://coinmarketcap.com/currencies/bitcoin/historical-data/",
    path: "Bitcoin_1.3.2024-9.4.2024_historical_data_coinmarketcap.csv",
    bytes: rows(
      D.toReversed(),
      ({ t, o, h, l, c, v }) =>
        `"${iso(t)}";"${iso(t + DAY_MS - 1)}";"${iso(t)}";"${
          iso(t)
        }";"2781";${o};${h};${l};${c};${v};1e12;"${iso(t + DAY_MS - 1)}"`,
      "timeOpen;timeClose;timeHigh;timeLow;name;open;high;low;close;volume;marketCap;timestamp",
    ),
    tries: [
      {
        flags: series("coinbase", "BTC/USD", "1d"),
        refused: /turnover in dollars.*--volume-unit base/,
      },
      {
        flags: series(
          "coinbase",
          "BTC/USD",
          "1d",
          "--volume-unit",
          "base",
        ),
        stored: D,
      },
    ],
  },
  {
    name: "CoinGecko, which has no candles",
    source: "https://www.coingecko.com/en/coins/bitcoin/historical_data",
    path: "btc-usd-max.csv",
    bytes: rows(
      D,
      ({ t, c, q }) => `${local(t)} UTC,${c},1e12,${q}`,
      "snapped_at,price,market_cap,total_volume",
    ),
    tries: [{
      flags: series("coinbase", "BTC/USD", "1d"),
      refused: /has no column (?:time|open).*--columns/,
    }],
  },
  {
    name: "Investing.com, whose volume is rounded",
    source: "https://www.investing.com/crypto/bitcoin/historical-data",
    path: "Bitcoin Historical Data.csv",
    bytes: rows(
      D.toReversed(),
      ({ t, o, h, l, c }) => {
        const [, month, date, year] = new Date(t).toUTCString().match(/, (\d+) (\w+) (\d+)/)!;
        return [`${date} ${month}, ${year}`, c, o, h, l, "65.59K", "1.2%"].map((one) => `"${one}"`)
          .join();
      },
      '"Date","Price","Open","High","Low","Vol.","Change %"',
    ),
    tries: [
      { flags: series("coinbase", "BTC/USD", "1d"), refused: /no column close.*--columns/ },
      {
        flags: series(
          "coinbase",
          "BTC/USD",
          "1d",
          "--columns",
          "time,close,open,high,low,volume,-",
        ),
        refused: /--time-format/,
      },
      {
        flags: series(
          "coinbase",
          "BTC/USD",
          "1d",
          "--columns",
          "time,close,open,high,low,volume,-",
          "--time-format",
          "%b %d, %Y",
        ),
        refused: /"65\.59K" is rounded/,
      },
    ],
  },
  {
    name: "CoinAPI",
    source: "https://docs.coinapi.io/flat-files-api/",
    path: "BITSTAMP_SPOT_BTC_USD.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v }) =>
        [
          iso(t).replace("Z", "0000Z"),
          iso(t + MINUTE_MS).replace("Z", "0000Z"),
          iso(t),
          iso(t),
          o,
          h,
          l,
          c,
          v,
          9,
        ].join(";"),
      "time_period_start;time_period_end;time_open;time_close;price_open;price_high;price_low;price_close;volume_traded;trades_count",
    ),
    tries: [
      { flags: series("bitstamp", "BTC/USD", "1m"), refused: /no column open.*--columns/ },
      {
        flags: series(
          "bitstamp",
          "BTC/USD",
          "1m",
          "--columns",
          "time,close_time,-,-,open,high,low,close,volume",
        ),
        stored: M,
      },
    ],
  },
  {
    name: "Kaiko",
    source:
      "https://docs.kaiko.com/rest-api/data-feeds/level-1-aggregations/trade-count-ohlcv-and-vwap",
    path: "cbse_btcusd_ohlcv_1m_2024_03.csv",
    bytes: rows(M, plain, "timestamp,open,high,low,close,volume"),
    tries: [{ flags: series("coinbase", "BTC/USD", "1m"), stored: M }],
  },
  {
    name: "Polygon's flat files, with several tickers",
    source: "https://polygon.io/docs/flat-files/crypto/minute-aggregates",
    path: "2024-03-01.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v }) =>
        [
          `X:BTC-USD,${v},${o},${c},${h},${l},${t}000000,9`,
          `X:ETH-USD,${v},1${o},1${c},1${h},1${l},${t}000000,9`,
        ].join("\n"),
      "ticker,volume,open,close,high,low,window_start,transactions",
    ),
    tries: [
      { flags: series("coinbase", "BTC/USD", "1m"), stored: M },
      {
        flags: series("coinbase", "LTC/USD", "1m"),
        refused: /X:BTC-USD and X:ETH-USD.*--instrument/,
      },
    ],
  },
  {
    name: "Alpaca",
    source: "https://docs.alpaca.markets/reference/cryptobars-1",
    path: "bars.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v }) => ["BTC/USD", local(t) + "+00:00", o, h, l, c, v, 9, o].join(),
      "symbol,timestamp,open,high,low,close,volume,trade_count,vwap",
    ),
    tries: [{
      flags: ["--exchange", "alpaca", "--timeframe", "1m"],
      as: "alpaca BTC/USD 1m",
      stored: M,
    }],
  },
  {
    name: "Dukascopy, days first",
    source: "https://www.dukascopy.com/swiss/english/marketwatch/historical/",
    path: "BTCUSD_Candlestick_1_M_BID_01.03.2024-01.03.2024.csv",
    bytes: rows(
      M,
      (row) => {
        const [y, m, d] = day(row.t).split("-");
        return `${d}.${m}.${y} ${iso(row.t).slice(11, 23)},${values(row)}`;
      },
      "Gmt time,Open,High,Low,Close,Volume",
    ),
    tries: [
      { flags: series("bitstamp", "BTC/USD", "1m"), refused: /no column time.*--columns/ },
      {
        flags: series("bitstamp", "BTC/USD", "1m", "--columns", "time,open,high,low,close,volume"),
        stored: M,
      },
    ],
  },
  {
    name: "HistData, New York's time without summer time",
    source: "https://www.histdata.com/f-a-q/data-files-detailed-specification/",
    path: "DAT_ASCII_BTCUSD_M1_202403.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v }) =>
        [local(t, -5 * HOUR_MS).replaceAll(/[-:]/g, ""), o, h, l, c, v].join(";"),
    ),
    tries: [
      { flags: series("bitstamp", "BTC/USD", "1m", "--preset", "kraken"), refused: /--preset/ },
      { flags: series("bitstamp", "BTC/USD", "1m"), refused: /--time-format/ },
      {
        flags: series(
          "bitstamp",
          "BTC/USD",
          "1m",
          "--time-format",
          "%Y%m%d %H%M%S",
          "--timezone",
          "-05:00",
        ),
        stored: M,
      },
    ],
  },
];

const programs: readonly FileFormat[] = [
  {
    name: "TradingView with ISO times and an average of the volume",
    source: "https://www.tradingview.com/support/solutions/43000537255",
    path: "BINANCE_BTCUSDT, 60.csv",
    bytes: rows(
      H,
      (row) => `${iso(row.t).slice(0, 19)}Z,${values(row)},55.5`,
      "time,open,high,low,close,Volume,Volume MA",
    ),
    tries: [
      { flags: [], as: "binance BTC/USDT 1h", stored: H },
      { flags: ["--timeframe", "1m"], refused: /name says 1h/ },
    ],
  },
  {
    name: "TradingView with seconds, a perpetual and no volume",
    source: "https://www.tradingview.com/support/solutions/43000537255",
    path: "BYBIT_BTCUSDT.P, 1D.csv",
    bytes: rows(
      D,
      ({ t, o, h, l, c }) => [t / 1000, o, h, l, c].join(),
      "time,open,high,low,close",
    ),
    tries: [{ flags: [], refused: /has no column volume/ }],
  },
  {
    name: "TradingView's perpetual",
    source: "https://www.tradingview.com/support/solutions/43000537255",
    path: "BYBIT_BTCUSDT.P, 1D_4f3a1.csv",
    bytes: rows(D, (row) => `${row.t / 1000},${values(row)}`, "time,open,high,low,close,Volume"),
    tries: [{ flags: [], as: "bybit BTC/USDT:USDT 1d", stored: D }],
  },
  {
    name: "yfinance's download, three lines of head",
    source: "https://github.com/ranaroussi/yfinance/issues/2269",
    path: "yfinance.csv",
    bytes: text(
      "Price,Close,High,Low,Open,Volume",
      "Ticker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD",
      "Date,,,,,",
      ...D.map(({ t, o, h, l, c, v }) => [day(t), c, h, l, o, v].join()),
    ),
    tries: [{ flags: series("coinbase", "BTC/USD", "1d"), stored: D }],
  },
  {
    name: "yfinance as Yahoo has it, with turnover in whole dollars",
    source: "https://github.com/ranaroussi/yfinance/issues/2269",
    path: "btc.csv",
    bytes: rows(
      D,
      ({ t, o, h, l, c, q }) =>
        [`${day(t)} 00:00:00+00:00`, o, h, l, c, Math.round(Number(q)), "0.0", "0.0"].join(),
      "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits",
    ),
    tries: [{
      flags: series("coinbase", "BTC/USD", "1d"),
      refused: /turnover in the quote currency.*--volume-unit base/,
    }],
  },
  {
    name: "yfinance's Ticker.history with offsets",
    source: "https://github.com/ranaroussi/yfinance/issues/2193",
    path: "btc.csv",
    bytes: rows(
      H,
      (row) => `${local(row.t, HOUR_MS)}+01:00,${values(row)},0.0,0.0`,
      "Datetime,Open,High,Low,Close,Volume,Dividends,Stock Splits",
    ),
    tries: [{ flags: series("coinbase", "BTC/USD", "1h"), stored: H }],
  },
  {
    name: "Yahoo's own download of before",
    source: "https://help.yahoo.com/kb/SLN2311.html",
    path: "BTC-USD.csv",
    bytes: rows(
      D,
      ({ t, o, h, l, c, v }) => [day(t), o, h, l, c, c, v].join(),
      "Date,Open,High,Low,Close,Adj Close,Volume",
    ),
    tries: [{ flags: series("coinbase", "BTC/USD", "1d"), stored: D }],
  },
  {
    name: "Stooq",
    source: "https://stooq.com/db/h/",
    path: "btcusd.txt",
    bytes: rows(
      H,
      ({ t, o, h, l, c, v }) =>
        [
          "BTCUSD",
          60,
          day(t).replaceAll("-", ""),
          iso(t).slice(11, 19).replaceAll(":", ""),
          o,
          h,
          l,
          c,
          v,
          0,
        ].join(),
      "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
    ),
    tries: [
      { flags: series("bitstamp", "BTC/USD", "1h"), refused: /--time-format/ },
      { flags: series("bitstamp", "BTC/USD", "1h", "--time-format", "%Y%m%d %H%M%S"), stored: H },
    ],
  },
  {
    name: "Jesse",
    source: "https://docs.jesse.trade/docs/research/candles",
    path: "BTC-USDT.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v }) => [t, o, c, h, l, v].join(),
      "timestamp,open,close,high,low,volume",
    ),
    tries: [{ flags: BTC, stored: M }],
  },
  {
    name: "Jesse without names",
    source: "https://docs.jesse.trade/docs/research/candles",
    path: "candles.csv",
    bytes: rows(M.slice(0, 4), ({ t, o, h, l, c, v }) => [t, o, c, h, l, v].join()),
    tries: [
      { flags: BTC, refused: /--preset jesse/ },
      { flags: [...BTC, "--preset", "jesse"], stored: M.slice(0, 4) },
    ],
  },
  {
    name: "MetaTrader 5",
    source: "https://www.metatrader5.com/en/terminal/help/trading_advanced/custom_instruments",
    path: "BTCUSD_M1_202403010200_202403010259.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v }) => [...meta(t, 2 * HOUR_MS), o, h, l, c, 17, v, 1].join("\t"),
      "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
    ),
    tries: [
      { flags: series("kraken", "BTC/USD", "1m"), refused: /--timezone/ },
      { flags: series("kraken", "BTC/USD", "1m", "--timezone", "+02:00"), stored: M },
      { flags: series("kraken", "BTC/USD", "5m", "--timezone", "+02:00"), refused: /name says 1m/ },
      { flags: series("kraken", "BTC/USD", "1m", "--timezone", "Europe/Helsinki"), stored: M },
    ],
  },
  {
    name: "MetaTrader 4, which counts ticks",
    source: "https://www.metatrader4.com/en/trading-platform/help/service/history_center",
    path: "BTCUSD1.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c }, n) =>
        [...meta(t, 0).map((one) => one.slice(0, 10)), o, h, l, c, 300 + n].join(),
    ),
    tries: [
      {
        flags: series("kraken", "BTC/USD", "1m", "--preset", "metatrader"),
        refused: /To take the ticks as volume: --columns date,time,open/,
      },
    ],
  },
  {
    name: "NinjaTrader, with the times of closes",
    source: "https://ninjatrader.com/support/helpGuides/nt8/importing.htm",
    path: "BTCUSD.Last.txt",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v }) =>
        [local(t + MINUTE_MS).replaceAll(/[-:]/g, ""), o, h, l, c, v].join(";"),
    ),
    tries: [
      {
        flags: series(
          "kraken",
          "BTC/USD",
          "1m",
          "--time-format",
          "%Y%m%d %H%M%S",
          "--time-is",
          "close",
        ),
        stored: M,
      },
    ],
  },
  {
    name: "Amibroker",
    source: "https://www.amibroker.com/guide/d_ascii.html",
    path: "BTCUSD.csv",
    bytes: rows(
      M,
      (row) => `BTCUSD,${day(row.t)},${iso(row.t).slice(11, 19)},${values(row)}`,
      "Ticker,Date,Time,Open,High,Low,Close,Volume",
    ),
    tries: [{ flags: series("kraken", "BTC/USD", "1m"), stored: M }],
  },
  {
    name: "Backtrader's generic CSV",
    source: "https://www.backtrader.com/docu/datafeed-develop-csv/",
    path: "btc.csv",
    bytes: rows(
      M,
      (row) => `${local(row.t)},${values(row)},0`,
      "datetime,open,high,low,close,volume,openinterest",
    ),
    tries: [{ flags: BTC, stored: M }],
  },
  {
    name: "Hummingbot",
    source: "https://hummingbot.org/strategies/v2-strategies/data/",
    path: "candles_binance_BTC-USDT_1m.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v, q }) => [`${t / 1000}.0`, o, h, l, c, v, q, 9, v, q].join(),
      "timestamp,open,high,low,close,volume,quote_asset_volume,n_trades,taker_buy_base_volume,taker_buy_quote_volume",
    ),
    tries: [
      { flags: BTC, stored: M },
      {
        flags: ["--name", "candles_{exchange}_{symbol}_{timeframe}"],
        as: "binance BTC/USDT 1m",
        stored: M,
      },
      {
        flags: ["--name", "{any}_{base}-{quote}_{timeframe}", "--exchange", "kraken"],
        as: "kraken BTC/USDT 1m",
        stored: M,
      },
      { flags: [...BTC, "--name", "{symbol}-{date}"], refused: /has not the form.*--name/ },
    ],
  },
  {
    name: "Gekko",
    source: "https://github.com/askmike/gekko/blob/develop/plugins/candleUploader",
    path: "candles_usd_btc.csv",
    bytes: rows(
      M,
      ({ t, o, h, l, c, v }, n) => [n + 1, t / 1000, o, h, l, c, o, v, 9].join(),
      "id,start,open,high,low,close,vwp,volume,trades",
    ),
    tries: [{ flags: series("kraken", "BTC/USD", "1m"), stored: M }],
  },
  {
    name: "QuestDB",
    source: "https://questdb.com/docs/guides/export-csv/",
    path: "questdb-query.csv",
    bytes: rows(
      M,
      (row) => `"${iso(row.t).replace("Z", "000Z")}",${values(row)}`,
      '"timestamp","open","high","low","close","volume"',
    ),
    tries: [{ flags: BTC, stored: M }],
  },
  {
    name: "InfluxDB's annotated CSV",
    source: "https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/",
    path: "influx.csv",
    bytes: text(
      "#group,false,false,false,false,false,false,false,false",
      "#datatype,string,long,dateTime:RFC3339,double,double,double,double,double",
      "#default,_result,,,,,,,",
      ",result,table,_time,open,high,low,close,volume",
      ...M.map((row) => `,,0,${iso(row.t)},${values(row)}`),
    ),
    tries: [
      { flags: BTC, refused: /--skip-lines|no column time/ },
      { flags: [...BTC, "--skip-lines", "3"], stored: M },
    ],
  },
  {
    name: "pandas with its index",
    source: "https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.to_csv.html",
    path: "df.csv",
    bytes: rows(M, (row) => `${local(row.t)}+00:00,${values(row)}`, ",open,high,low,close,volume"),
    tries: [{ flags: BTC, stored: M }],
  },
  {
    name: "pandas, times of Berlin without an offset, when clocks go back",
    source: "https://pandas.pydata.org/docs/reference/api/pandas.Series.dt.tz_localize.html",
    path: "df.csv",
    bytes: rows(
      M,
      (row) =>
        `${local(row.t - Date.UTC(2024, 2, 1) + Date.UTC(2024, 9, 27), 2 * HOUR_MS)},${
          values(row)
        }`,
      "time,open,high,low,close,volume",
    ),
    tries: [{
      flags: [...BTC, "--timezone", "Europe/Berlin"],
      refused: /line 2 .*Europe\/Berlin show "2024-10-27 02:00:00" twice/,
    }],
  },
  {
    name: "Excel in German",
    source: "https://support.microsoft.com/office/save-a-workbook-in-another-file-format",
    path: "Mappe1.csv",
    bytes: "\uFEFF" + rows(
      H,
      (row) => {
        const [y, m, d] = day(row.t).split("-");
        return `${d}.${m}.${y} ${iso(row.t).slice(11, 16)};${
          [row.o, row.h, row.l, row.c, row.v].map(german).join(";")
        }`;
      },
      "time;open;high;low;close;volume",
    ).replaceAll("\n", "\r\n"),
    tries: [{ flags: series("kraken", "BTC/USD", "1h"), stored: H }],
  },
  {
    name: "Excel's days as numbers, with thousands",
    source: "https://support.microsoft.com/office/date-systems-in-excel",
    path: "Book1.csv",
    bytes: rows(
      H,
      ({ t, o, h, l, c, v }) =>
        [(t / DAY_MS + 25_569).toFixed(8), ...[o, h, l, c].map((one) => `"1,${one}"`), v].join(),
      "time,open,high,low,close,volume",
    ),
    tries: [
      { flags: series("kraken", "BTC/USD", "1h"), refused: /--decimal/ },
      {
        flags: series("kraken", "BTC/USD", "1h", "--decimal", "."),
        refused: /--time-format|before 2009/,
      },
      {
        flags: series("kraken", "BTC/USD", "1h", "--decimal", ".", "--time-format", "excel"),
        stored: H.map((row) => ({
          ...row,
          o: `1${row.o}`,
          h: `1${row.h}`,
          l: `1${row.l}`,
          c: `1${row.c}`,
        })),
      },
    ],
  },
  {
    name: "American dates",
    source: "https://www.kaggle.com/datasets/sudalairajkumar/cryptocurrencypricehistory",
    path: "btc.csv",
    bytes: rows(
      H,
      (row) =>
        `${iso(row.t).replace(/^(\d+)-(\d+)-(\d+)T(\d+:\d+).*/, "$2/$3/$1 $4")},${values(row)}`,
      "date,open,high,low,close,volume",
    ),
    tries: [
      { flags: series("kraken", "BTC/USD", "1h"), refused: /is not a time.*--time-format/ },
      { flags: series("kraken", "BTC/USD", "1h", "--time-format", "%m/%d/%Y %H:%M"), stored: H },
    ],
  },
  {
    name: "columns between strokes and between spaces",
    source: "https://www.postgresql.org/docs/current/sql-copy.html",
    path: "copy.txt",
    bytes: rows(M, (row) => plain(row).replaceAll(",", "  ")),
    tries: [
      { flags: BTC, refused: /--delimiter/ },
      { flags: [...BTC, "--delimiter", " "], stored: M },
    ],
  },
  {
    name: "PostgreSQL's columns between strokes",
    source: "https://www.postgresql.org/docs/current/sql-copy.html",
    path: "copy.txt",
    bytes: rows(M, (row) => plain(row).replaceAll(",", "|"), "time|open|high|low|close|volume"),
    tries: [{ flags: BTC, stored: M }],
  },
];

export const PROGRAM_FORMATS: readonly FileFormat[] = [...collectors, ...programs];
