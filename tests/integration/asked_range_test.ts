/** `--since` and `--until` of backfill and plan: that range is fetched, and no other; names in the singular and plural. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { withArchiveDirectory } from "../support/program.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { TestClock } from "../support/test_clock.ts";
import { openTestDatabase } from "../support/test_database.ts";

const HOUR = parseTimeframe("1h");
const RANGE = ["--since", "2022-03-01T12:30Z", "--until", "2022-03-05"];

interface Scene {
  readonly command: (...args: readonly string[]) => Promise<CommandResult>;
  /** The open times of the hours that the exchange has, ISO 8601. */
  readonly truth: (since: string, until: string) => readonly string[];
}

Deno.test("backfill and plan are asked for a range in the place of BACKFILL", async (t) => {
  await withArchiveDirectory(async (cwd) => {
    const server = await openTestDatabase("postgres");
    const clock = new TestClock();
    const exchange = await startLocalExchange({ clock });
    const env = {
      DATA_DIR: `${cwd}/titan10-data`,
      ...(server?.url === undefined ? {} : { DATABASE_URL: server.url }),
      EXCHANGES: "binance",
      SYMBOLS: "BTC/USDT",
      TIMEFRAMES: "1h",
      BACKFILL: "1h:3h",
      RETRY_ATTEMPTS: "1",
      EXCHANGE_PROXY_URL: exchange.proxyUrl,
      EXCHANGE_BINANCE: '{"rateLimit":1}',
    };
    const scene: Scene = {
      command: (...args) => runInProcess(args, env, undefined, "", clock),
      truth: (since, until) => {
        const window = { sinceMs: Date.parse(since), untilMs: Date.parse(until) };
        return exchange.truth("BTC/USDT", HOUR, window)
          .map(({ openTimeMs }) => new Date(openTimeMs).toISOString().replace(".000", ""));
      },
    };
    try {
      for (const [name, test] of Object.entries(TESTS)) await t.step(name, () => test(scene));
    } finally {
      await exchange.close();
      await server?.drop();
    }
  });
});

async function planned({ command }: Scene, ...flags: readonly string[]): Promise<number> {
  const { code, stdout, stderr } = await command("plan", "--json", ...flags);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).entries[0].candles;
}

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a range without a time that has passed is refused by the name of its flag": async (
    { command },
  ) => {
    const refused = [
      [
        ["--since", "2024-03-15T12:31Z"],
        /--since="2024-03-15T12:31:00.000Z": expected a time since 1970 that has passed$/,
      ],
      [["--since", "1969-12-31"], /--since="1969-12-31T00:00:00.000Z": expected a time since 1970/],
      [
        ["--until", "2024-04-01"],
        /--until="2024-04-01T00:00:00.000Z": expected a time that has passed; without it, up to the last candle$/,
      ],
      [
        ["--until", "1960-01-01"],
        /--until="1960-01-01T00:00:00.000Z": expected a time since 1970$/,
      ],
      [
        ["--since", "2022-03-05", "--until", "2022-03-05"],
        /--until="2022-03-05T00:00:00.000Z": expected a time after --since$/,
      ],
      [["--since", "2022-02-30"], /option '--since <time>' argument '2022-02-30' is invalid/],
      [["--until", "yesterday"], /expected 2024-01-31 or 2024-01-31T12:00Z/],
    ] as const;
    for (const name of ["backfill", "plan"]) {
      for (const [flags, says] of refused) {
        const { code, stdout, stderr } = await command(name, ...flags);
        assert.deepEqual([code, stdout], [2, ""], stderr);
        assert.match(stderr.split("\nRun titan10")[0]!, says);
      }
    }
  },

  "plan counts the candles of the range, backfill stores them and no other": async (scene) => {
    const inside = scene.truth("2022-03-01T12:00Z", "2022-03-05T00:00Z");
    assert.equal(inside.length, 84);
    assert.equal(await planned(scene, ...RANGE), 84);
    const { code, stderr } = await scene.command("backfill", ...RANGE);
    assert.equal(code, 0, stderr);
    const { stdout } = await scene.command("export");
    assert.deepEqual(stdout.split("\n").slice(1).map((line) => line.split(",")[3]), inside);
    assert.equal(await planned(scene, ...RANGE), 0);
    assert.equal(await planned(scene, "--since", "2022-03-01", "--until", "2022-03-06"), 12 + 24);
    assert.equal(await planned(scene), 3, "later runs do not go on from there");
  },

  "a flag of names in the singular and in the plural means the same in all commands": async (
    { command },
  ) => {
    const shown = await command(
      "status",
      "--json",
      "--symbol",
      "BTC/USDT",
      "--exchange",
      "binance",
    );
    assert.deepEqual([shown.code, JSON.parse(shown.stdout).series.length], [0, 1], shown.stderr);
    const other = await command("gaps", "--symbol", "ETH/USDT", "--symbols", "SOL/USDT");
    assert.match(other.stderr, /symbol ETH\/USDT\.[^]*symbol SOL\/USDT\./);
    const plan = await command("plan", "--json", "--timeframe", "1d", "--backfill", "1d:3d");
    assert.equal(JSON.parse(plan.stdout).entries[0].timeframe, "1d", plan.stderr);
    const head = (await command("export", "--timeframes", "1h", "--exchanges", "binance")).stdout;
    assert.equal(head, (await command("export", "--timeframe", "1h")).stdout);
    const lacking = await command("export", "--symbols", "ETH/USDTX");
    assert.match(lacking.stderr, /the symbol ETH\/USDTX/);
    const without = await command("plan", "--symbol");
    assert.match(without.stderr, /option '--symbol <value>' argument missing/);
    const help = (await command("status", "--help", "--all")).stdout;
    assert.match(help, /--symbols <value>/);
    assert.doesNotMatch(help, /--symbol /);
  },
};
