/** Which classes of CCXT send no `since`: their requests say so themselves. @module */
import assert from "node:assert/strict";
import { type CcxtMarket, openCcxt } from "../../lib/exchange/ccxt.ts";
import { SinceSent } from "../../lib/exchange/since_sent.ts";
import type { Price } from "../../lib/market/price.ts";

const COMMON = { active: true, base: "BTC", quote: "USDT", baseId: "BTC", quoteId: "USDT" };
const SPOT = { ...COMMON, id: "BTCUSDT", symbol: "BTC/USDT", type: "spot", spot: true };
const LINEAR = {
  ...COMMON,
  id: "BTC-USDT-SWAP",
  symbol: "BTC/USDT:USDT",
  type: "swap",
  spot: false,
  swap: true,
  contract: true,
  linear: true,
  inverse: false,
};

/** Whether `since` is sent for spot markets and for linear ones. */
const EXPECTED: Readonly<Record<string, readonly [spot: boolean, linear: boolean]>> = {
  binance: [true, true],
  bitrue: [false, false],
  blofin: [false, false],
  digifinex: [true, false],
  gemini: [false, false],
  hyperliquid: [true, true],
  p2b: [false, false],
  phemex: [false, true],
};

for (const [id, [spot, linear]] of Object.entries(EXPECTED)) {
  Deno.test(`${id}: since is ${spot ? "" : "not "}sent for spot, ${linear ? "" : "not "}for linear markets`, async () => {
    const costs: number[] = [];
    const options = { config: {}, spotOnly: false, onCost: (cost: number) => costs.push(cost) };
    const sent = new SinceSent(() => openCcxt(id, options));
    const of = (market: CcxtMarket): Promise<boolean> => sent.of(market, "1h");
    assert.deepEqual([await of(SPOT), await of(LINEAR)], [spot, linear]);
    assert.deepEqual([await of(SPOT), await of(LINEAR)], [spot, linear]);
    assert.deepEqual(costs, [], "what is not sent costs nothing");
  });
}

Deno.test("since is sent for one price of a market and not for another, as the class has it", async () => {
  const open = (): ReturnType<typeof openCcxt> =>
    openCcxt("htx", { config: {}, spotOnly: false, onCost: () => {} });
  const sent = new SinceSent(open);
  const of = (price: Price): Promise<boolean> =>
    sent.of({ ...LINEAR, settle: "USDT" }, "1h", price);
  assert.deepEqual([await of("trade"), await of("mark"), await of("premium")], [
    true,
    false,
    false,
  ]);
});
