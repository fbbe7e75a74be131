/** What `titan10.yaml` may say, what is made of it, and what is told when something is wrong with it. @module */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Config, ConfigError, readConfig } from "../../lib/config/config.ts";
import { settingsOf, unstreamedWhy } from "../../lib/config/exchange_settings.ts";
import { readSettingsFile } from "../../lib/config/settings_file.ts";
import type { ConfigRules } from "../../lib/config/variable.ts";
import { openArchive, prepareDatabase } from "../../lib/daemon/open_archive.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { lostSymbols } from "../../lib/fetch/lost_symbols.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { seriesName } from "../../lib/market/series.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { expire } from "../../lib/upkeep/upkeep.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { okx } from "../support/dialects/okx.ts";
import { binance } from "../support/local_exchange/binance.ts";
import { openFolderShell } from "../support/folder_shell.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const RULES: ConfigRules = {
  knownExchanges: ["binance", "bybit", "coinbase", "kraken", "okx"],
  isCron: (text) => text.split(" ").length === 5,
  nowMs: Date.UTC(2024, 0, 1, 12),
};

const SECRETS = { KRAKEN_SECRET: "correct horse battery" };

function read(
  text: string,
  { env = {}, dotenv, flags }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly dotenv?: string;
    readonly flags?: Readonly<Record<string, string>>;
  } = {},
): Config {
  const environment = { ...SECRETS, ...env };
  const file = readSettingsFile({ path: "titan10.yaml", text }, { rules: RULES, environment });
  return readConfig({ env: environment, dotenv, flags, file }, RULES);
}

/** The problems of a file, one a line. */
function problemsOf(text: string): string {
  try {
    read(text);
  } catch (error) {
    assert(error instanceof ConfigError, String(error));
    return error.message.split("\n").slice(1).map((line) => line.trim()).join("\n");
  }
  return "";
}

/** Each case is a file and what it is answered: `=== name`, the file, `---> `, the problems. */
const GOLDEN = new URL("./golden/faulty_settings.txt", import.meta.url);

const cases = (await Deno.readTextFile(GOLDEN)).split(/^=== /m).slice(1).map((block) => {
  const [head = "", expected = ""] = block.split(/^--->\n/m);
  const [name = "", ...lines] = head.split("\n");
  return { name, text: lines.join("\n"), expected: expected.trimEnd() };
});

Deno.test("there are sixty faulty files and more", () => {
  assert(cases.length >= 60, String(cases.length));
});

for (const { name, text, expected } of cases) {
  Deno.test(`a file of settings with ${name} is refused with its place and what is allowed`, () => {
    assert.notEqual(expected, "");
    assert.equal(problemsOf(text), expected);
    assert.doesNotMatch(expected, /hunter2|correct horse/);
  });
}

Deno.test("a file that nests thousands of lists is refused, and quickly", () => {
  assert.equal(
    problemsOf("[".repeat(50_000)).split(": expected ")[1],
    "fewer levels of lists and maps",
  );
  assert.equal(
    problemsOf(`# ${"x".repeat(1_000_000)}`),
    "titan10.yaml:1:1: expected at most 1000000 characters",
  );
});

Deno.test("an empty file, and one of comments, change nothing", () => {
  assert.deepEqual(read(""), read("# nothing\n"));
  assert.deepEqual(read("# nothing\n"), readConfig({ env: SECRETS }, RULES));
  assert.deepEqual(read("defaults:\nexchanges: { okx: }\n").exchanges, ["okx"]);
});

const FILE = `
defaults:
  timeframes: [1h, 1d]
  backfill: { 1h: 30d, 1d: 5y }
exchanges:
  binance:
    symbols: [BTC/USDT, "ETH/USDT:USDT"]
    pageLimit: 500
    retention: { 1h: 90d }
  kraken:
    symbols: [BTC/USD]
    timeframes: [1d, 1w]
    options: { apiKey: "\${KRAKEN_KEY}", rateLimit: 3000 }
  okx:
`;

const NONE = { names: [], tops: [], patterns: [], excluded: [] };

Deno.test("each exchange has what its entry says, and the rest from the defaults of the file", () => {
  const config = read(FILE, { env: { KRAKEN_KEY: "from the environment" } });
  assert.deepEqual(config.exchanges, ["binance", "kraken", "okx"]);
  const said = config.exchanges.map((id) => {
    const { symbols, timeframes, backfill, pageLimit, retention } = settingsOf(config, id);
    const text = (reaches: typeof backfill): readonly string[] =>
      reaches.map(({ timeframe, reach }) => `${timeframe}:${reach.text}`);
    return { symbols, timeframes, backfill: text(backfill), pageLimit, kept: text(retention) };
  });
  assert.deepEqual(said, [
    {
      symbols: { ...NONE, names: ["BTC/USDT", "ETH/USDT:USDT"] },
      timeframes: ["1h", "1d"],
      backfill: ["1h:30d", "1d:5y"],
      pageLimit: 500,
      kept: ["1h:90d"],
    },
    {
      symbols: { ...NONE, names: ["BTC/USD"] },
      timeframes: ["1d", "1w"],
      // 1h is not a timeframe of this entry.
      backfill: ["1d:5y"],
      pageLimit: undefined,
      kept: [],
    },
    {
      symbols: { ...NONE, tops: [{ count: 20 }] },
      timeframes: ["1h", "1d"],
      backfill: ["1h:30d", "1d:5y"],
      pageLimit: undefined,
      kept: [],
    },
  ]);
  assert.deepEqual(config.exchangeOptions, {
    kraken: { apiKey: "from the environment", rateLimit: 3000 },
  });
});

Deno.test("flags beat an exchange's entry, that beats variables, and they beat the file's defaults", () => {
  const file = `
defaults: { symbols: [A/USD], timeframes: [1d] }
exchanges:
  kraken: { symbols: [B/USD] }
  okx:
`;
  const symbolsOf = (sources: Parameters<typeof read>[1], exchange: string): unknown => {
    const { symbols } = settingsOf(read(file, sources), exchange);
    return symbols.names.join(",");
  };
  const dotenv = "SYMBOLS=C/USD";
  const env = { SYMBOLS: "D/USD" };
  const flags = { SYMBOLS: "E/USD" };
  assert.equal(symbolsOf({}, "okx"), "A/USD");
  assert.equal(symbolsOf({ dotenv }, "okx"), "C/USD");
  assert.equal(symbolsOf({ dotenv, env }, "okx"), "D/USD");
  assert.equal(symbolsOf({ dotenv, env }, "kraken"), "B/USD");
  assert.equal(symbolsOf({ dotenv, env, flags }, "kraken"), "E/USD");
  assert.deepEqual(read(file, { env: { EXCHANGES: "okx" } }).exchanges, ["okx"]);
  const options = `exchanges: { kraken: { options: { rateLimit: 1 } } }`;
  const variable = { EXCHANGE_KRAKEN: '{"hostname":"example.com"}' };
  assert.deepEqual(read(options, { env: variable }).exchangeOptions["kraken"], {
    hostname: "example.com",
  });
});

Deno.test("an exchange is streamed as its entry says, and else as LIVE or the file's defaults do", () => {
  const file = `
defaults: { live: off }
exchanges:
  binance: { live: auto }
  kraken: { live: off }
  okx:
`;
  const whys = (sources: Parameters<typeof read>[1] = {}, text = file): unknown => {
    const config = read(text, sources);
    return config.exchanges.map((id) => unstreamedWhy(config, id) ?? "streamed");
  };
  const own = "its settings say live: off";
  assert.deepEqual(whys(), ["streamed", "LIVE=off", "LIVE=off"]);
  assert.deepEqual(whys({ env: { LIVE: "auto" } }), ["streamed", own, "streamed"]);
  assert.deepEqual(whys({ env: { LIVE: "kraken" } }), ["streamed", own, "LIVE does not name it"]);
  assert.deepEqual(whys({ flags: { LIVE: "off" } }), ["LIVE=off", "LIVE=off", "LIVE=off"]);
  assert.deepEqual(whys({}, file.replace("live: off }\nex", "live: auto }\nex")), [
    ...["streamed", own, "streamed"],
  ]);
});

Deno.test("words that YAML 1.1 reads as switches and dates are texts", () => {
  const { symbols } = settingsOf(read("defaults: { symbols: [NO/ON, 1INCH/USDT] }"), "okx");
  assert.deepEqual(symbols.names, ["NO/ON", "1INCH/USDT"]);
  assert.deepEqual(settingsOf(read("defaults: { backfill: off }"), "okx").backfill, []);
});

Deno.test("exchanges of one file are asked for their own symbols and timeframes, and keep what one of them keeps", async () => {
  const { database, drop } = await openAnyTest();
  const clock = new TestClock(Date.parse("2024-06-01T12:30:00Z"));
  const [btc, eth] = LOCAL_SYMBOLS;
  const dialects = [binance, kraken, okx];
  const locals = await Promise.all(
    dialects.map((dialect) => startLocalExchange({ clock, dialect, symbols: [btc!, eth!] })),
  );
  try {
    const options = (index: number): string =>
      `{ proxyUrl: "${locals[index]!.proxyUrl}", rateLimit: 1 }`;
    const config = read(`
defaults: { symbols: [ETH/USDT], timeframes: [1h], backfill: { 1h: 10h } }
exchanges:
  binance: { symbols: ["*/USDT", "!SOL/*"], options: ${options(0)} }
  kraken: { symbols: [BTC/USDT, BTC/USDX], timeframes: [1d], backfill: { 1d: 4d }, options: ${
      options(1)
    } }
  okx: { backfill: { 1h: 5h, 4h: 2024-05-31.. }, pageLimit: 2, options: ${options(2)} }
`);
    const ground = {
      config,
      clock,
      random: () => 0,
      metrics: createMetrics(),
      log: logger("test"),
    };
    await prepareDatabase(database, ground);
    const archive = await openArchive(database, ground);
    await backfill(archive, { patient: false });
    const held = (await readCheckpoints(database)).map(({ series, candles }) =>
      `${seriesName(series)} ${candles}`
    );
    assert.deepEqual(held, [
      "binance BTC/USDT 1h 10",
      "binance ETH/USDT 1h 10",
      "kraken BTC/USDT 1d 4",
      "okx ETH/USDT 1h 5",
      "okx ETH/USDT 4h 9",
    ]);
    clock.pass(3 * 365 * 86_400_000);
    const drop1h = (exchanges: string): Promise<number> =>
      expire({ ...archive, config: read(`exchanges: { ${exchanges} }`) });
    const brief = "{ timeframes: [1h], backfill: off, retention: { 1h: 1d } }";
    assert.equal(await drop1h(`binance: ${brief}, okx:`), 0, "okx keeps its own for ever");
    assert.equal(await drop1h(`binance: ${brief}`), 0, "so it does when it is not archived");
    assert.equal(await drop1h(`binance: ${brief}, okx: ${brief}`), 25);
    // The other exchanges are not asked for it, so they are no excuse.
    assert.deepEqual(lostSymbols(archive), [
      "BTC/USDX is not listed by kraken. The nearest names: BTC/USDT. Correct SYMBOLS or the file of settings",
    ]);
  } finally {
    for (const local of locals) await local.close();
    await drop();
  }
});

Deno.test("the example of the document is read, each exchange with its own symbols", async () => {
  const document = await Deno.readTextFile(
    new URL("../../docs/configuration.md", import.meta.url),
  );
  const [, example = ""] = /^```yaml\n([^]*?)^```$/m.exec(document) ?? [];
  const { exchanges, own } = read(example, { env: { OKX_KEY: "of the environment" } });
  assert.deepEqual(exchanges.slice(0, 3), ["binance", "kraken", "okx"]);
  const symbols = exchanges.map((id) => JSON.stringify(own.get(id)?.symbols));
  assert.equal(new Set(symbols).size, exchanges.length);
});

Deno.test("titan10 config shows what is in force and where it comes from, and no secret", async () => {
  const folder = await Deno.makeTempDir({ prefix: "titan10-test-" });
  const shell = openFolderShell(folder);
  const env = { OKX_KEY: "hunter2hunter2", HTTP_TOKEN: "0123456789abcdef-hunter2" };
  const call = (...args: readonly string[]): Promise<CommandResult> =>
    shell.run(["config", ...args], env);
  try {
    await Deno.writeTextFile(join(folder, ".env"), "PAGE_LIMIT=300\nSYMBOLS=BTC/USDC\nLIVE=okx\n");
    await Deno.writeTextFile(
      join(folder, "titan10.yaml"),
      `defaults: { timeframes: [1h, 1d], backfill: { 1h: 30d, 1d: 5y } }
exchanges:
  kraken: { symbols: [BTC/USD], timeframes: [1d], live: off }
  okx: { options: { apiKey: "\${OKX_KEY}" } }
`,
    );
    const { code, stdout, stderr } = await call("--json", "--log-level", "error");
    assert.equal(code, 0, stderr);
    const { exchanges, settings } = JSON.parse(stdout);
    const lines = exchanges.flatMap((
      { exchange, settings }: {
        readonly exchange: string;
        readonly settings: readonly Record<string, string | null>[];
      },
    ) => settings.map(({ variable, value, from }) => `${exchange} ${variable} ${value} ${from}`));
    assert.deepEqual(lines, [
      "kraken SYMBOLS BTC/USD titan10.yaml:3:13",
      "kraken TIMEFRAMES 1d titan10.yaml:3:33",
      "kraken BACKFILL 1d:5y titan10.yaml:3:11",
      "kraken PAGE_LIMIT 300 .env",
      "kraken RETENTION null default",
      "kraken LIVE off titan10.yaml:3:51",
      "kraken FUNDING auto default",
      "kraken HISTORY auto default",
      "kraken EXCHANGE_KRAKEN null default",
      "okx SYMBOLS BTC/USDC .env",
      "okx TIMEFRAMES 1h,1d titan10.yaml:1:13",
      "okx BACKFILL 1h:30d,1d:5y titan10.yaml:1:35",
      "okx PAGE_LIMIT 300 .env",
      "okx RETENTION null default",
      "okx LIVE okx .env",
      "okx FUNDING auto default",
      "okx HISTORY auto default",
      "okx EXCHANGE_OKX *** titan10.yaml:4:10",
    ]);
    const fromOf = (name: string): unknown =>
      settings.find(({ variable }: { readonly variable: string }) => variable === name);
    assert.deepEqual(fromOf("HTTP_TOKEN"), {
      variable: "HTTP_TOKEN",
      value: "***",
      from: "environment",
    });
    assert.deepEqual(fromOf("LOG_LEVEL"), { variable: "LOG_LEVEL", value: "error", from: "flag" });
    const shown = await call();
    assert.match(shown.stdout, /^okx\n[^]*^ {2}SYMBOLS +BTC\/USDC +\.env$/m);
    assert.doesNotMatch(stdout + shown.stdout, /hunter2/);
    assert.equal((await call("check")).stdout, "The settings can be used: kraken, okx.");
    await Deno.writeTextFile(join(folder, "new.yaml"), "exchanges: { krakn: }");
    const refused = await call("check", "--config", "new.yaml");
    assert.deepEqual([refused.code, refused.stdout], [2, ""]);
    assert.match(refused.stderr, /new\.yaml:1:14 exchanges="krakn": .*did you mean kraken\?/);
  } finally {
    await shell.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("titan10 config --schema names each exchange and each setting, and forbids others", async () => {
  const { code, stdout } = await runInProcess(["config", "--schema"]);
  assert.equal(code, 0);
  const [top] = JSON.parse(stdout).anyOf;
  assert.deepEqual([Object.keys(top.properties), top.additionalProperties], [
    ["defaults", "exchanges"],
    false,
  ]);
  assert(top.properties.exchanges.propertyNames.enum.includes("kraken"));
  const [entry] = top.properties.exchanges.additionalProperties.anyOf;
  assert.deepEqual(
    [Object.keys(entry.properties), entry.required, entry.additionalProperties],
    [
      [
        "symbols",
        "timeframes",
        "backfill",
        "pageLimit",
        "retention",
        "live",
        "funding",
        "history",
        "options",
      ],
      undefined,
      false,
    ],
  );
});
