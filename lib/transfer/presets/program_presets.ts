/** Files that programs, sellers and collectors of candles write. Each row says where its form is documented. @module */
import { timeframeOf, timeframeOfMinutes } from "../../market/market_name.ts";
import type { Preset } from "./preset.ts";

export const PROGRAM_PRESETS: readonly Preset[] = [
  {
    // https://www.cryptodatadownload.com/data: an address first, newest first, `Volume BTC` beside `Volume USDT`.
    name: "cryptodatadownload",
    heads: [
      /^unix(?: timestamp)?,date,symbol,open,high,low,close,volume/,
      /^date,symbol,open,high,low,close,volume [a-z0-9]+,volume [a-z0-9]+/,
    ],
    fileNames: [{
      form:
        /^(?<exchange>[A-Za-z]+)_(?<symbol>[A-Z0-9]+)_(?:\d{4}_)?(?<timeframe>1?h|1hr|d|minute|1min)$/,
      isOwn: true,
    }],
    timeframe: (text) => text === "h" ? "1h" : timeframeOf(text),
    quotes: [
      "USDT",
      "USDC",
      "BUSD",
      "TUSD",
      "FDUSD",
      "USD",
      "EUR",
      "GBP",
      "BTC",
      "ETH",
      "BNB",
      "TRY",
      "JPY",
    ],
    isPlainSpot: true,
    zoneMs: 0,
    volume: { spot: "base" },
  },
  {
    // https://www.kaggle.com/datasets/mczielinski/bitcoin-historical-data: NaN where nothing was traded.
    name: "kaggle-bitstamp",
    exchange: "bitstamp",
    kinds: ["spot"],
    heads: [/^timestamp,open,high,low,close,volume_\(btc\),volume_\(currency\),weighted_price$/],
    fileNames: [
      {
        form: /^bitstamp(?<quote>USD)_(?<timeframe>1)-min_data_\d{4}-\d\d-\d\d_to_\d{4}-\d\d-\d\d$/,
        isOwn: true,
      },
      { form: /^(?<symbol>btcusd)_(?<timeframe>1)-min_data$/, isOwn: true },
    ],
    namedHead: /^(?:time|timestamp|date),/,
    timeframe: () => "1m",
    renamed: { "volume_(btc)": "volume", "volume_(currency)": "turnover" },
    quotes: ["USD"],
    zoneMs: 0,
    volume: { spot: "base" },
  },
  {
    // https://www.tradingview.com/support/solutions/43000537255: `BINANCE_BTCUSDT, 60`; the time in seconds or ISO 8601.
    // Until 2022, `BYBIT_BTCUSD` was the perpetual that is `BYBIT_BTCUSD.P` now: such names prove nothing.
    name: "tradingview",
    fileNames: [{
      form:
        /^(?!(?:BYBIT|DERIBIT|PHEMEX|BITMEX)_[A-Z0-9]+USD,)(?<exchange>[A-Z]+)_(?<symbol>[A-Z0-9]+(?:\.P)?), (?<timeframe>\d*[SDWM]?)(?:_[0-9a-f]+)?(?: \(\d+\))?$/,
      isOwn: true,
    }],
    namedHead: /^(?:time|timestamp|date),/,
    timeframe: (text) =>
      /^\d+[DWM]$/.test(text)
        ? text.replace(/[DW]$/, (unit) => unit.toLowerCase())
        : timeframeOfMinutes(text),
    quotes: [
      "USDT",
      "USDC",
      "BUSD",
      "FDUSD",
      "TUSD",
      "USD",
      "EUR",
      "GBP",
      "BTC",
      "ETH",
      "JPY",
      "TRY",
    ],
    isPlainSpot: true,
    coins: { XBT: "BTC" },
  },
  {
    // https://github.com/ranaroussi/yfinance: `download` has three lines of head, `Ticker.history` dividends and splits.
    name: "yfinance",
    heads: [
      /^date(?:time)?,open,high,low,close,(?:adj close,)?volume(?:,dividends,stock splits)$/,
      /^date(?:time)?,(?:adj close,)?close,high,low,open,volume$/,
      /^date,open,high,low,close,adj close,volume$/,
    ],
    // Without adjusted closes its head is that of others; so is its name, but not together with whole volumes.
    fileNames: [{ form: /^(?<symbol>[A-Z0-9]+-[A-Z]{3})$/, isOwn: true }],
    namedHead: /^date(?:time)?,open,high,low,close,volume$/,
    doubt: {
      why:
        "Yahoo's volumes of coins are turnover in the quote currency, of all exchanges together. " +
        "If these are of the base currency, say so with --volume-unit base",
      ofWhole: true,
    },
  },
  {
    // https://coinmarketcap.com/currencies/bitcoin/historical-data: `timeOpen`, and the turnover of all exchanges.
    name: "coinmarketcap",
    heads: [/^timeopen,timeclose,timehigh,timelow,/],
    doubt: {
      why: "CoinMarketCap's volumes are turnover in dollars, of all exchanges together. " +
        "If these are of the base currency, say so with --volume-unit base",
      ofWhole: false,
    },
  },
  {
    // https://www.freqtrade.io/en/stable/data-download: `BTC_USDT-5m`, `BTC_USDT_USDT-1h-futures`; volumes as CCXT has them.
    name: "freqtrade",
    layouts: [{ columns: ["time", "open", "high", "low", "close", "volume"] }],
    fileNames: [
      { form: /^(?<symbol>[A-Z0-9]+_[A-Z0-9]+)-(?<timeframe>\d+[mhdwM])$/, isOwn: true },
      {
        form:
          /^(?<symbol>[A-Z0-9]+_[A-Z0-9]+_[A-Z0-9]+(?:-\d{6})?)-(?<timeframe>\d+[mhdwM])-futures$/,
        isOwn: true,
      },
      {
        form: /^(?<symbol>[A-Z0-9]+_[A-Z0-9]+_[A-Z0-9]+(?:-\d{6})?)-(?<timeframe>\d+[mhdwM])-mark$/,
        isOwn: true,
        price: "mark",
      },
      {
        form:
          /^(?<symbol>[A-Z0-9]+_[A-Z0-9]+_[A-Z0-9]+(?:-\d{6})?)-(?<timeframe>\d+[mhdwM])-index$/,
        isOwn: true,
        price: "index",
      },
    ],
    namedHead: /^(?:time|timestamp|date),/,
    isPlainSpot: true,
    zoneMs: 0,
    volume: "stored",
  },
  {
    // https://docs.jesse.trade/docs/research/candles: timestamp, open, close, high, low, volume.
    name: "jesse",
    layouts: [{ columns: ["time", "open", "close", "high", "low", "volume"] }],
    heads: [/^timestamp,open,close,high,low,volume$/],
    zoneMs: 0,
  },
  {
    // https://www.metatrader5.com/en/terminal/help/trading_advanced/custom_instruments: `<DATE>`, the broker's zone. Files of
    // MetaTrader 4 have no names, and count ticks instead of a volume.
    name: "metatrader",
    layouts: [{ columns: ["date", "time", "open", "high", "low", "close", "ticks"] }],
    heads: [/^<date>,(?:<time>,)?<open>,<high>,<low>,<close>,<tickvol>/],
    fileNames: [
      {
        form:
          /^(?<symbol>[A-Za-z0-9.]+)_(?<timeframe>M\d+|H\d+|Daily|Weekly|Monthly)_\d{12}_\d{12}$/,
        isOwn: true,
      },
      {
        form: /^(?<symbol>[A-Za-z0-9.]+)_(?<timeframe>M\d+|H\d+|Daily|Weekly|Monthly)_\d{8,}$/,
        isOwn: true,
      },
      {
        form: /^(?<symbol>[A-Z]{6,12})(?<timeframe>1|5|15|30|60|240|1440|10080|43200)$/,
        isOwn: false,
      },
    ],
    timeframe: (text) => timeframeOf(text) ?? timeframeOfMinutes(text),
    quotes: ["USDT", "USD", "EUR", "GBP", "JPY"],
  },
  {
    // https://polygon.io/docs/flat-files/crypto/minute-aggregates: window_start in nanoseconds, `X:BTC-USD`.
    name: "polygon",
    kinds: ["spot"],
    heads: [/^ticker,volume,open,close,high,low,window_start,transactions$/],
    renamed: { window_start: "time" },
    zoneMs: 0,
    volume: { spot: "base" },
  },
];
