/** What the volumes of CCXT's classes count: each class parses an answer that its exchange documents. @module */
import assert from "node:assert/strict";
import { exchangeIds, openCcxt } from "../../lib/exchange/ccxt.ts";
import { hasVolumeUnits, volumeUnit } from "../../lib/exchange/volume_units.ts";
import { SAMPLES, type VolumeSample } from "../support/volume_samples.ts";

Deno.test("classes take the volume that the table says, of answers as their exchanges document them", async (t) => {
  for (const [id, samples] of Object.entries(SAMPLES)) {
    await t.step(id, async () => {
      const exchange = await openCcxt(id, { config: {}, spotOnly: false, onCost: () => {} });
      const { parseOHLCV } = exchange as unknown as {
        readonly parseOHLCV: (row: unknown, market: unknown) => readonly unknown[];
      };
      for (const { kind, row, unit, volume, turnover, size = 1, price } of samples) {
        const parsed = parseOHLCV.call(exchange, row, marketOf(kind));
        assert.equal(String(parsed[5]), volume, kind);
        assert.equal(volumeUnit(id, kind), unit, kind);
        if (turnover === undefined || price === undefined) continue;
        const worth = kind === "inverse"
          ? turnover / Number(volume)
          : turnover / Number(volume) / size;
        assert.ok(Math.abs(worth / price - 1) < 0.001, `${kind}: ${worth} is not ${price}`);
      }
    });
  }
});

/** Classes with contracts of which nothing is proved. What they say of contracts has no base volume. */
const UNPROVED = [
  ...[
    "bigone",
    "bitrue",
    "bitstamp",
    "bullish",
    "bydfi",
    "coinbase",
    "delta",
    "digifinex",
    "extended",
    "gemini",
  ],
  ...["hashkey", "mudrex", "nado", "paradex", "phemex", "toobit", "weex", "zebpay"],
];

Deno.test("every class with candles of contracts has a row, or is known to have none", async () => {
  const lacking: string[] = [];
  for (const id of await exchangeIds()) {
    const { has } = await openCcxt(id, { config: {}, spotOnly: false, onCost: () => {} });
    const hasContracts = has["swap"] === true || has["future"] === true;
    if (has["fetchOHLCV"] === true && hasContracts && !hasVolumeUnits(id)) lacking.push(id);
  }
  assert.deepEqual(lacking, UNPROVED);
  for (const id of UNPROVED) {
    assert.deepEqual(
      [volumeUnit(id, "spot"), volumeUnit(id, "linear"), volumeUnit(id, "inverse")],
      ["base", undefined, undefined],
    );
  }
});

Deno.test("a class has the units of the class it inherits from, and what cannot be relied on has none", () => {
  for (
    const [id, parent] of [["binancecoinm", "binance"], ["kucoinfutures", "kucoin"], [
      "myokx",
      "okx",
    ]] as const
  ) {
    assert.equal(volumeUnit(id, "inverse"), volumeUnit(parent, "inverse"));
  }
  assert.equal(volumeUnit("bequant", "linear"), "base");
  assert.equal(volumeUnit("coinex", "spot"), undefined);
  // They count both sides of each trade.
  assert.deepEqual([volumeUnit("htx", "linear"), volumeUnit("htx", "inverse")], [
    undefined,
    undefined,
  ]);
  assert.equal(volumeUnit("binance", undefined), undefined);
  assert.equal(volumeUnit("constructor", "linear"), undefined);
});

function marketOf(kind: VolumeSample["kind"]): unknown {
  const isContract = kind !== "spot";
  return {
    ...{ id: "X", symbol: "X/Y", spot: !isContract, contract: isContract, swap: isContract },
    ...{
      linear: kind === "linear",
      inverse: kind === "inverse",
      type: isContract ? "swap" : "spot",
    },
  };
}
