/** What a command was asked for and could not do: it says so, names what is there instead, and ends with 1. */
import assert from "node:assert/strict";
import { examine } from "../../lib/doctor/checkup.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { openTestArchive } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { withArchiveDirectory } from "../support/program.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest, openTestDatabase } from "../support/test_database.ts";

const HOUR_MS = 3_600_000;
const HOLE_MS = Math.floor(START_MS / HOUR_MS) * HOUR_MS - 50 * HOUR_MS;

interface Scene {
  readonly clock: TestClock;
  readonly binance: LocalExchange;
  /** Whether the archive is on a server, and not embedded. */
  readonly isServer: boolean;
  readonly command: (
    args: readonly string[],
    change?: Readonly<Record<string, string>>,
  ) => Promise<CommandResult>;
}

Deno.test("a command that could not do all it was asked for says so and ends with 1", async (t) => {
  await withArchiveDirectory(async (cwd) => {
    // A server answers commands sooner than the embedded database, which each has to open.
    const server = await openTestDatabase("postgres");
    const clock = new TestClock();
    const binance = await startLocalExchange({ clock });
    const other = await startLocalExchange({ clock, dialect: kraken });
    const settings = {
      DATA_DIR: `${cwd}/titan10-data`,
      ...(server?.url === undefined ? {} : { DATABASE_URL: server.url }),
      EXCHANGES: "binance,kraken",
      SYMBOLS: "BTC/USDT,ETH/USDT",
      TIMEFRAMES: "1h",
      BACKFILL: "1h:5d",
      RETRY_ATTEMPTS: "2",
      RETRY_MIN: "1ms",
      RETRY_MAX: "2ms",
      EXCHANGE_PROXY_URL: binance.proxyUrl,
      EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
      EXCHANGE_KRAKEN: JSON.stringify({
        proxyUrl: other.proxyUrl,
        rateLimit: 1,
      }),
    };
    const command: Scene["command"] = (args, change = {}) =>
      runInProcess(args, { ...settings, ...change }, undefined, "", clock);
    try {
      for (const [name, test] of Object.entries(TESTS)) {
        await t.step(
          name,
          () => test({ clock, binance, command, isServer: server?.url !== undefined }),
        );
      }
    } finally {
      await binance.close();
      await other.close();
      await server?.drop();
    }
  });
});

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a timeframe that an exchange opens at other times is named by backfill and plan": async (
    { command },
  ) => {
    const all = { TIMEFRAMES: "1h,1w" };
    for (const args of [["plan"], ["backfill", "--json"]]) {
      const { code, stderr } = await command(args, all);
      assert.match(stderr, /kraken 1w is left out: .* Leave 1w out of TIMEFRAMES/, args.join(" "));
      assert.equal(code, 1, args.join(" "));
    }
    assert.equal((await command(["backfill"], { SYMBOLS: "BTC/USDT" })).code, 0);
  },

  "gaps that were due and could not be asked for are told of with the reason": async (
    { clock, binance, command },
  ) => {
    const hole = binance.faults.add({
      when: { symbol: "SOL/USDT" },
      fault: { kind: "holes", sinceMs: HOLE_MS, untilMs: HOLE_MS + HOUR_MS },
    });
    const solana = { EXCHANGES: "binance", SYMBOLS: "SOL/USDT" };
    assert.equal((await command(["backfill"], solana)).code, 0);
    hole.remove();
    const failures = [
      [{ kind: "status", status: 500 }, /500/],
      [{ kind: "status", status: 418, retryAfterSeconds: 60 }, /418/],
    ] as const;
    for (const [fault, why] of failures) {
      // What was asked for in vain waits as long as what came back empty.
      clock.pass(6 * 60_000);
      const rule = binance.faults.add({ when: { about: "candles" }, fault });
      const { code, stderr } = await command(["gaps", "--repair"], solana);
      rule.remove();
      assert.match(stderr, /1 gap of binance SOL\/USDT 1h could not be asked for: /);
      assert.match(stderr, why);
      assert.equal(code, 1);
    }
    clock.pass(6 * 60_000);
    const { code, stderr } = await command(["gaps", "--repair"], solana);
    assert.match(stderr, /1 filled/);
    assert.equal(code, 0, stderr);
  },

  "a name that is archived elsewhere only is an error that says what is archived here": async (
    { command, isServer },
  ) => {
    const names = ["--exchanges", "kraken", "--symbols", "SOL/USDT"];
    // Of an embedded archive a daemon is watched.
    const watch = isServer ? [["status", "--watch", ...names]] : [];
    for (const args of [["status", ...names], ["gaps", ...names], ...watch]) {
      const { code, stdout, stderr } = await command(args);
      assert.match(stderr, /^Nothing is archived of the symbol SOL\/USDT for kraken\. Archived/);
      assert.match(stderr, /BTC\/USDT/);
      assert.deepEqual([code, stdout], [1, ""]);
    }
  },

  "export of a name that nothing has is an error with the nearest": async ({ command }) => {
    const unknown = await command(["export", "--symbol", "ETH/USDTX"]);
    assert.match(unknown.stderr, /the symbol ETH\/USDTX\. The nearest names: ETH\/USDT/);
    assert.deepEqual([unknown.code, unknown.stdout], [1, ""]);
    const elsewhere = await command(["export", "--symbol", "SOL/USDT", "--exchange", "kraken"]);
    assert.match(elsewhere.stderr, /the symbol SOL\/USDT for kraken\. Archived there: /);
    assert.deepEqual([elsewhere.code, elsewhere.stdout], [1, ""]);
  },

  "a symbol that is called otherwise now is named with its new name": async (
    { binance, command },
  ) => {
    const ether = binance.symbols.all().find(({ symbol }) => symbol === "ETH/USDT")!;
    const only = { EXCHANGES: "binance" };
    assert.equal((await command(["backfill"], only)).code, 0);
    binance.symbols.delist("ETH/USDT", { forget: true });
    binance.symbols.list({ ...ether, symbol: "ETHER/USDT", base: "ETHER", id: "ETHUSDT" });
    for (const args of [["backfill"], ["plan"]]) {
      const { code, stderr } = await command(args, only);
      assert.match(stderr, /binance ETH\/USDT is called ETHER\/USDT now.*ETHER\/USDT into SYMBOLS/);
      assert.equal(code, 1, args.join(" "));
    }
    const both = { ...only, SYMBOLS: "BTC/USDT,ETH/USDT,ETHER/USDT" };
    const { code, stderr } = await command(["backfill"], both);
    assert.equal(code, 0, stderr);
  },

  "an exchange that is left out of a plan is named, with what to do": async (
    { binance, command },
  ) => {
    const rule = binance.faults.add({
      when: { about: "markets" },
      fault: { kind: "status", status: 500 },
    });
    const { code, stdout, stderr } = await command(["plan"]);
    rule.remove();
    assert.match(stdout, /kraken/);
    assert.match(stderr, /^binance could not be planned completely: Cannot load the markets/m);
    assert.match(stderr, /Run titan10 doctor, fix what it names/);
    assert.equal(code, 1);
  },
};

Deno.test("the doctor blames no symbol of a kind of markets that could not be loaded", async () => {
  const opened = await openAnyTest();
  const clock = new TestClock();
  const binance = await startLocalExchange({ clock });
  const other = await startLocalExchange({ clock, dialect: kraken, symbols: LOCAL_SYMBOLS });
  try {
    binance.faults.add({
      when: { path: "linear/exchangeInfo" },
      fault: { kind: "status", status: 500 },
    });
    const archive = await openTestArchive(opened.database, {
      EXCHANGES: "binance,kraken",
      SYMBOLS: "BTC/USDT,BTC/USDT:USDT",
      TIMEFRAMES: "1h",
      BACKFILL: "off",
      EXCHANGE_PROXY_URL: binance.proxyUrl,
      EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
      EXCHANGE_KRAKEN: JSON.stringify({ proxyUrl: other.proxyUrl, rateLimit: 1 }),
    }, clock);
    const { exchanges } = await examine(archive, { migrations: [] });
    const [spot, kraken] = exchanges.map(({ checks }) =>
      checks.find(({ check }) => check === "symbols")
    );
    assert.deepEqual([spot?.ok, kraken?.ok], [true, true], kraken?.message);
    assert.doesNotMatch(kraken?.message ?? "", /Correct SYMBOLS/);
  } finally {
    await binance.close();
    await other.close();
    await opened.drop();
  }
});
