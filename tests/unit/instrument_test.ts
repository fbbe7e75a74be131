import assert from "node:assert/strict";
import { namesSymbol } from "../../lib/market/instrument.ts";

Deno.test("an exchange's own name means one unified symbol", () => {
  for (
    const [symbol, ...names] of [
      ["BTC/USDT", "BTC/USDT", "BTC-USDT", "btcusdt", "BTC_USDT", "USDT-BTC"],
      ["BTC/USD", "XBTUSD", "XXBTZUSD", "tBTCUSD", "BTC-USD"],
      ["BTC/USDT:USDT", "BTC-USDT-SWAP", "BTCUSDT", "XBTUSDTM", "BTCPERP", "BTCUSDT_UMCBL"],
      ["BTC/USD:BTC", "BTCUSD_PERP", "PI_XBTUSD", "BTC-PERPETUAL", "BTC-USD-SWAP"],
      ["BTC/USDT:USDT-240927", "BTC-USDT-240927", "BTCUSDT_240927", "BTC-27SEP24"],
    ] as const
  ) for (const name of names) assert.equal(namesSymbol(name, symbol), true, `${name} ${symbol}`);
});

Deno.test("a name of another market, or one that is not understood, means none", () => {
  for (
    const [symbol, ...names] of [
      [
        "BTC/USDT",
        "BTC-USDT-SWAP",
        "BTC-USDC",
        "ETHUSDT",
        "BTC/USDT:USDT",
        "BTC-USDT-240927",
        "BTC",
      ],
      ["BTC/USD", "TBTCUSD", "USD"],
      ["BTC/USDT:USDT", "BTC-USDT", "BTC/USDT", "BTC-USDT-240927", "ETH-USDT-SWAP"],
      ["BTC/USDT:USDT-240927", "BTC-USDT-241227", "BTC-USDT-SWAP", "BTCUSDT", "BTC-27DEC24"],
    ] as const
  ) for (const name of names) assert.equal(namesSymbol(name, symbol), false, `${name} ${symbol}`);
});
