import assert from "node:assert/strict";
import { render } from "../../lib/cli/plan.ts";
import type { PlanCapacity, PlanEntry } from "../../lib/fetch/plan.ts";

const ENTRY: PlanEntry = {
  exchange: "binance",
  timeframe: "1m",
  series: 2,
  candles: 20_160,
  pages: 22,
  seconds: 3_720,
  bytes: 3_487_680,
  impossible: 0,
  reachFrom: null,
};

const CAPACITY: PlanCapacity = {
  kinds: null,
  exchange: "binance",
  symbols: 2,
  timeframes: ["1m"],
  pollsAMinute: 2,
  secondsAMinute: 0.04,
  symbolsMax: 2_750,
  pollMinutes: null,
  backfillSeconds: 3_722,
  bytesAMonth: 15_200_000,
  compressedAMonth: 2_190_000,
};

const PLAN = {
  entries: [ENTRY],
  funding: [],
  history: [],
  byHand: [],
  problems: [],
  seconds: 3_720,
  bytes: 3_487_680,
} as const;

Deno.test("a plan says what is owed, and how long and how big it is at least", () => {
  const text = render({ ...PLAN, capacity: [CAPACITY] });
  assert.match(text, /^binance +1m +2 +20,160 +22 +1 h 2 min +3\.\d MB$/m);
  assert.match(text, /^At least 1 h 2 min for all exchanges side by side, and 3\.\d MB on disk$/m);
});

Deno.test("a plan of which every exchange is away does not promise to take no time", () => {
  const problems = [{ exchange: "binance", problem: "no such host" }];
  assert.equal(
    render({
      entries: [],
      funding: [],
      history: [],
      byHand: [],
      capacity: [],
      problems,
      seconds: 0,
      bytes: 0,
    }),
    "nothing could be planned",
  );
});

Deno.test("a plan says what polls take, how many symbols fit, and how the archive grows", () => {
  const text = render({ ...PLAN, capacity: [CAPACITY] });
  assert.match(text, /^binance +2 +2,750 +2\.0 +0\.0 s +1 h 2 min +15 MB +2\.2 MB$/m);
  assert.doesNotMatch(text, /at most/);
});

Deno.test("a plan names the kinds of markets that its polls are of, where others have a pace of their own", () => {
  const text = render({
    ...PLAN,
    capacity: [{ ...CAPACITY, kinds: ["linear"] }, { ...CAPACITY, exchange: "kraken" }],
  });
  assert.match(text.replaceAll("\n", " "), /of the busiest: binance's linear markets\./);
  assert.ok(text.split("\n").every((line) => line.length <= 80), text);
  assert.doesNotMatch(render({ ...PLAN, capacity: [CAPACITY] }), /busiest/);
});

Deno.test("a plan of more than the pace allows says so in lines that fit a terminal", () => {
  const tight = {
    ...CAPACITY,
    exchange: "krakenfutures",
    symbols: 12_090,
    pollsAMinute: 12_090,
    secondsAMinute: 12_090,
    symbolsMax: 55,
    backfillSeconds: null,
    bytesAMonth: 650e6,
    compressedAMonth: 94e6,
  };
  const text = render({ ...PLAN, capacity: [tight, CAPACITY] });
  assert.match(text, /^kraken\S+ +12,090 +55 +12,090 +12,090 s +never +650 MB +94 MB$/m);
  assert.match(text, /need 12090 s of every\s+minute, so polls are skipped;\s+at most\s+55 fit/);
  assert.deepEqual(text.split("\n").filter((line) => line.length > 80), []);
});

Deno.test("a plan says what comes from published files, and which file is to be fetched by hand", () => {
  const history = [
    {
      exchange: "binance",
      host: "data.binance.vision",
      files: 60,
      candles: 2_628_000,
      seconds: 30,
    },
  ];
  const byHand = [{
    exchange: "kraken",
    file: "Kraken_OHLCVT.zip",
    page: "https://support.kraken.com/1",
  }];
  const text = render({ ...PLAN, capacity: [CAPACITY], history, byHand }).replaceAll("\n", " ");
  assert.match(
    text,
    /binance: 2,628,000 of these candles come from 60 files of data\.binance\.vision/,
  );
  assert.match(text, /titan10 import Kraken_OHLCVT\.zip --exchange kraken/);
});
