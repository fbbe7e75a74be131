/** The doctor: several exchanges, examined by asking them. @module */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { type Checkup, examine } from "../../lib/doctor/checkup.ts";
import { render } from "../../lib/cli/doctor.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { serverChecks } from "../../lib/doctor/server_checkup.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { readServerSettings } from "../../lib/store/connection/server_settings.ts";
import { readMigrations } from "../../lib/store/connection/migrations.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { openEmbeddedTest, openOnServer, openPostgres } from "../support/test_database.ts";

Deno.test("the doctor examines every exchange for itself", async (t) => {
  const { database, drop } = await openEmbeddedTest();
  const binance = await startLocalExchange({ clock: systemClock });
  const krakenSymbols = LOCAL_SYMBOLS.filter(({ symbol }) => symbol !== "ETH/USDT");
  const other = await startLocalExchange({
    clock: systemClock,
    dialect: kraken,
    symbols: krakenSymbols,
  });
  const checkup = async (variables: Readonly<Record<string, string>>): Promise<Checkup> => {
    const archive = await openTestArchive(database, {
      // Only to see its disk: the database is open already.
      DATA_DIR: ".",
      EXCHANGES: "binance,kraken",
      SYMBOLS: "BTC/USDT,ETH/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "off",
      EXCHANGE_BINANCE: binanceAt(binance),
      EXCHANGE_KRAKEN: JSON.stringify({ urls: { api: { public: other.url } }, rateLimit: 1 }),
      ...variables,
    }, systemClock);
    return await examine(archive, { migrations: await readMigrations() });
  };
  try {
    await t.step("a symbol that another exchange lists is not wrong", async () => {
      const { ok, exchanges } = await checkup({});
      assert(ok);
      assert.deepEqual(messagesOf(exchanges[1], "symbols"), [
        "1 of 2 listed, other exchanges may list ETH/USDT",
      ]);
      assert.deepEqual(exchanges[1]?.capabilities[0]?.newestCandles, {
        value: 719,
        source: "table",
      });
    });

    await t.step(
      "polls that do not fit the pace are wrong, with the number that fits",
      async () => {
        // Kraken's candles cost 1.2 each, and the pace waits for whole milliseconds.
        const fast = await checkup({});
        assert.deepEqual(messagesOf(fast.exchanges[1], "pace"), [
          "polls take 0.0 s of every minute; 27500 symbols would fit",
        ]);
        // Every second a candle of either symbol, which costs 0.4 of the pace.
        const archive = await openTestArchive(database, {
          DATA_DIR: ".",
          EXCHANGES: "binance",
          SYMBOLS: "BTC/USDT,ETH/USDT",
          TIMEFRAMES: "1s",
          BACKFILL: "off",
          POLL_CRON: "* * * * * *",
          EXCHANGE_BINANCE: JSON.stringify({ ...JSON.parse(binanceAt(binance)), rateLimit: 1_300 }),
        }, systemClock);
        const { ok, exchanges } = await examine(archive, { migrations: await readMigrations() });
        assert.equal(ok, false);
        assert.match(
          messagesOf(exchanges[0], "pace")[0] ?? "",
          /^2 symbols of 1s at 520 ms a request need 62.4 s of every minute, .*; at most 1 fits\. Reduce/,
        );
      },
    );

    await t.step("an exchange that lists none of the symbols is wrong", async () => {
      const { ok, exchanges } = await checkup({ SYMBOLS: "ETH/USDT" });
      assert.deepEqual([ok, exchanges[0]?.ok, exchanges[1]?.ok], [false, true, false]);
      assert.deepEqual(messagesOf(exchanges[1], "symbols"), [
        "none of ETH/USDT is listed. Remove kraken from EXCHANGES",
      ]);
    });

    await t.step(
      "an exchange that bans is left alone until the ban's end, the others are not",
      async () => {
        await emptyDatabase(database);
        const rule = binance.faults.add({
          when: { about: "candles" },
          fault: { kind: "status", status: 418, retryAfterSeconds: 3_600 },
        });
        const banned = await checkup({});
        rule.remove();
        assert.deepEqual(banned.exchanges.map(({ ok }) => ok), [false, true]);
        const [message] = messagesOf(banned.exchanges[0], "candles");
        assert.match(message ?? "", /Wait, and run titan10 doctor again after \d{4}-/);
        const before = binance.requests.length;
        assert.equal((await checkup({})).exchanges[0]?.ok, false);
        assert.equal(binance.requests.length, before);
        assert(render(banned).split("\n").every((line) => line.length <= 80), render(banned));
      },
    );

    await t.step(
      "migrations that are not applied are named with the command that applies them",
      async () => {
        await emptyDatabase(database);
        const [first, ...others] = await readMigrations();
        assert(first !== undefined);
        const missing = { ...first, version: 9_999, name: "9999_later.sql" };
        const archive = await openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: "BTC/USDT",
          TIMEFRAMES: "1m",
          EXCHANGE_BINANCE: binanceAt(binance),
        }, systemClock);
        const { ok, checks } = await examine(archive, { migrations: [first, ...others, missing] });
        assert.equal(ok, false);
        assert.deepEqual(checks.find(({ check }) => check === "migrations"), {
          check: "migrations",
          ok: false,
          message: "not applied: 9999_later.sql. Run titan10 migrate",
        });
      },
    );
  } finally {
    await binance.close();
    await other.close();
    await drop();
  }
});

function messagesOf(
  exchange: Checkup["exchanges"][number] | undefined,
  check: string,
): readonly string[] {
  return (exchange?.checks ?? []).filter((found) => found.check === check).map(({ message }) =>
    message
  );
}

Deno.test("an exchange's Date tells that this machine's clock is wrong", async () => {
  const { database, drop } = await openEmbeddedTest();
  const behind: Clock = { ...systemClock, now: () => systemClock.now() - 3_600_000 };
  const exchange = await startLocalExchange({ clock: behind });
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: "BTC/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "off",
      EXCHANGE_BINANCE: binanceAt(exchange),
    }, systemClock);
    const { ok, checks } = await examine(archive, { migrations: await readMigrations() });
    assert.equal(ok, false);
    assert.match(
      checks.find(({ check }) => check === "clock")?.message ?? "",
      /^this machine's clock is 60 min ahead of the answers of the exchange\. Set it by NTP/,
    );
  } finally {
    await exchange.close();
    await drop();
  }
});

Deno.test("a server's settings are read by a user without any rights, and what it lacks is named", async () => {
  const server = await openPostgres();
  if (server === undefined) return;
  const test = await openOnServer(server.url);
  const { database, drop } = test;
  try {
    const now = (): number => systemClock.now();
    const mine = await readServerSettings(database, { now });
    assert.deepEqual([mine.isStandby, mine.mayCreate, mine.schema, mine.foreignTables], [
      false,
      true,
      "public",
      [],
    ]);
    const [{ buffers } = { buffers: "" }] = await database.sql<{ buffers: string }[]>`
      select pg_size_bytes(current_setting('shared_buffers'))::text as buffers`;
    assert.equal(mine.sharedBuffersBytes, Number(buffers));
    const wrong = serverChecks(mine, { poolMax: 10 }).filter(({ ok }) => !ok);
    assert.deepEqual(wrong, []);

    await database.sql`create table checkpoints (one int)`;
    await database.sql`create role nobody login password 'nobody' connection limit 4`;
    const url = new URL(test.url ?? "");
    [url.username, url.password] = ["nobody", "nobody"];
    const theirs = await openDatabase({
      url: url.href,
      dataDir: "",
      poolMax: 1,
      clock: systemClock,
    });
    try {
      const settings = await readServerSettings(theirs, { now });
      assert.deepEqual([settings.user, settings.mayCreate, settings.foreignTables], [
        "nobody",
        false,
        ["checkpoints"],
      ]);
      const checks = serverChecks(settings, { poolMax: 10 });
      assert.equal(
        checks.find(({ check }) => check === "connections")?.message,
        "0 of 4 used by others, too few left for DB_POOL_MAX=10. Set DB_POOL_MAX=3, or raise the connection limit of " +
          "the role",
      );
    } finally {
      await theirs.close();
    }
  } finally {
    await database.sql`drop role if exists nobody`;
    await drop();
    await server.stop();
  }
});
