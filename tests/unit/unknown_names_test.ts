/** Names that match nothing in the archive are explained by what is there. */
import assert from "node:assert/strict";
import { unknownNames } from "../../lib/text/unknown_names.ts";

const SERIES = [
  { exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" },
  { exchange: "binance", symbol: "ETH/USDT", timeframe: "1m" },
  { exchange: "kraken", symbol: "BTC/USDT", timeframe: "1h" },
  { exchange: "kraken", symbol: "BTC/USD", timeframe: "1h" },
];

Deno.test("names that match need no explanation, and neither does asking for all", () => {
  assert.equal(unknownNames(SERIES, {}), undefined);
  assert.equal(unknownNames([], { exchange: [], symbol: undefined }), undefined);
  assert.equal(
    unknownNames(SERIES, { exchange: ["binance", "kraken"], symbol: ["BTC/USDT"] }),
    undefined,
  );
  // Each name has a series, though not each pair of names.
  assert.equal(
    unknownNames(SERIES, { exchange: ["binance", "kraken"], symbol: ["ETH/USDT", "BTC/USD"] }),
    undefined,
  );
});

Deno.test("a name that no series has is told with the nearest", () => {
  assert.equal(
    unknownNames(SERIES, { exchange: ["krakenn"], symbol: ["BTC/USDT"] }),
    "Nothing is archived of the exchange krakenn. The nearest names: kraken",
  );
  assert.equal(
    unknownNames([], { symbol: ["BTC/USDT"] }),
    "Nothing is archived of the symbol BTC/USDT",
  );
});

Deno.test("where no name is similar, and of timeframes, it is told what is archived", () => {
  assert.equal(
    unknownNames(SERIES, { symbol: ["XMR/BTC"], timeframe: ["1M"] }),
    "Nothing is archived of the symbol XMR/BTC. Archived: BTC/USD, BTC/USDT, ETH/USDT\n" +
      "Nothing is archived of the timeframe 1M. Archived: 1h, 1m",
  );
});

Deno.test("of many unknown names the first three are told", () => {
  const text = unknownNames(SERIES, { symbol: ["A/B", "C/D", "E/F", "G/H"] });
  assert.equal(text?.split("\n").length, 3);
});

Deno.test("names that are archived only apart are told with what is archived beside the others", () => {
  assert.equal(
    unknownNames(SERIES, { exchange: ["kraken"], symbol: ["ETH/USDT"] }),
    "Nothing is archived of the symbol ETH/USDT for kraken. Archived there: BTC/USDT, BTC/USD",
  );
  assert.equal(
    unknownNames(SERIES, { exchange: ["binance", "kraken"], symbol: ["BTC/USD"] }),
    "Nothing is archived of the exchange binance for BTC/USD. Archived there: kraken",
  );
  assert.equal(
    unknownNames(SERIES, { exchange: ["binance"], symbol: ["BTC/USDT"], timeframe: ["1h"] }),
    "Nothing is archived of the symbol BTC/USDT for binance 1h. " +
      "Nothing is archived of these together",
  );
});
