/** What the doctor makes of settings: of the program's and of a server's. @module */
import assert from "node:assert/strict";
import { readConfig } from "../../lib/config/config.ts";
import { clockText } from "../../lib/doctor/check.ts";
import { configurationCheck } from "../../lib/doctor/checkup.ts";
import { configurationHints } from "../../lib/doctor/config_hints.ts";
import { diskCheck } from "../../lib/doctor/disk_checkup.ts";
import { serverChecks } from "../../lib/doctor/server_checkup.ts";
import { assertNewEnough } from "../../lib/store/connection/migrations.ts";
import type { ServerSettings } from "../../lib/store/connection/server_settings.ts";

function hints(env: Record<string, string>): readonly string[] {
  const config = readConfig({ env }, {
    knownExchanges: ["binance", "coinbase", "kraken", "okx", "bybit"],
    isCron: () => true,
  });
  const checks = configurationHints(config);
  assert(checks.every(({ ok, isHint }) => ok && isHint === true));
  return checks.map(({ message }) => message);
}

Deno.test("the defaults give no hint, and each odd setting one that names it", () => {
  assert.deepEqual(hints({}), []);
  const odd: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ TIMEFRAMES: "1m,1h,1d" }, /^1h has no candles from before the first poll\..* BACKFILL/],
    [{ BACKFILL: "1d:5y,1m:7d,1h:1y" }, /^1h is backfilled but not polled/],
    [{ COMPRESS_AFTER: "off" }, /^COMPRESS_AFTER=off/],
    [{ DATA_DIR: "/tmp/archive" }, /^DATA_DIR=\/tmp\/archive is deleted/],
    [{ RETRY_ATTEMPTS: "1" }, /^RETRY_ATTEMPTS=1/],
    [{ PAGE_LIMIT: "10" }, /^PAGE_LIMIT=10/],
    [{ FETCH_TIMEOUT: "500ms" }, /^FETCH_TIMEOUT=500ms/],
    [{ HTTP_HOST: "0.0.0.0" }, /^HTTP_HOST=0\.0\.0\.0: everyone .*HTTP_TOKEN/],
    [{ ALERT_WEBHOOK_URL: "http://example.com/s3cret" }, /^ALERT_WEBHOOK_URL is not encrypted/],
  ];
  for (const [env, pattern] of odd) {
    const found = hints(env);
    assert.equal(found.length, 1, JSON.stringify(env));
    assert.match(found[0] ?? "", pattern);
    assert.doesNotMatch(found[0] ?? "", /s3cret/);
  }
  assert.deepEqual(hints({ HTTP_HOST: "0.0.0.0", HTTP_TOKEN: "0123456789abcdef" }), []);
  assert.deepEqual(hints({ ALERT_WEBHOOK_URL: "http://127.0.0.1:9/x" }), []);
});

Deno.test("hints and the first check say which exchange has settings of its own", () => {
  const rules = { knownExchanges: ["kraken", "okx"], isCron: () => true };
  const file = {
    shared: { EXCHANGES: "kraken,okx", TIMEFRAMES: "1m,1d" },
    own: new Map([["kraken", { TIMEFRAMES: "1h,1d" }], ["okx", {}]]),
    problems: [],
    placeOf: () => "titan10.yaml:1:1",
  };
  const config = readConfig({ env: {}, file }, rules);
  assert.deepEqual(configurationHints(config).map(({ message }) => message), [
    "kraken: 1h has no candles from before the first poll. Add it to BACKFILL to get them",
  ]);
  assert.equal(
    configurationCheck(config).message,
    "2 exchanges, each with its own settings, timeframes 1h 1d 1m",
  );
  const { own, ...others } = config;
  assert.equal(
    configurationCheck({ ...others, own: new Map([...own].slice(0, 1)) }).message,
    "2 exchanges, SYMBOLS=top:20, kraken with its own settings, timeframes 1h 1d 1m",
  );
});

const WELL: ServerSettings = {
  clockAheadMs: 40,
  clockErrorMs: 50,
  isStandby: false,
  user: "titan10",
  schema: "public",
  mayCreate: true,
  foreignTables: [],
  queryOwner: "pg_database_owner",
  connectionsMax: 97,
  connectionsLimit: "max_connections",
  connectionsOfOthers: 3,
  sharedBuffersBytes: 2 ** 30,
  timescaleLicense: "timescale",
  backgroundWorkersMax: 16,
  workerProcessesMax: 27,
  parallelWorkersMax: 8,
};

function found(change: Partial<ServerSettings>): readonly string[] {
  return serverChecks({ ...WELL, ...change }, { poolMax: 10 })
    .filter(({ ok, isHint }) => !ok || isHint === true)
    .map(({ ok, message }) => `${ok ? "hint" : "WRONG"} ${message}`);
}

Deno.test("a server that is set up well has nothing wrong, and each trouble is told with what mends it", () => {
  assert.deepEqual(found({}), []);
  const troubles: readonly (readonly [Partial<ServerSettings>, RegExp])[] = [
    [{ isStandby: true }, /^WRONG .*standby.*Set DATABASE_URL to the primary$/],
    [{ schema: undefined, mayCreate: false }, /^WRONG .*create schema authorization titan10$/],
    [
      { mayCreate: false, user: 'O"Neil' },
      /^WRONG .*grant create on schema public to "O""Neil"$/,
    ],
    [{ foreignTables: ["checkpoints"] }, /^WRONG table checkpoints belongs to .*reassign owned/],
    [
      { foreignTables: ["gaps", "jobs"] },
      /^WRONG 2 tables, such as gaps, belong to .*reassign owned/,
    ],
    [
      { queryOwner: "titan10", schema: "Candles" },
      /^hint titan10 query has the rights of titan10: .*superuser: set search_path = "Candles"; select titan10_guard_query\(\)$/,
    ],
    [{ connectionsOfOthers: 90 }, /^WRONG .*too few.*Set DB_POOL_MAX=5, or raise max_connections$/],
    [{ connectionsOfOthers: 97 }, /Set DB_POOL_MAX=1,/],
    [{ sharedBuffersBytes: 2 ** 27 }, /^hint shared_buffers is 128 MB.*alter system/],
    [
      { timescaleLicense: "apache" },
      /^hint timescaledb\.license is apache: candles are not compressed.*Everything else works\. Run: alter system/,
    ],
    [{ backgroundWorkersMax: 1 }, /^hint timescaledb\.max_background_workers is 1/],
    [{ workerProcessesMax: 8 }, /^hint max_worker_processes is 8.*= 27, and restart the server$/],
    [
      { clockAheadMs: -7_200_000 },
      /^WRONG the database's clock is 2\.0 h behind this machine's.*NTP/,
    ],
  ];
  for (const [change, pattern] of troubles) {
    assert.equal(found(change).length, 1, JSON.stringify(change));
    assert.match(found(change)[0] ?? "", pattern);
  }
});

Deno.test("a clock is not called wrong for the time that the answer took", () => {
  assert.deepEqual(found({ clockAheadMs: 20_000, clockErrorMs: 16_000 }), []);
  assert.equal(found({ clockAheadMs: 20_000, clockErrorMs: 14_000 }).length, 1);
});

Deno.test("a plain PostgreSQL is not told about TimescaleDB's workers", () => {
  const plain = { timescaleLicense: undefined, backgroundWorkersMax: undefined };
  assert.deepEqual(found({ ...plain, workerProcessesMax: 1 }), []);
});

Deno.test("a difference of clocks is worded in the unit that fits", () => {
  assert.equal(clockText(12_000), "12 s ahead of");
  assert.equal(clockText(-600_000), "10 min behind");
  assert.equal(clockText(9_000_000), "2.5 h ahead of");
});

Deno.test("a PostgreSQL that is too old is refused with the version that will do", () => {
  assert.doesNotThrow(() => assertNewEnough(140_000));
  assert.throws(() => assertNewEnough(130_014), /Cannot use PostgreSQL 13: 14 is the oldest/);
});

Deno.test("a disk that is too small is wrong, one that is full within a year a hint", () => {
  const GB = 1e9;
  const verdict = (bytesFree: number | undefined): string => {
    const need = {
      series: 40,
      bytes: 5 * GB,
      bytesAMonth: GB / 6,
      uncompressedAMonth: GB,
      bytesTaken: GB,
    };
    const { ok, isHint = false, message } = diskCheck({ ...need, bytesFree });
    return `${ok ? isHint ? "hint" : "ok" : "WRONG"} ${message}`;
  };
  const found = "40 series take about 5.0 GB with their history, and 167 MB more every month " +
    "(1.0 GB before compression)";
  assert.equal(
    verdict(3.9 * GB),
    `WRONG ${found}; 1.0 GB are stored already, and 3.9 GB are free. Move DATA_DIR to a larger disk, or shorten BACKFILL`,
  );
  assert.equal(
    verdict(5 * GB),
    `hint ${found}; 5.0 GB are free, enough for 182 days. Move DATA_DIR to a larger disk, or set RETENTION`,
  );
  assert.equal(verdict(6 * GB), `ok ${found}; 6.0 GB are free`);
  assert.equal(verdict(undefined), `ok ${found}; on the server`);
});
