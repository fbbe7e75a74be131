/** Files that exchanges publish. Each row says where its form is documented. @module */
import type { Layout, Preset } from "./preset.ts";

const PRICES = ["open", "high", "low", "close"] as const;

const BINANCE_COLUMNS = [
  ...["open_time", ...PRICES, "volume", "close_time", "quote_volume", "count"],
  ...["taker_buy_volume", "taker_buy_quote_volume", "ignore"],
];

/** All that Binance has or had, so that a quote is never taken for the end of another: `TUSD`, but no `USD`. */
const BINANCE_QUOTES = [
  ...["USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "USDS", "USD1", "PAX", "UST", "DAI", "VAI"],
  ...["BTC", "ETH", "BNB", "TRX", "XRP", "DOGE", "DOT", "SOL", "EUR", "EURI", "AEUR", "GBP", "AUD"],
  ...["TRY", "BRL", "RUB", "UAH", "NGN", "ZAR", "PLN", "RON", "ARS", "COP", "MXN", "CZK", "JPY"],
  ...["IDR", "IDRT", "BIDR", "BKRW", "BVND", "GYEN"],
];

const BINANCE_NAMES = [{
  form:
    /^(?<symbol>[A-Z0-9]+(?:_PERP|_\d{6})?)-(?<timeframe>\d+(?:s|m|h|d|w|mo))-(?<date>\d{4}-\d\d(?:-\d\d)?)$/,
  isOwn: true,
}];

const BINANCE_HEAD =
  /^open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_/;

const BINANCE_FOLDERS = [
  { form: /\bfutures[\\/](?:um|cm)[\\/].*\bmarkPriceKlines\b/, kind: "contract", price: "mark" },
  { form: /\bmarkPriceKlines\b/, kind: "contract", price: "mark" },
  { form: /\bindexPriceKlines\b/, kind: "contract", price: "index" },
  { form: /\bpremiumIndexKlines\b/, kind: "contract", price: "premium" },
  { form: /\bfutures[\\/]um[\\/]/, kind: "linear" },
  { form: /\bfutures[\\/]cm[\\/]/, kind: "inverse" },
  { form: /\bspot[\\/](?:daily|monthly)[\\/]/, kind: "spot" },
] as const;

/** Seven columns as several exchanges' interfaces answer: turnover follows volume. */
const WITH_TURNOVER: Layout = { columns: ["time", ...PRICES, "volume", "turnover"] };

export const EXCHANGE_PRESETS: readonly Preset[] = [
  {
    // https://github.com/binance/binance-public-data: milliseconds, from 2025 on microseconds.
    name: "binance",
    exchange: "binance",
    kinds: ["spot"],
    layouts: [{ columns: BINANCE_COLUMNS }],
    fileNames: BINANCE_NAMES,
    folders: BINANCE_FOLDERS,
    namedHead: BINANCE_HEAD,
    quotes: BINANCE_QUOTES,
    zoneMs: 0,
    hasUtcDates: true,
    volume: { spot: "base" },
  },
  {
    // The same repository, `futures/um` and `futures/cm`: the volume of COIN-M counts contracts, its eighth column coins.
    // Rows have no head before 2022.
    name: "binance-futures",
    kinds: ["linear", "inverse"],
    layouts: [{ columns: BINANCE_COLUMNS }],
    fileNames: BINANCE_NAMES,
    folders: BINANCE_FOLDERS,
    namedHead: BINANCE_HEAD,
    quotes: ["USDT", "USDC", "BUSD", "USD", "BTC"],
    zoneMs: 0,
    hasUtcDates: true,
    volume: { linear: "base", inverse: "contracts" },
  },
  {
    // https://support.kraken.com/articles/360047124832: OHLCVT, seconds, the minutes of the timeframe in the name.
    name: "kraken",
    exchange: "kraken",
    kinds: ["spot"],
    layouts: [{ columns: ["time", ...PRICES, "volume", "trades"] }],
    fileNames: [
      { form: /^(?<symbol>[A-Z0-9.]+)_(?<timeframe>1|5|15|30|60|240|720|1440)$/, isOwn: true },
    ],
    timeframe: (text) => timeframeOfMinutes(text),
    quotes: [
      ...["USD", "EUR", "GBP", "CAD", "JPY", "AUD", "CHF", "USDT", "USDC", "DAI", "PYUSD", "USDQ"],
      ...["EURQ", "EURR", "RLUSD", "USDG", "XBT", "ETH", "DOT", "SOL", "AED"],
    ],
    coins: { XBT: "BTC", XDG: "DOGE" },
    zoneMs: 0,
    volume: { spot: "base" },
  },
  {
    // https://www.okx.com/historical-data: `confirm` 0 is a candle that had not closed; days begin at 16:00 UTC.
    name: "okx",
    exchange: "okx",
    kinds: ["spot"],
    layouts: [
      { columns: ["time", ...PRICES, "volume", "vol_ccy", "vol_quote", "confirm"] },
      { columns: ["time", ...PRICES, "volume", "vol_ccy"] },
    ],
    heads: [/^instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm$/],
    fileNames: [{
      form:
        /^(?<symbol>[A-Z0-9]+-[A-Z0-9]+)-candlesticks-(?:(?<timeframe>\d+[mHDWM])-)?(?<date>\d{4}-\d\d(?:-\d\d)?)$/,
      isOwn: true,
    }],
    zoneMs: 0,
    volume: { spot: "base" },
  },
  {
    // The same, of contracts: `vol` counts contracts, `vol_ccy` coins.
    name: "okx-swap",
    exchange: "okx",
    kinds: ["linear", "inverse"],
    layouts: [{
      columns: ["time", ...PRICES, "volume_contracts", "volume", "turnover", "confirm"],
    }],
    heads: [/^instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm$/],
    fileNames: [{
      form:
        /^(?<symbol>[A-Z0-9]+-[A-Z0-9]+-(?:SWAP|\d{6}))-candlesticks-(?:(?<timeframe>\d+[mHDWM])-)?(?<date>\d{4}-\d\d(?:-\d\d)?)$/,
      isOwn: true,
    }],
    renamed: { vol: "volume_contracts", vol_ccy: "volume", vol_quote: "turnover" },
    zoneMs: 0,
    volume: { linear: "base", inverse: "base" },
  },
  {
    // https://public.bybit.com/kline_for_metatrader4: `2024.03.01 00:00` at UTC+3. The other order is that of its interface:
    // https://bybit-exchange.github.io/docs/v5/market/kline. Of inverse contracts the volume is dollars.
    name: "bybit",
    exchange: "bybit",
    layouts: [{ columns: ["time", ...PRICES, "volume"] }, WITH_TURNOVER],
    fileNames: [{
      form:
        /^(?<symbol>[A-Z0-9]+)_(?<timeframe>1|3|5|15|30|60|120|240|360|720|D|W|M)_\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d$/,
      isOwn: true,
      kind: "contract",
      zoneMs: 3 * 60 * 60_000,
    }],
    renamed: { start_at: "time" },
    timeframe: (text) => timeframeOfMinutes(text),
    quotes: ["USDT", "USDC", "USDE", "USD", "BTC", "ETH", "EUR", "DAI", "BRZ", "MNT", "TRY"],
    volume: { spot: "base", linear: "base", inverse: "quote" },
  },
  {
    // https://www.gate.com/developer/historical_quotes: time, volume, close, high, low, open; of spot markets that volume is
    // turnover, as in the interface, whose rows go on with the base volume and whether the candle is closed.
    name: "gate",
    exchange: "gate",
    layouts: [
      { columns: ["time", "turnover", "close", "high", "low", "open"], kinds: ["spot"] },
      { columns: ["time", "turnover", "close", "high", "low", "open", "volume"], kinds: ["spot"] },
      {
        columns: ["time", "turnover", "close", "high", "low", "open", "volume", "closed"],
        kinds: ["spot"],
      },
      { columns: ["time", "volume", "close", "high", "low", "open"], kinds: ["linear", "inverse"] },
      {
        columns: ["time", "volume", "close", "high", "low", "open", "turnover"],
        kinds: ["linear", "inverse"],
      },
    ],
    fileNames: [{ form: /^(?<symbol>[A-Z0-9]+_[A-Z0-9]+)-(?<date>\d{6})$/, isOwn: true }],
    folders: [
      { form: /\bspot[\\/]candlesticks_/, kind: "spot" },
      { form: /\bfutures_usdt[\\/]/, kind: "linear" },
      { form: /\bfutures_btc[\\/]/, kind: "inverse" },
    ],
    zoneMs: 0,
    hasUtcDates: true,
    volume: { spot: "base", linear: "contracts", inverse: "contracts" },
  },
  {
    // https://github.com/hbdmapi/huobi_public_data: `vol` is turnover of spot markets, and contracts of others; `amount` is
    // what was traded in coins.
    name: "htx",
    exchange: "htx",
    layouts: [
      { columns: ["time", "open", "close", "high", "low", "turnover", "volume"], kinds: ["spot"] },
      { columns: ["time", "open", "high", "low", "close", "turnover", "volume"], kinds: ["spot"] },
      {
        columns: ["time", "open", "high", "low", "close", "turnover", "volume", "count"],
        kinds: ["spot"],
      },
      {
        columns: ["time", "open", "close", "high", "low", "turnover", "volume", "count"],
        kinds: ["spot"],
      },
      {
        columns: [
          "time",
          "open",
          "high",
          "low",
          "close",
          "volume_contracts",
          "volume",
          "count",
          "turnover",
        ],
        kinds: ["linear", "inverse"],
      },
      {
        columns: ["time", "open", "close", "high", "low", "volume_contracts", "volume", "turnover"],
        kinds: ["linear", "inverse"],
      },
    ],
    renamed: { vol: "turnover", amount: "volume" },
    // Only names of contracts have a mark between the coins.
    fileNames: [
      {
        form:
          /^(?<symbol>[A-Z0-9]+)-(?<timeframe>\d+(?:min|hour|day|week|mon))-(?<date>\d{4}-\d\d(?:-\d\d)?)$/,
        isOwn: true,
        kind: "spot",
      },
      {
        form:
          /^(?<symbol>[A-Z0-9]+-[A-Z0-9]+)-(?<timeframe>\d+(?:min|hour|day|week|mon))-(?<date>\d{4}-\d\d(?:-\d\d)?)$/,
        isOwn: true,
        kind: "contract",
      },
    ],
    quotes: [
      "USDT",
      "HUSD",
      "USDC",
      "USDD",
      "BTC",
      "ETH",
      "HT",
      "TRX",
      "EUR",
      "EURT",
      "GBP",
      "TRY",
    ],
    zoneMs: 0,
    volume: { spot: "base" },
  },
  {
    // https://www.kucoin.com/support/historical-data and https://www.kucoin.com/docs-new/3470071w0: close before high, seconds.
    // Of futures the volume counts lots.
    name: "kucoin",
    exchange: "kucoin",
    layouts: [
      { columns: ["time", "open", "close", "high", "low", "volume", "turnover"], kinds: ["spot"] },
      { columns: ["time", "open", "high", "low", "close", "volume"], kinds: ["linear", "inverse"] },
      {
        columns: ["time", "open", "high", "low", "close", "volume", "turnover"],
        kinds: ["linear", "inverse"],
      },
    ],
    heads: [/^time,open,close,high,low,volume,turnover$/],
    fileNames: [{
      form: /^(?<symbol>[A-Z0-9]+)-(?<timeframe>\d+(?:m|h|d|w))-(?<date>\d{4}-\d\d(?:-\d\d)?)$/,
      isOwn: true,
    }],
    quotes: [
      "USDT",
      "USDC",
      "BTC",
      "ETH",
      "KCS",
      "TRX",
      "EUR",
      "DAI",
      "UST",
      "BUSD",
      "TUSD",
      "BRL",
    ],
    zoneMs: 0,
    volume: { spot: "base", linear: "contracts", inverse: "contracts" },
  },
  {
    // https://www.bitget.com/data-download, in the order of https://www.bitget.com/api-doc/spot/market/Get-Candle-Data.
    name: "bitget",
    exchange: "bitget",
    layouts: [
      WITH_TURNOVER,
      { columns: ["time", ...PRICES, "volume", "usdt_volume", "turnover"] },
    ],
    heads: [/^timestamp,open,high,low,close,basevolume,usdtvolume(?:,quotevolume)?$/],
    fileNames: [
      {
        form: /^(?<symbol>[A-Z0-9]+)_SPBL_(?<timeframe>\d+(?:min|[mHDW]))_(?<date>\d{8})$/,
        isOwn: true,
        kind: "spot",
      },
      {
        form: /^(?<symbol>[A-Z0-9]+)_[UD]MCBL_(?<timeframe>\d+(?:min|[mHDW]))_(?<date>\d{8})$/,
        isOwn: true,
        kind: "contract",
      },
    ],
    quotes: ["USDT", "USDC", "USD", "BTC", "ETH", "EUR", "BRL", "BGB"],
    zoneMs: 0,
    volume: { spot: "base", linear: "base" },
  },
  {
    // https://docs.cdp.coinbase.com/exchange/reference/exchangerestapi_getproductcandles: low first, seconds, newest first.
    name: "coinbase",
    exchange: "coinbase",
    kinds: ["spot"],
    layouts: [{ columns: ["time", "low", "high", "open", "close", "volume"] }],
    heads: [/^time,low,high,open,close,volume$/],
    quotes: ["USD", "EUR", "GBP", "USDC", "USDT", "BTC", "ETH", "DAI"],
    zoneMs: 0,
    volume: { spot: "base" },
  },
  {
    // https://docs.bitfinex.com/reference/rest-public-candles: MTS, OPEN, CLOSE, HIGH, LOW, VOLUME.
    name: "bitfinex",
    exchange: "bitfinex",
    layouts: [{ columns: ["time", "open", "close", "high", "low", "volume"] }],
    heads: [/^mts,open,close,high,low,volume$/],
    renamed: { mts: "time" },
    coins: { UST: "USDT", UDC: "USDC", DSH: "DASH" },
    zoneMs: 0,
    volume: { spot: "base", linear: "base" },
  },
];

const LETTERS: Readonly<Record<string, string>> = { D: "1d", W: "1w", M: "1M" };

/** `60` is an hour, `1440` or `D` a day. */
export function timeframeOfMinutes(text: string): string | undefined {
  if (Object.hasOwn(LETTERS, text)) return LETTERS[text];
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const minutes = Number(text);
  if (minutes % 10_080 === 0) return `${minutes / 10_080}w`;
  if (minutes % 1440 === 0) return `${minutes / 1440}d`;
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;
}
