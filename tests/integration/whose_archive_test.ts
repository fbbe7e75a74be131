/** Commands that are given another archive, other settings, or names that nothing has. @module */
import assert from "node:assert/strict";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { withDirectory } from "../support/program.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { TestClock } from "../support/test_clock.ts";

type Command = (
  args: readonly string[],
  change?: Readonly<Record<string, string>>,
) => Promise<CommandResult>;

Deno.test("where there is no archive, commands that read one say so and make nothing", () =>
  withDirectory(async (cwd) => {
    await Deno.mkdir(`${cwd}/empty`);
    for (const directory of ["absent", "empty"]) {
      for (
        const args of [["status"], ["status", "--json"], ["gaps"], ["gaps", "--repair"], [
          "query",
          "select 1",
        ], ["export"]]
      ) {
        const { code, stdout, stderr } = await runInProcess(args, {
          DATA_DIR: `${cwd}/${directory}`,
        });
        assert.equal(code, 1, args.join(" "));
        assert.equal(stdout, "");
        assert.match(stderr, /^There is no archive here: /);
      }
    }
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${cwd}/empty`)), []);
    assert.deepEqual((await Array.fromAsync(Deno.readDir(cwd))).map(({ name }) => name), ["empty"]);
  }));

Deno.test("what a command says of an archive that its settings do not name", async (t) => {
  await withAnyArchivePlace(async ({ env }) => {
    const clock = new TestClock();
    const exchange = await startLocalExchange({ clock });
    const command: Command = (args, change = {}) =>
      runInProcess(args, { ...settings(exchange), ...env, ...change }, undefined, "", clock);
    try {
      for (const [name, test] of Object.entries(TESTS)) await t.step(name, () => test(command));
    } finally {
      await exchange.close();
    }
  });
});

function settings({ proxyUrl }: LocalExchange): Readonly<Record<string, string>> {
  return {
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT,ETH/USDT",
    TIMEFRAMES: "1h",
    BACKFILL: "1h:5d",
    EXCHANGE_PROXY_URL: proxyUrl,
    EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
  };
}

const OTHER = { EXCHANGES: "kraken,okx", SYMBOLS: "top:20", TIMEFRAMES: "1m", BACKFILL: "1m:7d" };

const TESTS: Readonly<Record<string, (command: Command) => Promise<void>>> = {
  "a symbol that no exchange lists is an error with the nearest names": async (command) => {
    for (const args of [["backfill"], ["plan"]]) {
      const { code, stdout, stderr } = await command(args, {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT,ETH/USDTT",
      });
      assert.equal(code, 1, args[0]);
      assert.match(stdout + stderr, /ETH\/USDTT is not listed by binance.*ETH\/USDT/);
    }
  },

  "status with the archive's settings owes nothing after a backfill": async (command) => {
    assert.equal((await command(["backfill"])).code, 0);
    const { series } = JSON.parse((await command(["status", "--json"])).stdout);
    for (const symbol of ["BTC/USDT", "ETH/USDT"]) {
      const row = series.find((row: { symbol: string }) => row.symbol === symbol);
      assert.deepEqual([row.candles, row.owed, row.wantedBy], [120, 0, "settings"]);
    }
  },

  "with other settings it tells of the same archive, and by whose settings it owes": async (
    command,
  ) => {
    const [mine, other] = [
      await command(["status", "--json"]),
      await command(["status", "--json"], OTHER),
    ].map(({ stdout }) => JSON.parse(stdout));
    const plain = (row: object): object => ({ ...row, wantedBy: undefined });
    assert.deepEqual(other.series.map(plain), mine.series.map(plain));
    assert.deepEqual(
      other.exchanges.map(({ exchange }: { exchange: string }) => exchange),
      ["binance"],
    );
    for (const { wantedBy } of other.series) assert.equal(wantedBy, "archive");
    const { stdout } = await command(["status"], OTHER);
    assert.match(stdout.replaceAll(/\s+/g, " "), /not in these settings: what they owe is what/);
  },

  "flags choose what status and gaps show": async (command) => {
    const args = ["--json", "--symbols", "ETH/USDT", "--exchanges", "binance"];
    const { series } = JSON.parse((await command(["status", ...args])).stdout);
    assert.deepEqual(series.map(({ symbol }: { symbol: string }) => symbol), ["ETH/USDT"]);
    const { gaps } = JSON.parse((await command(["gaps", ...args])).stdout);
    for (const { symbol } of gaps) assert.equal(symbol, "ETH/USDT");
  },

  "a name of which nothing is archived is an error with the nearest": async (command) => {
    for (const name of ["status", "gaps"]) {
      const symbol = await command([name, "--symbols", "ETH/USDTX"]);
      assert.equal(symbol.code, 1, name);
      assert.match(symbol.stderr, /Nothing is archived of the symbol ETH\/USDTX.*ETH\/USDT/);
      const exchange = await command([name, "--exchanges", "binanceus"]);
      assert.equal(exchange.code, 1, name);
      assert.match(exchange.stderr, /Nothing is archived of the exchange binanceus.*binance/);
    }
  },
};
