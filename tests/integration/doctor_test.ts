/** The doctor: several exchanges, examined by asking them. @module */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { type Checkup, examine } from "../../lib/doctor/checkup.ts";
import { examineStream } from "../../lib/doctor/stream_checkup.ts";
import { readMarkets } from "../../lib/fetch/markets.ts";
import { render } from "../../lib/cli/doctor.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { serverChecks } from "../../lib/doctor/server_checkup.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { readServerSettings } from "../../lib/store/connection/server_settings.ts";
import { readMigrations } from "../../lib/store/connection/migrations.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { startStreamExchange } from "../support/stream_exchange.ts";
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
  const krakenAt = JSON.stringify({ urls: { api: { public: other.url } }, rateLimit: 1 });
  const open = (variables: Readonly<Record<string, string>>): ReturnType<typeof openTestArchive> =>
    openTestArchive(database, {
      // Only to see its disk: the database is open already.
      DATA_DIR: ".",
      EXCHANGES: "binance,kraken",
      SYMBOLS: "BTC/USDT,ETH/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "off",
      EXCHANGE_BINANCE: binanceAt(binance),
      EXCHANGE_KRAKEN: krakenAt,
      ...variables,
    }, systemClock);
  const checkup = async (variables: Readonly<Record<string, string>>): Promise<Checkup> =>
    await examine(await open(variables), { migrations: await readMigrations() });
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

    await t.step("the stream of an exchange is opened, and one series subscribed", async () => {
      const { ok, exchanges } = await checkup({
        LIVE: "auto",
        EXCHANGE_BINANCE: withStream(binanceAt(binance), binance.streamUrl),
      });
      assert(ok);
      const { host } = new URL(binance.streamUrl);
      assert.deepEqual(messagesOf(exchanges[0], "stream"), [`${host} streams BTC/USDT 1m`]);
      // Its requests go to another server, which is no fault.
      assert.match(
        messagesOf(exchanges[1], "stream")[0] ?? "",
        /^candles come by polls alone: EXCHANGE_KRAKEN names another server .* name it as urls\.ws$/,
      );
      const off = await checkup({ LIVE: "off" });
      assert.deepEqual(off.exchanges.flatMap((one) => messagesOf(one, "stream")), []);
    });

    await t.step("a stream that fails is wrong, with what to do, and polls go on", async () => {
      const stream = startStreamExchange({ exchange: "kraken", refused: new Set(["BTC/USDT"]) });
      const silent = startStreamExchange({ isSilent: true });
      const { host } = new URL(stream.url);
      const variables = {
        LIVE: "auto",
        EXCHANGE_BINANCE: withStream(binanceAt(binance), binance.streamUrl),
        EXCHANGE_KRAKEN: withStream(krakenAt, stream.url),
      };
      try {
        const { ok, exchanges } = await checkup(variables);
        assert.deepEqual([ok, exchanges[0]?.ok], [false, true]);
        assert.deepEqual(exchanges[1]?.checks.filter(({ ok }) => !ok), [{
          ...{ check: "stream", ok: false },
          message:
            `candles come by polls alone: ${host} refuses BTC/USDT 1m: Currency pair not supported. ` +
            "If this lasts, set live: off for kraken in titan10.yaml, or leave it out of LIVE",
        }]);
        stream.goAway();
        const away = await checkup(variables);
        assert.match(
          messagesOf(away.exchanges[1], "stream")[0] ?? "",
          new RegExp(
            `^candles come by polls alone: the connection to ${host} has ended \\(unopened: .+\\)\\. ` +
              `Let WebSockets to ${host} pass the firewall, set httpsProxy in EXCHANGE_KRAKEN, or set ` +
              "live: off for kraken in titan10\\.yaml, or leave it out of LIVE$",
          ),
        );
        const archive = await open({
          ...variables,
          EXCHANGE_BINANCE: withStream(binanceAt(binance), silent.url),
        });
        const markets = await readMarkets(archive, archive.exchanges[0]!, {});
        const options = { markets, signal: undefined };
        const [mute] = await examineStream({ ...archive, clock: HASTY_CLOCK }, "binance", options);
        assert.equal(mute?.ok, false);
        assert.match(mute?.message ?? "", / within \d+ s\b.*\. .* live: off for binance/);
      } finally {
        await stream.close();
        await silent.close();
      }
    });

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

/** `EXCHANGE_<ID>` with another address of the stream. */
function withStream(options: string, url: string): string {
  const { urls, ...others } = JSON.parse(options);
  return JSON.stringify({ ...others, urls: { ...urls, ws: url } });
}

/** Waits a hundredth of the time. */
const HASTY_CLOCK: Clock = {
  now: () => systemClock.now(),
  sleep: (ms, options) => systemClock.sleep(ms / 100, options),
};

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
        "0 of 4 used by others, too few left for DB_POOL_MAX=10. Set DB_POOL_MAX=2, or raise the connection limit of " +
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
