import assert from "node:assert/strict";
import { changesOf, withOpened } from "../../lib/daemon/config_change.ts";
import { configOf } from "../support/local_archive.ts";

const BEFORE = {
  EXCHANGES: "binance,kraken,okx",
  SYMBOLS: "BTC/USDT,ETH/USDT",
  TIMEFRAMES: "1m,1d",
  BACKFILL: "1d:30d",
  LIVE: "off",
};

const NOTHING = { added: [], removed: [], changed: [], needsRestart: [] };

const CASES:
  readonly (readonly [string, Record<string, string>, Partial<typeof NOTHING> | object])[] = [
    ["nothing", {}, {}],
    ["another spelling of the same", { BACKFILL: " 1d:30d ", TIMEFRAMES: "1m, 1d" }, {}],
    ["exchanges", { EXCHANGES: "binance,okx,bybit" }, { added: ["bybit"], removed: ["kraken"] }],
    ["symbols of all", { SYMBOLS: "BTC/USDT,SOL/USDT,top:5" }, {
      changed: ["binance, kraken, okx: symbols SOL/USDT, top:5 added; ETH/USDT removed"],
    }],
    ["an exclusion", { SYMBOLS: "BTC/USDT,ETH/USDT,!*UP/*" }, {
      changed: ["binance, kraken, okx: symbols !*UP/* added"],
    }],
    ["ranges and timeframes", { BACKFILL: "1d:60d,1h:5d", TIMEFRAMES: "1m" }, {
      changed: [
        "binance, kraken, okx: timeframes 1d removed",
        "binance, kraken, okx: backfill of 1d, 1h",
      ],
    }],
    ["streams", { LIVE: "kraken,okx" }, { changed: ["kraken, okx: live auto"] }],
    ["the options of one", { EXCHANGE_KRAKEN: '{"apiKey":"abcdefgh"}' }, {
      changed: ["kraken: options"],
    }],
    ["limits", { RETRY_ATTEMPTS: "9", POLL_CANDLES: "7", BREAKER_FAILURES: "2" }, {
      changed: ["POLL_CANDLES", "RETRY_ATTEMPTS", "BREAKER_FAILURES"],
    }],
    ["what may be secret, by its name alone", { ALERT_WEBHOOK_URL: "https://x:secret@a.example" }, {
      changed: ["ALERT_WEBHOOK_URL"],
    }],
    ["the dataset, and by what it is reached", {
      DATASET_URL: "s3://candles/x",
      DATASET_CRON: "0 4 * * *",
      AWS_ACCESS_KEY_ID: "id",
      AWS_SECRET_ACCESS_KEY: "key",
      AWS_REGION: "auto",
    }, { changed: ["DATASET_URL", "DATASET_CRON", "AWS_… of the bucket"] }],
    [
      "what is opened once",
      { HTTP_PORT: "1", DATA_DIR: "./other", HTTP_TOKEN: "0123456789abcdef" },
      {
        needsRestart: ["DATA_DIR", "HTTP_PORT", "HTTP_TOKEN"],
      },
    ],
  ];

for (const [name, after, changes] of CASES) {
  Deno.test(`what a reload changes is told: ${name}`, () => {
    const [one, other] = [configOf(BEFORE), configOf({ ...BEFORE, ...after })];
    assert.deepEqual(changesOf(one, other), { ...NOTHING, ...changes });
  });
}

Deno.test("what is opened once stays as it is, and all else is taken", () => {
  const open = configOf(BEFORE);
  const wanted = configOf({ ...BEFORE, HTTP_PORT: "1", DATA_DIR: "./other", POLL_CANDLES: "7" });
  const { httpPort, dataDir, pollCandles } = withOpened(wanted, open);
  assert.deepEqual([httpPort, dataDir, pollCandles], [open.httpPort, open.dataDir, 7]);
});

Deno.test("a dataset's folder beside a server needs a restart, since the right to write files was given up", () => {
  const server = { ...BEFORE, DATABASE_URL: "postgres://db/archive" };
  const folder = { DATASET_URL: "./dataset" };
  for (
    const [before, after, isKept] of [
      [BEFORE, { ...BEFORE, ...folder }, false],
      [server, { ...server, ...folder }, true],
      [{ ...server, DATASET_URL: "./other" }, { ...server, ...folder }, false],
      [{ ...server, ...folder }, server, false],
    ] as const
  ) {
    const [one, other] = [configOf(before), configOf(after)];
    const { changed, needsRestart } = changesOf(one, other);
    const [kept, taken] = [["DATASET_URL"], []];
    assert.deepEqual([needsRestart, changed], isKept ? [kept, taken] : [taken, kept]);
    const { datasetUrl } = withOpened(other, one);
    assert.equal(datasetUrl, isKept ? one.datasetUrl : other.datasetUrl);
  }
});
