/** TimescaleDB as servers have it: elsewhere, without its licence, not preloaded, not permitted, or come later. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { examine } from "../../lib/doctor/checkup.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { readStorageDocument, type StorageEntry } from "../../lib/serve/storage_report.ts";
import { compressChunks } from "../../lib/store/compression.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { readMigrations } from "../../lib/store/connection/migrations.ts";
import { plainReason, readTimescale } from "../../lib/store/connection/timescale.ts";
import { runDuePolicies } from "../../lib/upkeep/policy_runs.ts";
import { expire, rollUp } from "../../lib/upkeep/upkeep.ts";
import { binanceAt, openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { TestClock } from "../support/test_clock.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

const DAY_MS = 86_400_000;
/** Ten days of `1m`. */
const CANDLES = 14_400;

type TestArchive = Awaited<ReturnType<typeof openTestArchive>>;

interface Scene {
  /** With all rights. */
  readonly database: Database;
  /** Opens it as a user without rights to anything but a schema of the same name, which is made. */
  readonly asUser: (options?: { readonly isOwner: boolean }) => Promise<Database>;
  /** An archive of ten days of one series, with rollups. */
  readonly archived: (
    database: Database,
    variables?: Readonly<Record<string, string>>,
  ) => Promise<TestArchive>;
  readonly pass: (ms: number) => void;
}

/** What a server may be like. */
type ServerKind = "embedded" | "timescale" | "apache" | "not preloaded" | "not offered";

const TESTS: readonly {
  readonly name: string;
  readonly on: readonly ServerKind[];
  readonly test: (scene: Scene) => Promise<void>;
}[] = [{
  name: "what is old is compressed, and once more after it was written to",
  on: ["embedded", "timescale"],
  test: async ({ database, archived }) => {
    // Without a policy, whose workers go by the time of day.
    const archive = await archived(database, { COMPRESS_AFTER: "off" });
    const options = {
      hypertable: "ohlcv_1m",
      beforeMs: archive.clock.now() - DAY_MS,
      log: archive.log,
    };
    const { compressed, failed } = await compressChunks(database, options);
    const { chunks, compressedChunks } = await storageOf(archive);
    assert.deepEqual([compressed, failed], [compressedChunks, 0]);
    assert(compressed > 0 && chunks! > compressed, `${compressed} of ${chunks}`);
    await database.sql`
      insert into ohlcv_1m select time + interval '1 minute', 'other', symbol, open, high, low, close, volume
      from ohlcv_1m order by time limit 1`;
    // Before 2.14 that is left to the server.
    const { version } = (await readTimescale(database))!;
    const again = version.startsWith("2.13.") ? 0 : 1;
    assert.deepEqual(await compressChunks(database, options), { compressed: again, failed: 0 });
    assert.deepEqual(await compressChunks(database, options), { compressed: 0, failed: 0 });
  },
}, {
  name: "the functions of TimescaleDB may be in a schema that the search path does not name",
  on: ["embedded", "timescale"],
  test: async ({ database, archived, asUser, pass }) => {
    await database.sql.unsafe(`
      drop extension if exists timescaledb cascade;
      create schema ts; create extension timescaledb schema ts; grant usage on schema ts to public`);
    const own = await asUser();
    const archive = await archived(own);
    assert((await storageOf(archive)).compressedChunks! > 0);
    assert.deepEqual(await rolledUp(own), [CANDLES, CANDLES]);
    if (own.kind === "embedded") assert.equal((await runDuePolicies(archive)).failed, 0);
    pass(9 * DAY_MS);
    const later = await archived(own, { RETENTION: "1m:10d" });
    assert(await expire(later) > 0);
    await rollUp(await archived(own, { ROLLUPS: "", RETENTION: "1m:10d", COMPRESS_AFTER: "off" }));
  },
}, {
  name: "a user who may not use the schema of TimescaleDB is told so, and has plain tables",
  on: ["timescale"],
  test: async ({ database, archived, asUser }) => {
    await database.sql.unsafe(
      "drop extension if exists timescaledb cascade; create schema ts; create extension timescaledb schema ts",
    );
    const own = await asUser();
    const archive = await archived(own);
    assert.match(
      warnings(archive).join(),
      /"reason":"user_\w+ may not use schema ts, which TimescaleDB is in\. Run as its owner: grant usage on schema ts to user_/,
    );
    await assertPlain(archive);
  },
}, {
  name: "plain tables stay plain when TimescaleDB comes later, and new ones are hypertables",
  on: ["timescale"],
  test: async ({ database, archived, asUser, pass }) => {
    await database.sql.unsafe("drop extension if exists timescaledb cascade");
    const own = await asUser();
    const archive = await archived(own);
    assert.match(warnings(archive).join(), /permission denied to create extension/);
    await assertPlain(archive);
    assert.match(
      await plainReason(own) ?? "",
      /set up before the extension timescaledb was available/,
    );
    await database.sql.unsafe("create extension timescaledb schema public");
    const later = await archived(own, { TIMEFRAMES: "1m,1h", BACKFILL: "1m:10d,1h:10d" });
    await rollUp(later);
    const { storage } = await readStorageDocument(own, { nowMs: archive.clock.now() });
    assert.deepEqual(
      storage.map(({ table, chunks }) => [table, chunks]),
      [["ohlcv_1m", null], ["ohlcv_1h", 1]],
    );
    assert.deepEqual(await rolledUp(own), [CANDLES, CANDLES]);
    pass(9 * DAY_MS);
    const variables = { RETENTION: "1m:10d", ROLLUPS: "" };
    const expiring = await archived(own, variables);
    await rollUp(expiring);
    assert(await expire(expiring) > 0);
  },
}, {
  name: "under the Apache licence there are hypertables without compression, and views for rollups",
  on: ["apache"],
  test: async ({ database, archived, pass }) => {
    const archive = await archived(database);
    const warned = warnings(archive);
    assert.equal(warned.length, 1, warned.join("\n"));
    assert.match(
      warned[0]!,
      /TimescaleDB's tables, without compression.*timescaledb\.license is apache/,
    );
    const text = await archive.metrics.text();
    assert.match(text, /^titan10_timescaledb 1$/m);
    assert.match(text, /^titan10_compression_available 0$/m);
    const { chunks, compressedChunks, candles } = await storageOf(archive);
    assert(chunks! > 1);
    assert.deepEqual([compressedChunks, candles], [0, CANDLES]);
    assert.deepEqual(await rolledUp(database), [CANDLES, CANDLES]);
    const { checks } = await examine(archive, { migrations: await readMigrations() });
    const [licence] = checks.filter(({ message }) => /timescaledb\.license/.test(message));
    assert.deepEqual([licence?.ok, licence?.isHint], [true, true]);
    assert.match(
      licence?.message ?? "",
      /candles are not compressed, and rollups are views that every query computes\. Everything else works/,
    );
    pass(9 * DAY_MS);
    const variables = { RETENTION: "1m:10d", ROLLUPS: "" };
    const later = await archived(database, variables);
    assert(await expire(later) > 0);
    const [row] = await database.sql`select min(time) as first from ohlcv_1m`;
    assert.equal(row?.["first"].getTime() >= later.clock.now() - 17 * DAY_MS, true);
  },
}, {
  name: "a server that offers TimescaleDB without preloading it stores plain tables, and says why",
  on: ["not preloaded"],
  test: async ({ database, archived, asUser }) => {
    const owner = await asUser({ isOwner: true });
    for (const own of [owner, database]) {
      const archive = await archived(own);
      assert.match(
        warnings(archive).join(),
        /offers the extension timescaledb but does not preload it \(shared_preload_libraries\)/,
      );
      await assertPlain(archive);
      const { checks } = await examine(archive, { migrations: await readMigrations() });
      const [check] = checks.filter(({ check }) => check === "database");
      assert.match(check?.message ?? "", /without TimescaleDB: /);
    }
  },
}];

for (const kind of DATABASE_KINDS) {
  Deno.test(`TimescaleDB is used as far as it can be on a database that is ${kind}`, async (t) => {
    for (const { name, on, test } of TESTS) {
      if (kind === "embedded" && !on.includes("embedded")) continue;
      const opened = await openTestDatabase(kind, { isUnmigrated: true });
      const found = opened === undefined ? undefined : await serverKind(opened.database);
      const ignore = found === undefined || !on.includes(found);
      await t.step({
        name: ignore ? `${name} (needs a server that is ${on.join(" or ")})` : name,
        ignore,
        fn: () => withScene(opened!.database, { url: opened!.url, test }),
      });
      await opened?.drop();
      // Only now: TimescaleDB before 2.14 cannot drop what a user owns.
      if (!ignore && opened?.url !== undefined) await dropUsers(opened.url);
    }
  });
}

/** Users of this process. Others may run tests on the same server. */
const USER = `user_${crypto.randomUUID().slice(0, 8)}`;
let users = 0;

async function dropUsers(databaseUrl: string): Promise<void> {
  const url = new URL(databaseUrl);
  url.pathname = "/postgres";
  const server = await openDatabase({
    url: url.href,
    dataDir: "",
    poolMax: 1,
    clock: systemClock,
  });
  try {
    for (let at = 0; at < users; at++) {
      await server.sql.unsafe(`drop role if exists ${USER}_${at}`);
    }
  } finally {
    await server.close();
  }
}

async function serverKind(database: Database): Promise<ServerKind> {
  if (database.kind === "embedded") return "embedded";
  const [offered] = await database.sql`
    select from pg_available_extensions where name = 'timescaledb'`;
  if (offered === undefined) return "not offered";
  const [row] = await database.sql`
    select current_setting('shared_preload_libraries') as libraries,
           current_setting('timescaledb.license', true) as license`;
  if (!row?.["libraries"].includes("timescaledb")) return "not preloaded";
  return row?.["license"] === "apache" ? "apache" : "timescale";
}

async function withScene(
  database: Database,
  { url, test }: {
    readonly url: string | undefined;
    readonly test: (scene: Scene) => Promise<void>;
  },
): Promise<void> {
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  const opened: Database[] = [];
  const user = `${USER}_${users++}`;
  const asUser: Scene["asUser"] = async ({ isOwner } = { isOwner: false }) => {
    // The embedded database has one user.
    if (url === undefined) return database;
    await database.sql.unsafe(
      `create role ${user} login; create schema ${user} authorization ${user}`,
    );
    const own = new URL(url);
    if (isOwner) {
      await database.sql.unsafe(`alter database ${own.pathname.slice(1)} owner to ${user}`);
    }
    own.username = user;
    own.searchParams.set("search_path", '"$user"');
    const one = await openDatabase({ url: own.href, dataDir: "", poolMax: 2, clock: systemClock });
    opened.push(one);
    return one;
  };
  const archived = archiver(exchange, clock);
  try {
    await test({ database, asUser, archived, pass: (ms) => clock.pass(ms) });
  } finally {
    for (const one of opened) {
      await one.close();
    }
    await exchange.close();
  }
}

function archiver(exchange: LocalExchange, clock: TestClock): Scene["archived"] {
  return async (database, variables = {}) => {
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: "BTC/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "1m:10d",
      ROLLUPS: "5m,1h",
      COMPRESS_AFTER: "1d",
      EXCHANGE_BINANCE: binanceAt(exchange),
      ...variables,
    }, clock);
    const [report] = await backfill(archive, { patient: false });
    assert.equal(report?.left, 0);
    await rollUp(archive);
    return archive;
  };
}

async function storageOf({ database, clock }: TestArchive): Promise<StorageEntry> {
  const { storage } = await readStorageDocument(database, { nowMs: clock.now() });
  const entry = storage.find(({ table }) => table === "ohlcv_1m");
  assert(entry !== undefined);
  return entry;
}

async function assertPlain(archive: TestArchive): Promise<void> {
  assert.equal(await readTimescale(archive.database), undefined);
  const { chunks, candles } = await storageOf(archive);
  assert.deepEqual([chunks, candles], [null, CANDLES]);
  assert.deepEqual(await rolledUp(archive.database), [CANDLES, CANDLES]);
}

/** The candles that the rollups say they are made of. */
async function rolledUp({ sql }: Database): Promise<readonly number[]> {
  const [row] = await sql`
    select (select sum(candles) from ohlcv_rollup_5m)::int as fine,
           (select sum(candles) from ohlcv_rollup_1h)::int as coarse`;
  return [row?.["fine"], row?.["coarse"]];
}

function warnings({ lines }: TestArchive): readonly string[] {
  return lines.filter((line) => /"level":"(?:WARN|WARNING|warn|warning)"/.test(line));
}
