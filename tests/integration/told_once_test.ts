/** A failure that meets many series alike is told once, with their number. @module */
import assert from "node:assert/strict";
import { Poll } from "../../lib/fetch/poll.ts";
import { binanceAt, openTestArchive } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT"];

Deno.test("the first bad minute of an exchange is one warning with the number of its series", async () => {
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  const { database, drop } = await openAnyTest();
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: SYMBOLS.join(","),
      TIMEFRAMES: "1m,5m",
      BACKFILL: "off",
      RETRY_ATTEMPTS: "1",
      EXCHANGE_BINANCE: binanceAt(exchange),
      BREAKER_FAILURES: "100",
    }, clock);
    const poll = new Poll(archive);
    let seen = 0;
    const warnings = (): Record<string, unknown>[] => {
      const lines = archive.lines.slice(seen);
      seen += lines.length;
      return lines.map((line) => JSON.parse(line)).filter(({ level }) => level === "warning");
    };
    const tick = async (): Promise<Record<string, unknown>[]> => {
      clock.pass(5 * 60_000);
      await poll.runOnce();
      return warnings();
    };
    await poll.runOnce();
    warnings();
    assert.deepEqual(await tick(), []);

    const fault = exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "status", status: 500 },
    });
    const [warning, ...others] = await tick();
    assert.deepEqual(others, []);
    assert.equal(warning?.["message"], "pages of candles were not fetched or not stored");
    assert.deepEqual(
      [warning["exchange"], warning["pages"], warning["kind"]],
      ["binance", 2 * SYMBOLS.length, "transient"],
    );
    assert.equal((warning["series"] as string[]).length, 3);
    assert.match(JSON.stringify(warning["error"]), /500/);
    const [row] = await database.sql`select last_error from exchanges where exchange = 'binance'`;
    assert.match(row?.["last_error"], /500/, "status says so, too");
    assert.deepEqual(await tick(), [], "it goes on, which is no news");

    fault.remove();
    assert.deepEqual(await tick(), []);
    exchange.faults.add({
      when: { about: "candles", symbol: "BTC/USDT" },
      fault: { kind: "status", status: 502 },
    });
    assert.deepEqual(
      (await tick()).map(({ message, pages }) => [message, pages]),
      [["pages of candles were not fetched or not stored", 2]],
      "it works again and fails again, which is",
    );
  } finally {
    await drop();
    await exchange.close();
  }
});
