/** The commands as a person types them. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { binanceAt } from "../support/local_archive.ts";
import { assertCode, run, withArchiveDirectory, withDirectory } from "../support/program.ts";
import { runInProcess } from "../support/shell.ts";

Deno.test("no command prints help and ends with 0", () =>
  withDirectory(async (cwd) => {
    const result = await run([], { cwd });
    assertCode(result, 0);
    assert.match(result.stdout, /Usage: titan10/);
  }));

Deno.test("every line of every help text fits 80 columns, and every command has examples", async () => {
  const { stdout } = await runInProcess(["--help"]);
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) (?:\[options\]|<\w+>) /gm)].map(([, name]) =>
    name!
  );
  assert(commands.includes("status") && commands.includes("demo"), stdout);
  assert.match(stdout, /^ {2}titan10 demo$/m);
  for (const args of [[], ...commands.map((name) => [name])]) {
    for (const all of [[], ["--all"]]) {
      const help = (await runInProcess([...args, "--help", ...all])).stdout;
      assert.deepEqual(help.split("\n").filter((line) => line.length > 80), [], args.join(" "));
      if (args.length > 0) assert.match(help, /^Examples:\n {2}(?:source <\()?titan10 /m);
    }
  }
});

Deno.test("help lists a command's own options, and behind them with --all the settings", async () => {
  const all = (await runInProcess(["gaps", "--help", "--all"])).stdout;
  assert.match(all, /^Options:\n {2}--json [^]*--repair [^]*\n\nDatabase:\n {2}--data-dir /m);
  assert.match(all, /^Flags beat environment variables/m);
  for (const args of [["gaps", "--help"], ["gaps", "-h"], ["help", "gaps"]]) {
    const own = (await runInProcess(args)).stdout;
    assert.match(own, /^ {2}--repair /m);
    assert.doesNotMatch(own, /--data-dir|Flags beat/);
    assert.match(own, /^Settings are flags, too: titan10 gaps --help --all lists them\.$/m);
  }
  assert.equal((await runInProcess(["help", "gaps", "--all"])).stdout, all);
  const alone = await runInProcess(["gaps", "--all"]);
  assert.equal(alone.code, 2);
  assert.match(alone.stderr, /unknown option '--all'/);
  // What is not listed is known all the same.
  assert.match(
    (await runInProcess(["gaps", "--exchangse", "x"])).stderr,
    /Did you mean --exchanges/,
  );
});

Deno.test("an unknown command and an unknown option end with 2", () =>
  withDirectory(async (cwd) => {
    for (const args of [["fly"], ["status", "--fast"]]) {
      const result = await run(args, { cwd });
      assertCode(result, 2);
      assert.match(
        result.stderr,
        /^error: unknown [^]*\nRun titan10 .*--help to see what is available\.$/m,
      );
    }
    const slips = await run(["stauts"], { cwd });
    assert.match(slips.stderr, /Did you mean status\?/);
    assert.match((await run(["status", "--wach"], { cwd })).stderr, /Did you mean --watch\?/);
  }));

Deno.test("all problems of a configuration are named at once and end with 2", () =>
  withDirectory(async (cwd) => {
    const result = await run(["run"], {
      cwd,
      env: { EXCHANGES: "binanc", TIMEFRAMES: "1x", DATABASE_URL: "mysql://u:hunter2@h/d" },
    });
    assertCode(result, 2);
    assert.match(result.stderr, /EXCHANGES="binanc".*did you mean binance/);
    assert.match(result.stderr, /TIMEFRAMES="1x"/);
    assert.match(result.stderr, /DATABASE_URL/);
    assert.doesNotMatch(result.stderr, /hunter2/);
  }));

Deno.test("a timeframe that an exchange lacks is named with the nearest it has", () =>
  withDirectory(async (cwd) => {
    const result = await run(["status"], { cwd, env: { EXCHANGES: "coinbase", TIMEFRAMES: "4h" } });
    assertCode(result, 1);
    const planned = await run(["plan"], { cwd, env: { EXCHANGES: "coinbase", TIMEFRAMES: "4h" } });
    assertCode(planned, 2);
    assert.match(
      planned.stderr,
      /TIMEFRAMES="4h": expected a timeframe of coinbase: .*nearest: 6h, 2h/,
    );
  }));

Deno.test("flags beat the environment, which beats .env", () =>
  withDirectory(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/.env`, "EXCHANGES=nope1\nTIMEFRAMES=1x\n");
    const result = await run(["run", "--symbols", "top:x"], {
      cwd,
      env: { EXCHANGES: "nope2", SYMBOLS: "top:1" },
    });
    assertCode(result, 2);
    assert.match(result.stderr, /nope2/);
    assert.doesNotMatch(result.stderr, /nope1/);
    assert.match(result.stderr, /SYMBOLS="top:x"/);
    assert.match(result.stderr, /TIMEFRAMES="1x"/);
  }));

Deno.test("healthcheck says that nothing listens there, or that the name is unknown, and what to do", () =>
  withDirectory(async (cwd) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const result = await run(["healthcheck", "--http-port", String(port)], { cwd });
    assertCode(result, 1);
    assert.equal(
      result.stderr,
      `unhealthy: nothing listens at 127.0.0.1:${port}. Start titan10 run, or set HTTP_HOST and HTTP_PORT to ` +
        "its address\n",
    );
    const astray = await run(["healthcheck", "--http-host", "titan10.invalid"], { cwd });
    assert.match(
      astray.stderr,
      /^unhealthy: titan10\.invalid:9464 does not answer: no address is known for this name: /,
    );
  }));

Deno.test("a port that is taken is one sentence with what to do", () =>
  withArchiveDirectory(async (cwd) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    const result = await run(["run"], { cwd, env: { ...DOCTOR_ENV, HTTP_PORT: String(port) } });
    assertCode(result, 1);
    assert.match(
      result.stderr,
      new RegExp(
        `^Cannot listen \\(Address already in use\\) on 127\\.0\\.0\\.1:${port}\\. Stop what listens there, or set ` +
          "HTTP_HOST and HTTP_PORT to others$",
        "m",
      ),
    );
  }));

Deno.test("a file that is not there, or cannot be made, is named once, as the user named it", () =>
  withArchiveDirectory(async (cwd) => {
    const absent = await run(["import", "no.csv"], { cwd });
    assert.equal(absent.stderr, "Cannot read no.csv: No such file or directory\n");
    const nowhere = await run(["export", "-o", "no/all.csv"], { cwd });
    assert.equal(nowhere.stderr, "Cannot create no/all.csv: No such file or directory\n");
  }));

Deno.test("a server that is not there is one sentence without the password", () =>
  withDirectory(async (cwd) => {
    const result = await run(["migrate"], {
      cwd,
      env: { DATABASE_URL: "postgres://u:hunter2@127.0.0.1:9/d" },
    });
    assertCode(result, 1);
    assert.match(
      result.stderr,
      /^Cannot .*: 127\.0\.0\.1:9: Connection refused \(ECONNREFUSED\)\. Start that server, or correct DATABASE_URL$/m,
    );
    assert.doesNotMatch(result.stderr, /hunter2/);
  }));

Deno.test("a misspelt setting in .env is refused with what was probably meant", () =>
  withDirectory(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/.env`, "EXCHANGE=kraken\n");
    const result = await run(["plan"], { cwd });
    assertCode(result, 2);
    assert.match(result.stderr, /EXCHANGE="\*\*\*": .*did you mean EXCHANGES\?/);
  }));

Deno.test("migrate, plan, backfill and status tell one story on one embedded database", () =>
  withDirectory(async (cwd) => {
    await withExchange(async (exchange) => {
      const env = {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT,ETH/USDT",
        TIMEFRAMES: "1h",
        BACKFILL: "1h:100d",
        EXCHANGE_BINANCE: binanceAt(exchange),
      };
      const migrated = await run(["migrate"], { cwd, env });
      assertCode(migrated, 0);
      assert.match(migrated.stdout, /applied 0001_ledger\.sql[\s\S]*TimescaleDB 2\.\d+/);

      const planned = await run(["plan", "--json"], { cwd, env });
      assertCode(planned, 0);
      const [entry] = JSON.parse(planned.stdout).entries;
      assert.deepEqual([entry.exchange, entry.series, entry.candles, entry.impossible], [
        "binance",
        2,
        4800,
        0,
      ]);

      const filled = await run(["backfill"], { cwd, env });
      assertCode(filled, 0);
      assert.match(filled.stdout, /^binance: 4,80[02] candles in \d+ pages/);

      const status = await run(["status", "--json"], { cwd, env });
      assertCode(status, 0);
      const document = JSON.parse(status.stdout);
      assert.equal(document.database.kind, "embedded");
      assert.deepEqual(
        document.series.map((
          row: Record<string, unknown>,
        ) => [row["symbol"], row["timeframe"], row["missing"]]),
        [["BTC/USDT", "1h", 0], ["ETH/USDT", "1h", 0]],
      );
      const table = await run(["status"], { cwd, env });
      assert.match(table.stdout, /binance BTC\/USDT 1h +2,40[01]/);
      assert.deepEqual(table.stdout.split("\n").filter((line) => line.length > 80), []);

      const sizes = await run(["status", "--storage", "--json"], { cwd, env });
      assertCode(sizes, 0);
      const [hours] = JSON.parse(sizes.stdout).storage;
      assert.deepEqual([hours.table, hours.candles], ["ohlcv_1h", 2 * document.series[0].candles]);
      assert(hours.chunks > 0 && hours.totalBytes > 0, sizes.stdout);
      const drawn = await run(["status", "--storage"], { cwd, env });
      assert.match(drawn.stdout, /\nohlcv_1h +4,80[02] +[12] /);
      assert.deepEqual(drawn.stdout.split("\n").filter((line) => line.length > 80), []);
    });
  }));

Deno.test("a backfill that could not have everything ends with 1 and says what is owed", () =>
  withAnyArchivePlace(async (place) => {
    await withExchange(async (exchange) => {
      exchange.faults.add({
        when: { about: "candles", symbol: "ETH/USDT" },
        fault: { kind: "status", status: 404 },
      });
      const result = await run(["backfill"], {
        cwd: place.folder,
        env: {
          ...place.env,
          EXCHANGES: "binance",
          SYMBOLS: "BTC/USDT,ETH/USDT",
          TIMEFRAMES: "1h",
          BACKFILL: "1h:20d",
          ...QUICK,
          EXCHANGE_BINANCE: binanceAt(exchange),
        },
      });
      assertCode(result, 1);
      assert.match(result.stdout, /binance: 48\d candles in [12] pages, 48\d still owed/);
      assert.match(result.stdout, /Cannot fetch candles of binance ETH\/USDT 1h/);
      assert.match(result.stdout, /Run this command again/);
    });
  }));

Deno.test("gaps lists what is missing with its state, after asking again with --repair", () =>
  withAnyArchivePlace(async ({ folder: cwd, env: place }) => {
    await withExchange(async (exchange) => {
      const hourMs = 3_600_000;
      const untilMs = Math.floor(systemClock.now() / hourMs) * hourMs - 300 * hourMs;
      const hole = { sinceMs: untilMs - 7 * hourMs, untilMs };
      exchange.faults.add({ when: { symbol: "BTC/USDT" }, fault: { kind: "holes", ...hole } });
      const env = {
        ...place,
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT,ETH/USDT",
        TIMEFRAMES: "1h",
        BACKFILL: "1h:20d",
        EXCHANGE_BINANCE: binanceAt(exchange),
      };
      assertCode(await run(["backfill"], { cwd, env }), 0);
      const repaired = await run(["gaps", "--repair"], { cwd, env });
      assertCode(repaired, 0);
      // The backfill has looked for holes itself.
      assert.match(repaired.stderr, /0 found, 1 asked for, 0 filled, 1 explained/);
      assert.match(
        repaired.stdout,
        /binance BTC\/USDT 1h +\d{4}-\d\d-\d\d \d\d:00 +7 +no_trades +1/,
      );
      assert.deepEqual(repaired.stdout.split("\n").filter((line) => line.length > 80), []);
      const listed = await run(["gaps", "--json"], { cwd, env });
      assertCode(listed, 0);
      const [gap] = JSON.parse(listed.stdout).gaps;
      assert.deepEqual(
        [gap.symbol, gap.since, gap.missing, gap.state],
        ["BTC/USDT", new Date(hole.sinceMs).toISOString(), 7, "no_trades"],
      );
    });
  }));

Deno.test("doctor finds nothing wrong, shows what the exchange can do, and stores no candle", () =>
  withArchiveDirectory(async (cwd) => {
    await withExchange(async (exchange) => {
      const env = { ...DOCTOR_ENV, EXCHANGE_BINANCE: binanceAt(exchange) };
      const shown = await run(["doctor"], { cwd, env });
      assertCode(shown, 0);
      assert.match(
        shown.stdout,
        /^ok +database +embedded, PostgreSQL \d+\.\d+, TimescaleDB 2\.\d+/m,
      );
      assert.match(shown.stdout, /^ok +symbols +2 of 2 listed$/m);
      assert.match(shown.stdout, /^ok +candles +5 of the newest 5 of BTC\/USDT 1h came/m);
      assert.match(shown.stdout, /^ +1h +1,000 +yes +no end seen +(?:flat|\?) +ccxt/m);
      assert.match(shown.stdout, /\nNothing is wrong\.\n$/);
      assert.deepEqual(shown.stdout.split("\n").filter((line) => line.length > 80), []);
      const status = await run(["status", "--json"], { cwd, env });
      assert.deepEqual(JSON.parse(status.stdout).series, []);

      assertCode(await run(["backfill"], { cwd, env }), 0);
      const told = await run(["doctor", "--json"], { cwd, env });
      assertCode(told, 0);
      const { ok, exchanges: [binance] } = JSON.parse(told.stdout);
      const [{ pageRows, rowsSeen }] = binance.capabilities;
      assert.deepEqual([ok, pageRows], [true, { value: 1000, source: "ccxt" }]);
      // Pages begin at fixed times: one may have begun among these 480.
      assert(rowsSeen >= 240 && rowsSeen <= 481, String(rowsSeen));
    });
  }));

Deno.test("doctor names an exchange that answers 500 and what mends it, and ends with 1", () =>
  withAnyArchivePlace(async ({ folder: cwd, env: place }) => {
    await withExchange(async (exchange) => {
      const env = { ...DOCTOR_ENV, ...place, EXCHANGE_BINANCE: binanceAt(exchange) };
      for (const about of ["markets", "candles"] as const) {
        const fault = { kind: "status", status: 500 } as const;
        const rule = exchange.faults.add({ when: { about }, fault });
        const shown = await run(["doctor"], { cwd, env });
        rule.remove();
        assertCode(shown, 1);
        const text = unwrapped(shown.stdout);
        assert.match(text, new RegExp(`^WRONG +${about} +Cannot .* of binance.*HTTP 500`, "m"));
        assert.match(text, /set EXCHANGE_PROXY_URL to a proxy, or remove \w+ from EXCHANGES$/m);
        assert.match(text, /\nOne thing is wrong\.\n$/);
        assert.deepEqual(shown.stdout.split("\n").filter((line) => line.length > 80), []);
      }
    });
  }));

Deno.test("doctor names a symbol that no exchange lists with the nearest that one does", () =>
  withAnyArchivePlace(async ({ folder: cwd, env: place }) => {
    await withExchange(async (exchange) => {
      const env = { ...DOCTOR_ENV, ...place, EXCHANGE_BINANCE: binanceAt(exchange) };
      const result = await run(["doctor", "--symbols", "BTC/USDT,BTX/USDT"], { cwd, env });
      assertCode(result, 1);
      assert.match(
        unwrapped(result.stdout),
        /^WRONG +symbols +1 of 2 listed, not BTX\/USDT \(nearest .*BTC\/USDT.*\)\. Correct SYMBOLS$/m,
      );
    });
  }));

Deno.test("doctor names a timeframe that an exchange lacks", () =>
  withArchiveDirectory(async (cwd) => {
    const result = await run(["doctor"], {
      cwd,
      env: { EXCHANGES: "coinbase", TIMEFRAMES: "4h", BACKFILL: "off" },
    });
    assertCode(result, 1);
    const text = unwrapped(result.stdout);
    assert.match(
      text,
      /^WRONG +configuration +TIMEFRAMES="4h" is not a timeframe of coinbase: .*6h/m,
    );
    assert.match(text, /Correct TIMEFRAMES$/m);
  }));

Deno.test("doctor names a database that is away, without the password", () =>
  withDirectory(async (cwd) => {
    const result = await run(["doctor"], {
      cwd,
      env: { ...DOCTOR_ENV, DATABASE_URL: "postgres://u:hunter2@127.0.0.1:9/d" },
    });
    assertCode(result, 1);
    const text = unwrapped(result.stdout);
    assert.match(text, /^WRONG +database +Cannot .*ECONNREFUSED.*\. .*or correct DATABASE_URL$/m);
    assert.doesNotMatch(text, /hunter2/);
  }));

/** A checkup with each message on one line. */
function unwrapped(text: string): string {
  return text.replace(/\n {22}/g, " ");
}

/** Settings that make an exchange's misfortunes pass quickly. */
const QUICK = {
  RETRY_ATTEMPTS: "2",
  RETRY_MIN: "10ms",
  RETRY_MAX: "20ms",
  BREAKER_COOLDOWN: "1s",
} as const;

const DOCTOR_ENV = {
  EXCHANGES: "binance",
  SYMBOLS: "BTC/USDT,ETH/USDT",
  TIMEFRAMES: "1h",
  BACKFILL: "1h:20d",
  ...QUICK,
} as const;

async function withExchange(use: (exchange: LocalExchange) => Promise<void>): Promise<void> {
  const exchange = await startLocalExchange({ clock: systemClock });
  try {
    await use(exchange);
  } finally {
    await exchange.close();
  }
}
