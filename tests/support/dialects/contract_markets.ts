/** Contracts as the exchanges list them: same names, other sizes. @module */
import { contract } from "../../../lib/local_exchange/contract.ts";
import type { LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

/** Linear: base a contract. Inverse: quote a contract. What no exchange lists is left out. */
type Sizes = Readonly<Record<"BTC/USDT:USDT" | "ETH/USDT:USDT" | "BTC/USD:BTC", number>> & {
  readonly "ETH/USD:ETH"?: number;
};

/** As the exchanges' documents and lists say. Bybit has no contracts for linear ones: its steps stand here. */
const SIZES = {
  binance: {
    "BTC/USDT:USDT": 0.001,
    "ETH/USDT:USDT": 0.001,
    "BTC/USD:BTC": 100,
    "ETH/USD:ETH": 10,
  },
  bybit: { "BTC/USDT:USDT": 0.001, "ETH/USDT:USDT": 0.01, "BTC/USD:BTC": 1, "ETH/USD:ETH": 1 },
  okx: { "BTC/USDT:USDT": 0.01, "ETH/USDT:USDT": 0.1, "BTC/USD:BTC": 100, "ETH/USD:ETH": 10 },
  // Its only inverse contract is that of bitcoin.
  gate: { "BTC/USDT:USDT": 0.0001, "ETH/USDT:USDT": 0.01, "BTC/USD:BTC": 1 },
} as const satisfies Readonly<Record<string, Sizes>>;

export type ContractExchange = keyof typeof SIZES;

const FACTS = {
  BTC: { tickDecimals: 1, price: 62_000, listedAtMs: Date.UTC(2019, 8, 8, 17, 57) },
  ETH: { tickDecimals: 2, price: 2_900, listedAtMs: Date.UTC(2019, 10, 27, 7, 45) },
} as const;

/** Two linear perpetuals, up to two inverse ones and one dated future of each kind. */
export function contractMarkets(exchange: ContractExchange): readonly LocalSymbol[] {
  const perpetuals = Object.entries(SIZES[exchange]).map(([symbol, size]) => {
    const facts = symbol.startsWith("BTC") ? FACTS.BTC : FACTS.ETH;
    return contract(symbol, { ...facts, size, quoteVolume24h: 1_000_000_000 });
  });
  const { "BTC/USDT:USDT": linear, "BTC/USD:BTC": inverse } = SIZES[exchange];
  const dated = { ...FACTS.BTC, quoteVolume24h: 20_000_000, listedAtMs: Date.UTC(2024, 2, 29, 8) };
  const futures = [contract("BTC/USDT:USDT-241227", { ...dated, size: linear })];
  // Gate's delivery contracts are settled in USDT.
  if (exchange !== "gate") {
    futures.push(contract("BTC/USD:BTC-241227", { ...dated, size: inverse }));
  }
  return [...perpetuals, ...futures];
}
