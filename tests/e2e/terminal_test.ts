/** The program at a terminal: drawn anew in place, and the terminal left as it was. @module */
// deno-lint-ignore-file no-control-regex -- It is what terminals are told by.
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { binanceAt } from "../support/local_archive.ts";
import { assertCode, run, start, withArchiveDirectory } from "../support/program.ts";
import { type AtTerminal, hasTerminal, startAtTerminal } from "../support/terminal.ts";

// Without util-linux there is no terminal to be had.
const ignore = !await hasTerminal();

const SETTINGS = {
  EXCHANGES: "binance",
  SYMBOLS: "BTC/USDT,ETH/USDT",
  TIMEFRAMES: "1h",
  BACKFILL: "1h:100d",
  HTTP_PORT: "0",
} as const;

type Use = (
  archive: { readonly cwd: string; readonly env: Record<string, string> },
) => Promise<void>;

/** An embedded archive, which a daemon holds and answers for. */
async function withEmbedded(use: Use): Promise<void> {
  await withExchange((exchangeEnv) =>
    withArchiveDirectory((cwd) => use({ cwd, env: exchangeEnv }))
  );
}

async function withAnyArchive(use: Use): Promise<void> {
  await withExchange((exchangeEnv) =>
    withAnyArchivePlace(({ folder, env }) => use({ cwd: folder, env: { ...exchangeEnv, ...env } }))
  );
}

async function withExchange(use: (env: Record<string, string>) => Promise<void>): Promise<void> {
  const exchange = await startLocalExchange({ clock: systemClock });
  try {
    await use({ ...SETTINGS, EXCHANGE_BINANCE: binanceAt(exchange) });
  } finally {
    await exchange.close();
  }
}

const ESCAPES = /\x1b\[[?\d;]*[A-Za-z]/g;

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

/** All lines that were ever shown. */
function linesOf(terminal: AtTerminal): readonly string[] {
  return terminal.shown().replaceAll("\x1b[H", "\n").replace(ESCAPES, "").split(/\r?\n/);
}

Deno.test({
  name: "a backfill at a terminal is drawn in place, and its end stays on the screen",
  ignore,
  fn: () =>
    withAnyArchive(async ({ cwd, env }) => {
      const terminal = startAtTerminal(["backfill"], { cwd, env });
      assert.equal(await terminal.ended, 0, terminal.shown());
      assert.match(terminal.shown(), /binance {4}\[-{12}\] {4}–/);
      assert.match(terminal.shown(), /\x1b\[1A\r\x1b\[J/);
      assert.match(terminal.shown(), /\[#{12}\] 100% {2}4,80\d of 4,80\d[^\x1b]+done in [^\x1b]+$/);
      assert.deepEqual(linesOf(terminal).filter((line) => line.length > 80), []);
    }),
});

Deno.test({
  name: "a dumb terminal and a CI see plain lines, and NO_COLOR no colours",
  ignore,
  fn: () =>
    withAnyArchive(async ({ cwd, env }) => {
      for (const plain of [{ TERM: "dumb" }, { CI: "true", NO_COLOR: "1" }]) {
        const terminal = startAtTerminal(["backfill"], { cwd, env: { ...env, ...plain } });
        assert.equal(await terminal.ended, 0, terminal.shown());
        assert.doesNotMatch(terminal.shown(), /\x1b/);
        assert.match(terminal.shown(), /^binance: [\d,]+ candles/m);
      }
    }),
});

Deno.test({
  name: "the daemon's start is told in five lines at a terminal",
  ignore,
  fn: () =>
    withEmbedded(async ({ cwd, env }) => {
      const terminal = startAtTerminal(["run"], { cwd, env });
      try {
        await terminal.waitFor(/ look +http:\S+\/ or titan10 status\r?\n/);
      } finally {
        await terminal.press("\x03");
        await terminal.ended;
      }
      const lines = linesOf(terminal);
      const at = lines.findIndex((line) => /^titan10 \S+ is running/.test(line));
      const five = lines.slice(at, at + 5);
      assert.deepEqual(five.slice(1).map((line) => line.trim().split(" ")[0]), [
        "archive",
        "series",
        "pace",
        "look",
      ]);
      assert.match(five[1]!, /MB in .*titan10-data \(embedded, TimescaleDB \S+\)$/);
      assert.match(five[2]!, / 2 of 1 exchange$/);
      assert.deepEqual(five.filter((line) => line.length > 80), []);
      assert.doesNotMatch(terminal.shown(), / started /);
    }),
});

Deno.test({
  name: "status --watch follows the daemon through a restart and leaves the terminal as it was",
  ignore,
  fn: () =>
    withEmbedded(async ({ cwd, env }) => {
      let daemon = start(["run"], { cwd, env });
      const terminal = startAtTerminal(["status", "--watch"], { cwd, env });
      try {
        await daemon.waitFor(/"job done","job":"backfill"/);
        await terminal.waitFor(/daemon up for [^]*binance +2 +4,80/);
        assert(terminal.shown().includes(ENTER));

        daemon.kill("SIGKILL");
        await daemon.ended;
        await terminal.waitFor(/Away: .*[^]*4,80/);
        const before = terminal.shown().length;
        daemon = start(["run"], { cwd, env });
        await terminal.waitFor(
          /UTC, every 2 s\. Ctrl-C ends it\.\x1b\[K\s+\x1b\[K\s+titan10 [^]*4,80/,
          before,
        );

        await terminal.press("\x03");
        assert.equal(await terminal.ended, 130);
        assert(terminal.shown().endsWith(LEAVE), JSON.stringify(terminal.shown().slice(-200)));
        assert.deepEqual(linesOf(terminal).filter((line) => line.length > 80), []);
      } finally {
        terminal.kill();
        daemon.kill("SIGKILL");
        await daemon.ended;
      }
    }),
});

Deno.test("status --watch in a pipe is told again and again, and ends by a signal with its code", () =>
  withEmbedded(async ({ cwd, env }) => {
    const daemon = start(["run"], { cwd, env });
    try {
      await daemon.waitFor(/"job done","job":"backfill"/);
      const plain = start(["status", "--watch"], { cwd, env });
      await plain.waitFor(/^binance +2 +4,80[^]*^binance +2 +4,80/m);
      // Its own start is a line of JSON, as its log is.
      const started = daemon.stderr().split("\n").find((line) => line.includes('"started"'));
      const { series, exchanges, url, tight } = JSON.parse(started ?? "{}");
      assert.deepEqual([series, exchanges, tight], [2, 1, []]);
      assert.match(url, /^http:/);
      plain.kill("SIGTERM");
      assert.equal((await plain.ended).code, 143);
      assert.doesNotMatch(plain.stdout(), /\x1b/);

      const json = start(["status", "--watch", "--json"], { cwd, env });
      await json.waitFor(/\n.*\n/);
      json.kill("SIGINT");
      assert.equal((await json.ended).code, 130);
      for (const line of json.stdout().trim().split("\n")) {
        assert.equal(JSON.parse(line).series.length, 2);
      }
    } finally {
      daemon.kill("SIGTERM");
      await daemon.ended;
    }
  }));

Deno.test("status --watch says that no daemon is there, and does not take its place", () =>
  withEmbedded(async ({ cwd, env }) => {
    const watch = start(["status", "--watch"], { cwd, env });
    await watch.waitFor(/Away: .*titan10 run/);
    // The embedded database is free: this opens it.
    assertCode(await run(["migrate"], { cwd, env }), 0);
    watch.kill("SIGINT");
    assert.equal((await watch.ended).code, 130);
    assert.equal(watch.stdout(), "");
  }));

Deno.test("backfill --json prints a document and nothing else, whatever goes wrong", () =>
  withAnyArchive(async ({ cwd, env }) => {
    const result = await run(["backfill", "--json"], { cwd, env });
    assertCode(result, 0);
    assert.equal(JSON.parse(result.stdout).exchanges[0].left, 0);
  }));

type StoppedCase = readonly [
  args: readonly string[],
  waitsFor: "exchange" | "server",
  says: RegExp,
];

/** Commands in the midst of their work, and what it says of the signal. */
const STOPPED: readonly StoppedCase[] = [
  [
    ["backfill"],
    "exchange",
    /What was fetched is stored. titan10 backfill fetches the rest/,
  ],
  [
    ["gaps", "--repair"],
    "exchange",
    /What was found and filled is stored\. Run titan10 gaps again/,
  ],
  [["doctor"], "exchange", /Run titan10 doctor again for all of it/],
  [["import", "one.csv"], "server", /run the same titan10 import again to go on/],
  [["export", "-o", "all.csv"], "server", /No file of -o was written: run titan10 export again/],
  [["query", "select 1"], "server", /Run titan10 query again for all of it/],
  [["migrate"], "server", /run titan10 migrate again to go on/],
];

Deno.test("a command that Ctrl-C stops in the midst says so in one sentence, and how to go on", () =>
  withArchiveDirectory(async (cwd) => {
    const candle = "binance,BTC/USDT,1h,2024-01-01T00:00:00Z,1,2,0.5,1.5,10";
    const head = "exchange,symbol,timeframe,time,open,high,low,close,volume";
    await Deno.writeTextFile(`${cwd}/one.csv`, `${head}\n${candle}\n`);
    const before = await Array.fromAsync(Deno.readDir(cwd), ({ name }) => name);
    const stop = async ([args, waitsFor, says]: StoppedCase): Promise<void> => {
      // Takes the connection and never answers.
      using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const at = `127.0.0.1:${silent.addr.port}`;
      const command = start(args, {
        cwd,
        env: {
          ...SETTINGS,
          EXCHANGE_BINANCE: JSON.stringify({ urls: { api: { public: `http://${at}/api/v3` } } }),
          ...(waitsFor === "server" ? { DATABASE_URL: `postgres://u@${at}/d` } : {}),
        },
      });
      using _taken = await silent.accept();
      command.kill("SIGINT");
      assert.equal((await command.ended).code, 130, args.join(" "));
      const all = command.stdout() + command.stderr();
      const told = command.stderr().trim().split("\n").at(-1) ?? "";
      assert.match(told, /^Stopped by Ctrl-C\. /, `${args}: ${all}`);
      assert.match(told, says);
      assert.doesNotMatch(all, /SIGINT|WRONG|error:/);
    };
    await Promise.all(STOPPED.filter(([, waitsFor]) => waitsFor === "server").map(stop));
    // One after the other: they share the embedded database.
    for (const one of STOPPED.filter(([, waitsFor]) => waitsFor === "exchange")) await stop(one);
    const left = await Array.fromAsync(Deno.readDir(cwd), ({ name }) => name);
    assert.deepEqual(left.filter((name) => !before.includes(name) && !name.startsWith(".")), []);
  }));
