/** `titan10 init`, `add` and `forget`: what becomes of the file of settings, and what is told instead where nothing does. @module */
import assert from "node:assert/strict";
import { readConfig } from "../../lib/config/config.ts";
import { settingsOf } from "../../lib/config/exchange_settings.ts";
import { readSettingsFile } from "../../lib/config/settings_file.ts";
import { type NamedSymbol, withoutSymbol, withSymbols } from "../../lib/config/symbol_change.ts";
import { openExchange } from "../../lib/exchange/client.ts";
import { newestCandlesMax } from "../../lib/exchange/limits.ts";
import { nominalReachMs } from "../../lib/config/reach.ts";
import { nominalMs, parseTimeframe } from "../../lib/market/timeframe.ts";
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { copyTemplate } from "../support/embedded_template.ts";
import { seed } from "../support/seeded.ts";
import { binanceAt } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { withDirectory } from "../support/program.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";

const RULES = {
  knownExchanges: ["binance", "bybit", "coinbase", "kraken", "okx"],
  isCron: () => true,
};

/** Each case is a name with what is asked, the file, `--->`, and what is told above the file afterwards, or why it is refused. */
const GOLDEN = new URL("./golden/changed_settings.txt", import.meta.url);

const cases = (await Deno.readTextFile(GOLDEN)).split(/^=== /m).slice(1).map((block) => {
  const [head = "", expected = ""] = block.split(/^--->\n/m);
  const [title = "", ...lines] = head.split("\n");
  return { title, text: lines.join("\n"), expected };
});

for (const { title, text, expected } of cases) {
  Deno.test(`a file of settings is changed: ${title}`, () => {
    assert.equal(answerTo(title, text), expected);
    // Whatever ends its lines, and whether the last one has an end.
    const windows = text.replaceAll("\n", "\r\n");
    assert.equal(answerTo(title, windows).replaceAll("\r\n", "\n"), expected);
  });
}

/** What comes of a case whose title ends with what is asked, `: add okx:A/B --timeframes 1h; EXCHANGES=okx`. */
function answerTo(title: string, text: string): string {
  const [, does = "", words = ""] = /: (add|forget) ([^;]*)$/.exec(title.split(";")[0]!) ?? [];
  const [named = "", timeframes] = words.trim().split(" --timeframes ");
  const asked = named.split(" ").map((word): NamedSymbol => {
    const at = word.indexOf(":");
    return { exchange: word.slice(0, at), symbol: word.slice(at + 1) };
  });
  const env = Object.fromEntries(
    (title.split("; ")[1] ?? "").split(" ").filter((word) => word !== "").map((word) =>
      word.split("=")
    ),
  );
  const path = "titan10.yaml";
  const file = {
    path,
    text,
    sources: { env },
    rules: RULES,
    read: (text: string) => readSettingsFile({ path, text }, { rules: RULES, environment: env }),
  };
  try {
    const change = does === "add"
      ? withSymbols(file, asked, timeframes?.split(","))
      : withoutSymbol(file, asked[0]!);
    return [...change.told.map((sentence) => `> ${sentence}\n`), change.text].join("");
  } catch (error) {
    assert(error instanceof Error);
    return `! ${error.message}\n`;
  }
}

Deno.test("there are twenty changed files and more", () => assert(cases.length >= 20));

Deno.test("a symbol is added where its exchange lists it, and the rest of the file stays as it is", () =>
  withFile(FILE, async ({ path, run }) => {
    const wrong = await run("add", "binance:SOLL/USDT", "binance:XRP/USDT");
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stderr,
      /^binance does not list SOLL\/USDT\. The nearest: SOL\/USDT\.\nNothing was changed\.$/,
    );
    const odd = await run("add", "binance:SOL/USDT", "--timeframes", "7m");
    assert.equal(odd.code, 1);
    assert.match(odd.stderr, /^binance has no timeframe 7m\. It has 1s 1m 3m /);
    assert.equal(await Deno.readTextFile(path), FILE);

    const added = await run("add", "binance:SOL/USDT");
    assert.deepEqual([added.code, added.stderr], [0, NO_DAEMON]);
    assert.match(added.stdout, /^binance SOL\/USDT is archived from now on\./);
    assert.equal(await Deno.readTextFile(path), FILE.replace("ETH/USDT", "ETH/USDT, SOL/USDT"));
    const again = await run("add", "binance:SOL/USDT");
    assert.deepEqual([again.code, again.stdout], [0, "binance SOL/USDT is archived already."]);

    const forgotten = await run("forget", "binance:SOL/USDT");
    assert.deepEqual([forgotten.code, forgotten.stderr], [0, NO_DAEMON]);
    assert.equal(await Deno.readTextFile(path), FILE);
    const gone = await run("forget", "binance:SOL/USDT");
    assert.deepEqual([gone.code, gone.stdout], [0, "binance SOL/USDT is not archived."]);
  }));

Deno.test("where the exchange cannot be asked, a symbol is added with a warning", () =>
  withFile(FILE, async ({ path, run }) => {
    const added = await run("add", "okx:SOL/USDT");
    assert.equal(added.code, 0, added.stderr);
    assert.match(added.stderr, /^Cannot find out whether okx lists SOL\/USDT: /);
    assert.equal(await Deno.readTextFile(path), `${FILE}  okx:\n    symbols: [SOL/USDT]\n`);
  }));

Deno.test("the file keeps its mode and stays the one that a link names, and nothing is left beside it", () =>
  withFile(FILE, async ({ folder, path, run }) => {
    const real = `${folder}/real/settings.yaml`;
    await Deno.mkdir(`${folder}/real`);
    await Deno.rename(path, real);
    await Deno.symlink(real, path);
    await Deno.chmod(real, 0o640);
    const { code, stderr } = await run("forget", "binance:ETH/USDT");
    assert.equal(code, 0, stderr);
    assert.equal((await Deno.lstat(path)).isSymlink, true);
    assert.equal(((await Deno.stat(real)).mode ?? 0) & 0o777, 0o640);
    assert.equal(await Deno.readTextFile(real), FILE.replace(", ETH/USDT", ""));
    const names = await Array.fromAsync(Deno.readDir(`${folder}/real`), ({ name }) => name);
    assert.deepEqual(names, ["settings.yaml"]);
  }));

Deno.test("a file that cannot be used stays as it is, and all of its faults are told", () =>
  withFile(`${FILE}    symbls: [A/B]\n`, async ({ path, run }) => {
    const before = await Deno.readTextFile(path);
    for (const command of ["add", "forget"]) {
      const { code, stderr } = await run(command, "binance:SOL/USDT");
      assert.equal(code, 2);
      assert.match(
        stderr,
        /titan10\.yaml:7:5 exchanges\.binance="symbls": expected .*did you mean symbols/,
      );
      assert.equal(await Deno.readTextFile(path), before);
    }
  }));

Deno.test("a text that names no symbol of an exchange is wrong usage", () =>
  withFile(FILE, async ({ run }) => {
    const says = {
      "krakn:BTC/USD":
        /error: krakn of krakn:BTC\/USD is not a CCXT exchange id; did you mean kraken\?/,
      "BTC/USDT": /error: BTC\/USDT is not an exchange and a symbol, such as binance:SOL\/USDT/,
      "binance:top:20": /error: binance:top:20 is not an exchange and a symbol/,
      "binance:*/USDT": /error: binance:\*\/USDT is not an exchange and a symbol/,
    };
    for (const [text, expected] of Object.entries(says)) {
      const { code, stderr } = await run("add", text);
      assert.equal(code, 2);
      assert.match(stderr, expected);
    }
  }));

Deno.test("where only variables are used, what to set is told, and nothing is changed", async () => {
  const env = { EXCHANGES: "binance", SYMBOLS: "top:5,BTC/USDT", TIMEFRAMES: "1m" };
  const added = await runInProcess(["add", "okx:SOL/USDT", "--timeframes", "1m,1h"], env);
  assert.equal(added.code, 1);
  assert.match(added.stderr, /^There is no titan10\.yaml here: .*Nothing was changed\. Set$/m);
  assert.match(added.stderr, /^ {2}EXCHANGES=binance,okx in the environment$/m);
  assert.match(added.stderr, /^ {2}SYMBOLS=top:5,BTC\/USDT,SOL\/USDT in the environment$/m);
  assert.match(added.stderr, /^ {2}TIMEFRAMES=1m,1h in the environment$/m);
  const forgotten = await runInProcess(["forget", "binance:BTC/USDT"], {
    ...env,
    DATA_DIR: "/nonexistent",
  });
  assert.equal(forgotten.code, 1);
  assert.match(forgotten.stderr, /^ {2}SYMBOLS='top:5,!BTC\/USDT' in the environment$/m);
  const already = await runInProcess(["add", "binance:BTC/USDT"], env);
  assert.deepEqual([already.code, already.stdout], [0, "binance:BTC/USDT: archived already."]);
});

Deno.test("nothing is deleted before the user has agreed to how much that is", () =>
  withFile(FILE, async ({ folder, path, env, run }) => {
    await copyTemplate(`${folder}/data`);
    const open = (): Promise<Database> =>
      openDatabase({ url: undefined, dataDir: `${folder}/data`, poolMax: 1, clock: systemClock });
    const made = await open();
    const series = { exchange: "binance", since: "2024-01-01T00:00:00Z" };
    await seed(made, [
      { ...series, symbol: "ETH/USDT", timeframe: "1h", candles: 1_200 },
      { ...series, symbol: "ETH/USDT", timeframe: "1d", candles: 50 },
      { ...series, symbol: "BTC/USDT", timeframe: "1h", candles: 7 },
    ]);
    await made.close();
    const questions: string[] = [];
    const answered = (answer: string): Promise<CommandResult> => {
      const ask = (question: string): Promise<string> => {
        questions.push(question);
        return Promise.resolve(answer);
      };
      const signal = new AbortController().signal;
      const args = ["forget", "binance:ETH/USDT", "--delete"];
      return runInProcess(args, env, signal, "", systemClock, ask);
    };
    const says = "1,250 candles of binance ETH/USDT (1h, 1d)";
    const unasked = await run("forget", "binance:ETH/USDT", "--delete");
    assert.deepEqual([unasked.code, unasked.stderr], [
      1,
      `This would delete ${says}. Repeat the command with --yes to delete. Nothing was changed.`,
    ]);
    const refused = await answered("");
    assert.deepEqual([refused.code, refused.stderr], [1, "Nothing was changed."]);
    assert.equal(await Deno.readTextFile(path), FILE);
    const agreed = await answered("y");
    assert.equal(agreed.code, 0, agreed.stderr);
    assert.match(agreed.stdout, /^binance ETH\/USDT: 1,250 candles deleted\.$/m);
    assert.deepEqual(questions, [
      ...Array(2).fill(`Delete ${says}, and everything stored about them? [y/N] `),
    ]);
    assert.equal(await Deno.readTextFile(path), FILE.replace(", ETH/USDT", ""));
    const left = await open();
    try {
      const rows = await left.sql<{ symbol: string; candles: number }[]>`
        select symbol, count(*)::int as candles from ohlcv group by symbol`;
      assert.deepEqual(rows.map((row) => ({ ...row })), [{ symbol: "BTC/USDT", candles: 7 }]);
      const told = await left.sql<{ symbol: string; candles: number }[]>`
        select symbol, candles::int from events where kind = 'forgotten'`;
      assert.deepEqual(told.map((row) => ({ ...row })), [{ symbol: "ETH/USDT", candles: 1_250 }]);
    } finally {
      await left.close();
    }
    const again = await run("forget", "binance:ETH/USDT", "--delete");
    assert.deepEqual([again.code, again.stdout], [
      0,
      "binance ETH/USDT is not archived.\nThere is nothing to delete.",
    ]);
  }));

Deno.test("init writes a file that can be used, and that editors check, and overwrites none", () =>
  withDirectory(async (folder) => {
    const path = `${folder}/titan10.yaml`;
    const made = await runInProcess(["init", "--config", path]);
    assert.deepEqual([made.code, made.stderr], [0, ""]);
    const text = await Deno.readTextFile(path);
    const [, schema = ""] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
    const printed = await runInProcess(["config", "--schema"]);
    assert.equal(await Deno.readTextFile(`${folder}/${schema}`), printed.stdout);
    const checked = await runInProcess(["config", "check", "--config", path]);
    assert.deepEqual([checked.code, checked.stdout], [
      0,
      "The settings can be used: binance, kraken.",
    ]);
    await assertTrue(text);

    await Deno.writeTextFile(path, "# mine\n");
    const again = await runInProcess(["init", "--config", path]);
    assert.equal(again.code, 1);
    assert.match(
      again.stderr,
      /titan10\.yaml is there already, and stays as it is\. Change it by titan10 add and /,
    );
    assert.equal(await Deno.readTextFile(path), "# mine\n");
    const other = await runInProcess(["init", "--config", `${folder}/b.yaml`], {
      EXCHANGES: "okx",
    });
    assert.equal(other.code, 0);
    assert.match(
      other.stderr,
      /^EXCHANGES=okx \(environment\) says which exchanges are archived, whatever /,
    );
    const nowhere = await runInProcess(["init", "--config", `${folder}/none/b.yaml`]);
    assert.equal(nowhere.code, 1);
    assert.match(
      nowhere.stderr,
      /^Cannot write \/.*\/none\/b\.yaml: .*Name another file by --config$/,
    );
  }));

Deno.test("README's first file of settings is true for each exchange that it names", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const [, text = ""] = /```yaml\n([^]*?)```/.exec(readme) ?? [];
  assert.match(text, /^# titan10\.yaml\n/);
  await assertTrue(text);
});

/** What the classes of CCXT and the table of limits know: timeframes, and how far back they reach. */
async function assertTrue(text: string): Promise<void> {
  const file = readSettingsFile({ path: "titan10.yaml", text }, { rules: RULES, environment: {} });
  const config = readConfig({ env: {}, file }, RULES);
  assert(config.exchanges.length >= 2);
  for (const exchange of config.exchanges) {
    const { timeframes, backfill, symbols: { names } } = settingsOf(config, exchange);
    const { timeframes: offered } = await openExchange(exchange, { clock: systemClock });
    for (const timeframe of [...timeframes, ...backfill.map(({ timeframe }) => timeframe)]) {
      assert(offered.includes(timeframe), `${exchange} has no ${timeframe}`);
    }
    for (const symbol of names) {
      // Dollars where the exchange is one of dollars: there are no lists of markets in CCXT's classes.
      assert.match(symbol, USD.has(exchange) ? /\/USD$/ : /\/USDT$/, `${exchange} ${symbol}`);
      for (const { timeframe, reach } of backfill) {
        const series = { exchange, symbol, timeframe: parseTimeframe(timeframe) };
        const keptMs = (newestCandlesMax(series) ?? Infinity) * nominalMs(series.timeframe);
        assert(
          keptMs === Infinity || nominalReachMs(reach) < keptMs,
          `${exchange} keeps less than ${timeframe}:${reach.text}`,
        );
      }
    }
  }
}

const USD = new Set(["coinbase", "kraken"]);

const NO_DAEMON = "No daemon runs here: this takes effect when one is started.";

const FILE = `# Mine.
exchanges:
  # The first.
  binance:
    symbols: [BTC/USDT, ETH/USDT] # two
    pageLimit: 500
`;

interface Scene {
  readonly folder: string;
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly run: (...args: readonly string[]) => Promise<CommandResult>;
}

/** A folder with a file of settings, and a local Binance to ask. */
async function withFile(text: string, use: (scene: Scene) => Promise<void>): Promise<void> {
  const exchange = await startLocalExchange({ clock: systemClock });
  try {
    await withDirectory(async (folder) => {
      const path = `${folder}/titan10.yaml`;
      await Deno.writeTextFile(path, text);
      const env = {
        TITAN10_CONFIG: path,
        DATA_DIR: `${folder}/data`,
        EXCHANGE_BINANCE: binanceAt(exchange),
        // Nobody listens there.
        EXCHANGE_OKX: JSON.stringify({ proxyUrl: "http://127.0.0.1:9/" }),
      };
      await use({ folder, path, env, run: (...args) => runInProcess(args, env) });
    });
  } finally {
    await exchange.close();
  }
}
