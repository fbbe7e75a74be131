/** Candles as exchanges document them, or as CCXT's source quotes their answers, and what their volumes count. @module */
import type { VolumeUnit } from "../../lib/market/terms.ts";

export interface VolumeSample {
  readonly kind: "spot" | "linear" | "inverse";
  /** A candle as the exchange's documents, or CCXT's source, have it. */
  readonly row: unknown;
  readonly unit: VolumeUnit;
  /** What the class must take for the volume. */
  readonly volume: string;
  /** What was traded in the quote currency, where the row tells: divided by the volume it is the price of a unit. */
  readonly turnover?: number;
  /** What one contract is worth in the base currency. @default 1 */
  readonly size?: number;
  readonly price?: number;
}

const ASTER =
  "[1499040000000,0.01634790,0.80000000,0.01575800,0.01577100,148976.11427815,1499644799999,2434.19055334]";
const COIN_M = ["9640.7", "9642.4", "9640.6", "9642.0", "206", 1591258379999, "2.13660389"];
const LIST = ["24341.4", "24344", "24313.2", "24323", "628", "2.5819", "62800", "0"];
const GATE = {
  t: 1539852480,
  v: "97151",
  c: "1.032",
  h: "1.032",
  l: "1.032",
  o: "1.032",
  sum: "3580",
};
const ORDERLY = {
  open: 66166.23,
  close: 66124.56,
  low: 66038.06,
  high: 66176.97,
  volume: 23.45528526,
};

export const SAMPLES: Readonly<Record<string, readonly VolumeSample[]>> = {
  apex: [{
    ...{ kind: "linear", unit: "base", volume: "0.052", turnover: 4690.4466, price: 90200 },
    row: {
      t: 1741265880000,
      c: "90235",
      h: "90235",
      l: "90156",
      o: "90156",
      v: "0.052",
      tr: "4690",
    },
  }],
  aster: [{
    ...{
      kind: "linear",
      unit: "base",
      volume: "148976.11427815",
      turnover: 2434.19,
      price: 0.01634,
    },
    row: JSON.parse(ASTER).map((value: number, at: number) => at === 0 ? value : String(value)),
  }],
  backpack: [{
    ...{ kind: "linear", unit: "base", volume: "0.03473", turnover: 4106.558156, price: 118_240 },
    row: {
      ...ohlc(118238, 118297.6, 118237.5, 118294.6),
      start: "2025-07-19 13:09:00",
      volume: "0.03473",
    },
  }],
  binance: [
    { kind: "inverse", unit: "base", volume: "2.13660389", row: [1591258320000, ...COIN_M] },
    {
      ...{
        kind: "linear",
        unit: "base",
        volume: "571.101",
        turnover: 32_796_220.87635,
        price: 57_426,
      },
      row: [
        1616340000000,
        "57480.91",
        "57490.00",
        "57372.26",
        "57405.05",
        "571.101",
        1616340299999,
      ],
    },
  ],
  bitget: [
    { kind: "linear", unit: "base", volume: "35.526", row: bitget("35.526", "1399132.341") },
    { kind: "inverse", unit: "base", volume: "35.526", row: bitget("1399132.341", "35.526") },
  ],
  blofin: [{ kind: "linear", unit: "base", volume: "2.5819", row: ["1678928760000", ...LIST] }],
  btse: [
    ...(["spot", "linear", "inverse"] as const).map((kind): VolumeSample => ({
      ...{ kind, unit: "quote", volume: "560622.306372" },
      row: ["1786600800", "1895.78", "1898.52", "1892.05", "1898.3", "560622.306372"],
    })),
  ],
  bybit: [
    { kind: "linear", unit: "base", volume: "1451.59", row: bybit("1451.59", "71789000") },
    {
      ...{ kind: "inverse", unit: "base", volume: "15.74462667", turnover: 268_611, price: 17_060 },
      row: ["1670608800000", "17071", "17073", "17027", "17055.5", "268611", "15.74462667"],
    },
  ],
  deepcoin: [{
    ...{
      kind: "linear",
      unit: "contracts",
      volume: "2849",
      turnover: 1_065_583.744,
      size: 0.1,
      price: 3740,
    },
    row: ["1760221800000", "3739.08", "3741.95", "3737.75", "3740.1", "2849", "1065583.744"],
  }],
  dydx: [{
    ...{ kind: "linear", unit: "base", volume: "1.5" },
    row: {
      ...ohlc(1, 1, 1, 1),
      startedAt: "2025-07-25T09:47:00.000Z",
      baseTokenVolume: "1.5",
      usdVolume: "9",
    },
  }],
  gate: [
    { kind: "linear", unit: "contracts", volume: "97151", row: GATE },
    { kind: "inverse", unit: "contracts", volume: "97151", row: GATE },
    {
      ...{
        kind: "spot",
        unit: "base",
        volume: "466641934.99",
        turnover: 6227.07,
        price: 0.00001334,
      },
      row: [
        "1660957920",
        "6227.070147198573",
        "0.0000133485",
        "0.0000133615",
        "0.0000133347",
        "0.0000133468",
        "466641934.99",
      ],
    },
  ],
  grvt: [{
    ...{ kind: "linear", unit: "base", volume: "15.32", turnover: 1_350_962.4782, price: 88_183 },
    row: {
      ...ohlc(88178.8, 88192.7, 88176.6, 88176.7),
      open_time: "1767288240000000000",
      volume_b: "15.32",
      volume_q: "1",
    },
  }],
  hibachi: [{
    ...{ kind: "linear", unit: "quote", volume: "1637355.846362" },
    row: {
      ...ohlc(3716.4, 3716.5, 3699.6, 3704.7),
      timestamp: 1712628000,
      volumeNotional: "1637355.846362",
    },
  }],
  hitbtc: [{
    ...{ kind: "linear", unit: "base", volume: "0.1879", turnover: 784.2517846, price: 4173 },
    row: {
      timestamp: "2021-10-25T07:38:00.000Z",
      open: "1",
      close: "1",
      min: "1",
      max: "1",
      volume: "0.1879",
    },
  }],
  htx: [{
    ...{ kind: "spot", unit: "base", volume: "1.2082" },
    row: {
      id: 1591515300,
      open: 1,
      high: 1,
      low: 1,
      close: 1,
      amount: "1.2082",
      vol: "0.0303205097",
    },
  }],
  kucoin: [
    {
      kind: "linear",
      unit: "contracts",
      volume: "78051",
      row: [1636459200000, 4779.3, 4792.1, 4768.7, 4770.3, "78051"],
    },
  ],
  lighter: [{
    ...{ kind: "linear", unit: "base", volume: "55.1632", turnover: 178_530.793575, price: 3236 },
    row: {
      t: 1767700500000,
      o: 3236.86,
      h: 3237.78,
      l: 3235.36,
      c: 3235.39,
      v: "55.1632",
      V: "178530.79",
    },
  }],
  mexc: [{
    ...{
      kind: "linear",
      unit: "contracts",
      volume: "1740",
      turnover: 60_793.623,
      size: 0.01,
      price: 3493,
    },
    row: [1634052300000, 3492.2, 3495.85, 3491.15, 3491.3, "1740"],
  }],
  modetrade: [orderly()],
  okx: [
    { kind: "linear", unit: "base", volume: "2.5819", row: ["1678928760000", ...LIST] },
    { kind: "inverse", unit: "base", volume: "2.5819", row: ["1678928760000", ...LIST] },
  ],
  poloniex: [{
    ...{
      kind: "linear",
      unit: "contracts",
      volume: "44",
      turnover: 3707.5395,
      size: 0.001,
      price: 84_260,
    },
    row: [
      "84207.02",
      "84320.85",
      "84207.02",
      "84253.83",
      "3707.5395",
      "44",
      "14",
      "1740770040000",
      "1740770099999",
    ],
  }],
  whitebit: [{
    ...{ kind: "linear", unit: "base", volume: "6.181", turnover: 0.154686629, price: 0.025025 },
    row: [1591488000, "0.025025", "0.025025", "0.025029", "0.025023", "6.181", "0.154686629"],
  }],
  woofipro: [orderly()],
  xt: [{
    ...{
      kind: "linear",
      unit: "contracts",
      volume: "312931",
      turnover: 702_461.58895,
      size: 0.0001,
      price: 22_447,
    },
    row: {
      t: 1678168020000,
      o: "22450.0",
      c: "22441.5",
      h: "22450.0",
      l: "22441.5",
      a: "312931",
      v: "702461.58895",
    },
  }],
};

function ohlc(open: number, high: number, low: number, close: number): object {
  return { open, high, low, close };
}

function bitget(fifth: string, sixth: string): unknown {
  return ["1645911960000", "39406", "39407", "39374.5", "39379", fifth, sixth];
}

function bybit(fifth: string, sixth: string): unknown {
  return ["1621162800", "49592.43", "49644.91", "49342.37", "49349.42", fifth, sixth];
}

function orderly(): VolumeSample {
  return {
    ...{
      kind: "linear",
      unit: "base",
      volume: "23.45528526",
      turnover: 1_550_436.21725288,
      price: 66_102,
    },
    row: { ...ORDERLY, start_timestamp: 1636388220000 },
  };
}
