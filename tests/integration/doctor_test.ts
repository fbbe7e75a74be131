/** The doctor: several exchanges, examined by asking them. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { type Checkup, examine } from "../../lib/ingest/doctor.ts";
import { render } from "../../lib/cli/doctor.ts";
import { startLocalExchange } from "../../lib/local_exchange/server.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/symbol.ts";
import { readMigrations } from "../../lib/store/migrate.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { openEmbeddedTest } from "../support/test_database.ts";

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
      EXCHANGES: "binance,kraken",
      SYMBOLS: "BTC/USDT,ETH/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "off",
      EXCHANGE_BINANCE: binanceAt(binance),
      EXCHANGE_KRAKEN: JSON.stringify({ urls: { api: { public: other.url } }, rateLimit: 1 }),
      ...variables,
    });
    return await examine(archive, { migrations: await readMigrations() });
  };
  try {
    await t.step("a symbol that another exchange lists is not wrong", async () => {
      const { ok, exchanges } = await checkup({});
      assert(ok);
      assert.deepEqual(messagesOf(exchanges[1], "symbols"), [
        "1 of 2 listed, other exchanges list ETH/USDT",
      ]);
      assert.deepEqual(exchanges[1]?.capabilities[0]?.newestCandles, {
        value: 719,
        source: "table",
      });
    });

    await t.step("an exchange that lists none of the symbols is wrong", async () => {
      const { ok, exchanges } = await checkup({ SYMBOLS: "ETH/USDT" });
      assert.deepEqual([ok, exchanges[0]?.ok, exchanges[1]?.ok], [false, true, false]);
      assert.deepEqual(messagesOf(exchanges[1], "symbols"), [
        "none of ETH/USDT is listed. Take kraken out of EXCHANGES",
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
        assert.match(message ?? "", /Leave it alone, and run titan10 doctor again after \d{4}-/);
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
        });
        const { ok, checks } = await examine(archive, { migrations: [first, ...others, missing] });
        assert.equal(ok, false);
        assert.deepEqual(checks.at(-1), {
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
