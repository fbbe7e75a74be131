import assert from "node:assert/strict";
import { differencesOf, sharedSettings } from "../../lib/config/shared_settings.ts";
import { configOf } from "../support/local_archive.ts";

const SETTINGS = {
  EXCHANGES: "binance,kraken,okx",
  SYMBOLS: "BTC/USDT,ETH/USDT",
  TIMEFRAMES: "1m,1d",
  BACKFILL: "1d:30d",
  COMPRESS_AFTER: "7d",
};

const shared = (other: Readonly<Record<string, string>> = {}): ReturnType<typeof sharedSettings> =>
  sharedSettings(configOf({ ...SETTINGS, ...other }));

Deno.test("settings that mean the same have the same hash, however they are written", () => {
  const { hash } = shared();
  for (
    const other of [
      { EXCHANGES: "okx,kraken,binance" },
      { SYMBOLS: "ETH/USDT,BTC/USDT" },
      { COMPRESS_AFTER: "168h" },
      { TIMEFRAMES: "1d,1m" },
    ]
  ) assert.equal(shared(other).hash, hash, JSON.stringify(other));
});

Deno.test("what belongs to a node's machine or network may differ", () => {
  const { hash } = shared();
  const ofANode = {
    LOG_LEVEL: "debug",
    LOG_FORMAT: "pretty",
    HTTP_HOST: "127.0.0.2",
    HTTP_PORT: "1",
    DATA_DIR: "/elsewhere",
    DATABASE_URL: "postgres://somebody:secret@127.0.0.1/archive",
    DB_POOL_MAX: "3",
    FETCH_TIMEOUT: "3s",
    RETRY_MAX: "7s",
    EXCHANGE_KRAKEN: '{"httpsProxy":"http://127.0.0.1:1"}',
    EXCHANGE_PROXY_URL: "http://127.0.0.1:1/",
  };
  assert.equal(shared(ofANode).hash, hash);
});

Deno.test("what is archived, kept, computed and told of must not differ, and is named where it does", () => {
  const here = shared();
  const cases: Readonly<Record<string, string>> = {
    SYMBOLS: "top:20",
    TIMEFRAMES: "1m",
    BACKFILL: "1d:5y",
    RETENTION: "1d:10y",
    ROLLUPS: "5m",
    COMPRESS_AFTER: "8d",
    PRUNE_AFTER: "30d",
    LIVE: "off",
    FUNDING: "off",
    HISTORY: "off",
    GAPS_CRON: "*/7 * * * *",
    POLL_CRON: "*/2 * * * *",
    GAP_ALERT_PERCENT: "9",
    ALERT_WEBHOOK_FORMAT: "slack",
    DATASET_URL: "/data",
  };
  for (const [variable, text] of Object.entries(cases)) {
    const there = shared({ [variable]: text });
    assert.notEqual(there.hash, here.hash, variable);
    const [difference = "", ...more] = differencesOf(here.settings, there.settings);
    assert.deepEqual(more, [], variable);
    assert.match(difference, new RegExp(`^${variable}: .+ here, .+ there$`));
    assert(difference.endsWith(`${text} there`), difference);
  }
  assert.deepEqual(differencesOf(here.settings, shared({ SYMBOLS: "top:20" }).settings), [
    "SYMBOLS: BTC/USDT,ETH/USDT here, top:20 there",
  ]);
  assert.deepEqual(differencesOf(here.settings, here.settings), []);
});

Deno.test("a secret is compared and never shown", () => {
  const secret = "https://hooks.example/T0ken/inThePath";
  const here = shared({ ALERT_WEBHOOK_URL: secret });
  const there = shared({ ALERT_WEBHOOK_URL: `${secret}2` });
  assert.notEqual(here.hash, there.hash);
  const text = JSON.stringify([
    here.settings,
    ...differencesOf(here.settings, there.settings),
  ]);
  assert.match(
    text,
    /ALERT_WEBHOOK_URL: \(secret [0-9a-f]{6}\) here, \(secret [0-9a-f]{6}\) there/,
  );
  assert(!text.includes("hooks.example") && !text.includes("T0ken"), text);
  const keys = { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "vErYsEcReT" };
  const bucket = { ...keys, DATASET_URL: "s3://bucket/candles", AWS_REGION: "eu-central-1" };
  const stored = JSON.stringify(shared(bucket).settings);
  assert(!/AKIDEXAMPLE|vErYsEcReT/.test(stored), stored);
  assert.deepEqual(
    differencesOf(
      shared(bucket).settings,
      shared({ ...bucket, AWS_SECRET_ACCESS_KEY: "another" }).settings,
    ).map((text) => text.replaceAll(/[0-9a-f]{6}/g, "…")),
    ["AWS_…: (secret …) here, (secret …) there"],
  );
});

Deno.test("an exchange with settings of its own is named, and one that only one of both archives is not told twice", () => {
  const config = configOf(SETTINGS);
  const here = sharedSettings(config);
  const own = new Map([["kraken", { ...config.everywhere, timeframes: ["1h"] }]]);
  const there = sharedSettings({ ...config, own });
  assert.deepEqual(differencesOf(here.settings, there.settings), [
    "kraken: TIMEFRAMES: 1d,1m here, 1h there",
  ]);
  const same = sharedSettings({ ...config, own: new Map([["kraken", config.everywhere]]) });
  assert.equal(same.hash, here.hash, "what is written twice");
  const fewer = shared({ EXCHANGES: "binance,okx" });
  assert.deepEqual(differencesOf(here.settings, fewer.settings), [
    "EXCHANGES: binance,kraken,okx here, binance,okx there",
  ]);
});
