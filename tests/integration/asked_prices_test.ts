/** Which classes of CCXT ask for mark prices, index prices and premiums: their requests say so themselves. @module */
import assert from "node:assert/strict";
import { type CcxtMarket, exchangeIds, openCcxt } from "../../lib/exchange/ccxt.ts";
import { AskedPrices } from "../../lib/exchange/prices.ts";

const COMMON = {
  ...{
    active: true,
    base: "BTC",
    baseId: "BTC",
    spot: false,
    contract: true,
    type: "swap",
    swap: true,
  },
  ...{ precision: { price: "0.1", amount: "1" }, limits: {}, lowercaseId: "btcusdt" },
  // What single classes read of it: the name of the index.
  info: {
    pair: "BTCUSD",
    instFamily: "BTC-USD",
    spot_index: { symbol: ".DEXBTUSDT" },
  } as CcxtMarket["info"],
};
const LINEAR = {
  ...COMMON,
  ...{ id: "BTCUSDT", symbol: "BTC/USDT:USDT", quote: "USDT", quoteId: "USDT", settle: "USDT" },
  ...{ settleId: "usdt", linear: true, inverse: false },
};
const INVERSE = {
  ...COMMON,
  ...{ id: "BTCUSD", symbol: "BTC/USD:BTC", quote: "USD", quoteId: "USD", settle: "BTC" },
  ...{ settleId: "btc", linear: false, inverse: true },
};
const SPOT = { ...LINEAR, symbol: "BTC/USDT", spot: true, type: "spot" };

/** Of linear markets; of inverse ones, if they differ. */
const EXPECTED: Readonly<Record<string, readonly [linear: string, inverse?: string]>> = {
  aster: ["mark index"],
  backpack: ["mark index"],
  bequant: ["mark index premium"],
  binance: ["mark index premium"],
  binancecoinm: ["mark index premium"],
  binanceusdm: ["mark index premium"],
  // Of inverse markets the class passes `price=mark` on: the exchange would answer with trades.
  bingx: ["mark", ""],
  bitget: ["mark index"],
  bybit: ["mark index premium"],
  bybiteu: ["mark index premium"],
  bybitid: ["mark index premium"],
  deepcoin: ["mark index"],
  delta: ["mark index"],
  extended: ["mark index"],
  fmfwio: ["mark index premium"],
  gate: ["mark index"],
  gateeu: ["mark index"],
  hitbtc: ["mark index premium"],
  htx: ["mark premium"],
  krakenfutures: ["mark index"],
  kucoin: ["mark index premium"],
  kucoinfutures: ["mark index premium"],
  mexc: ["mark index"],
  mudrex: ["mark"],
  myokx: ["mark index"],
  okx: ["mark index"],
  okxus: ["mark index"],
  paradex: ["mark index"],
  toobit: ["mark index"],
  weex: ["mark index"],
};

Deno.test("each class of CCXT has the prices that it asks for, and no other", async () => {
  const found: Record<string, readonly string[]> = {};
  const costs: number[] = [];
  for (const id of await exchangeIds()) {
    const open = (): ReturnType<typeof openCcxt> =>
      openCcxt(id, { config: {}, spotOnly: false, onCost: (cost) => costs.push(cost) });
    const ccxt = await open().catch(() => undefined);
    if (ccxt?.has["fetchOHLCV"] !== true) continue;
    const prices = new AskedPrices(open);
    const markets: readonly CcxtMarket[] = [LINEAR, INVERSE, SPOT];
    await prices.learn(ccxt, markets);
    const [linear = "", inverse = "", spot] = markets.map((one) => prices.of(one).join(" "));
    assert.equal(spot, "", `${id}: spot markets have no other prices`);
    if (linear + inverse !== "") found[id] = linear === inverse ? [linear] : [linear, inverse];
  }
  assert.deepEqual(found, EXPECTED);
  assert.deepEqual(costs, [], "what is not sent costs nothing");
});

Deno.test("a class that asks for the same candles by all prices has none of them", async () => {
  const asks = (path: (price: unknown) => string) => async (): ReturnType<typeof openCcxt> => {
    const ccxt = await openCcxt("binance", { config: {}, spotOnly: false, onCost: () => {} });
    ccxt.fetchOHLCV = async (_symbol, _timeframe, _sinceMs, _limit, { price }) =>
      await (ccxt as unknown as { fetch: (url: string) => Promise<unknown[]> }).fetch(path(price));
    return ccxt;
  };
  const cases: Readonly<Record<string, readonly [(price: unknown) => string, string]>> = {
    "the class does not know the parameter": [(price) => `/klines?price=${price}&limit=5`, ""],
    "nor in a body": [(price) => `/klines {"limit":5,"price":"${price}"}`, ""],
    "two of them are one": [
      (price) => price === undefined ? "/klines" : price === "mark" ? "/mark" : "/index",
      "mark",
    ],
    "the price of trades is one of them": [
      (price) => price === undefined || price === "mark" ? "/klines" : `/${price}`,
      "index premium",
    ],
  };
  for (const [name, [path, expected]] of Object.entries(cases)) {
    const open = asks(path);
    const prices = new AskedPrices(open);
    await prices.learn(await open(), [LINEAR]);
    assert.equal(prices.of(LINEAR).join(" "), expected, name);
  }
});
