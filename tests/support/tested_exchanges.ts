/** The exchanges whose true answer formats are tested: those that `.env.example` names. @module */

export const TESTED_EXCHANGES: readonly string[] = [
  "binance",
  "coinbase",
  "kraken",
  "okx",
  "bybit",
  "kucoin",
  "gate",
  "bitget",
  "mexc",
  "htx",
  "cryptocom",
  "bitfinex",
  "bitstamp",
  "gemini",
  "whitebit",
  "bingx",
  "upbit",
  "poloniex",
  "hitbtc",
  "bitvavo",
];
