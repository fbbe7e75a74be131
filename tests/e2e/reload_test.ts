/** The settings are read again while the daemon runs: what changes, and what goes on undisturbed. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { nominalMs, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { SeriesStatus, Status } from "../../lib/serve/status.ts";
import { type AskedCandles, startAskedExchanges } from "../support/asked_candles.ts";
import { binance } from "../support/local_exchange/binance.ts";
import { coinex } from "../support/dialects/coinex.ts";
import { TESTED_DIALECTS } from "../support/dialects/tested_dialects.ts";
import { assertCode, run, start, withArchiveDirectory } from "../support/program.ts";

/** How soon a reload must be seen. */
const SEEN_MS_MAX = 10_000;

/** Polls begin this often. */
const POLL_MS = 2_000;

/** What takes longest when the settings are read again: a page of a backfill. */
const HELD_MS = 15_000;

/** Polls ask again for what may still change: that is over after two minutes. */
const POLLED_MS = 5 * 60_000;

const DAY_MS = 24 * 60 * 60_000;

/** An exchange's entry in the file. */
interface Entry {
  readonly symbols: readonly string[];
  readonly timeframes: readonly string[];
  readonly backfill: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, unknown>>;
}

Deno.test("of twenty exchanges one is added, one removed, and one gets another range, while all others go on", async () => {
  const exchanges = await startAskedExchanges([...TESTED_DIALECTS, coinex]);
  const optionsOf = (id: string): Entry["options"] => ({
    proxyUrl: exchanges.proxyUrlOf(id),
    rateLimit: 50,
  });
  const entries: Record<string, Entry> = {};
  for (const [at, { exchange: id }] of TESTED_DIALECTS.entries()) {
    const symbols = [["QAZ/USDT"], ["QBZ/USDT", "QCZ/USDT"], ["QCZ/USDT"]][at % 3]!;
    entries[id] = {
      symbols,
      timeframes: [["1h", "1d"], ["1m"], ["1d"], ["1m", "1h"]][at % 4]!,
      backfill: { "1d": `${100 + at}d`, "1h": `${5 + at}d` },
      options: optionsOf(id),
    };
  }
  // Seen at every poll.
  entries["binance"] = { ...entries["binance"]!, timeframes: ["1s", "1d"] };
  // Under way when the settings are read again.
  const slow = ([["okx", 3_000], ["mexc", HELD_MS]] as const).map(([id, ms]) => {
    entries[id] = { ...entries[id]!, timeframes: ["1h"], backfill: { "1h": "2y" } };
    const when = { about: "candles", untilMs: systemClock.now() - DAY_MS } as const;
    return exchanges.faultsOf(id).add({ when, fault: { kind: "latency", ms } });
  });
  entries["coinbase"] = { ...entries["coinbase"]!, backfill: { "1h": "10d" }, timeframes: ["1h"] };
  try {
    await withArchiveDirectory(async (cwd) => {
      const write = (): Promise<void> =>
        Deno.writeTextFile(`${cwd}/titan10.yaml`, JSON.stringify({ exchanges: entries }, null, 2));
      await write();
      const env = {
        HTTP_PORT: "0",
        LOG_FORMAT: "json",
        POLL_CRON: "*/2 * * * * *",
        POLL_CANDLES: "3",
        NO_PROXY: "127.0.0.1",
      };
      const daemon = start(["run"], { cwd, env });
      try {
        const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
        await until(async () => {
          const { series } = await status(url);
          const isBusy = ["okx", "mexc"].every((id) =>
            series.some(({ exchange, candles }) => exchange === id && candles > 0)
          );
          return isBusy && new Set(series.map(({ exchange }) => exchange)).size === 20;
        }, 60_000);
        const first = await status(url);
        for (const id of ["okx", "mexc"]) assert(owedOf(first, id) > 0, `${id} is not under way`);

        delete entries["mexc"];
        const symbols = ["QDZ/USDT"];
        entries["coinex"] = {
          symbols,
          timeframes: ["1h"],
          backfill: { "1h": "5d" },
          options: optionsOf("coinex"),
        };
        entries["coinbase"] = { ...entries["coinbase"]!, backfill: { "1h": "100d" } };
        await write();
        const reloadedMs = systemClock.now();
        const reloaded = await run(["reload"], { cwd, env });
        assertCode(reloaded, 0);
        const answeredMs = systemClock.now();
        assert.equal(
          reloaded.stdout,
          [
            "Reloaded:",
            "  added         coinex",
            "  removed       mexc: removed, its candles are kept",
            "  changed       coinbase: backfill of 1h",
            "",
          ].join("\n"),
        );
        const candlesOfGone = candlesOf(await status(url), "mexc");
        await until(async () => {
          const now = await status(url);
          const gone = now.series.filter(({ exchange }) => exchange === "mexc");
          const range = now.series.filter(({ exchange }) => exchange === "coinbase");
          return now.lastReload?.ok === true && candlesOf(now, "coinex") > 100 &&
            gone.length > 0 && gone.every(({ owed, wantedBy }) => owed === 0 && !wantedBy) &&
            range.length > 0 && range.every((one) => reachesDays(one, 99));
        }, SEEN_MS_MAX - (answeredMs - reloadedMs));

        // What is left of the backfill that was under way.
        for (const one of slow) one.remove();
        await until(async () => owedOf(await status(url), "okx") < 10, 60_000);
        const now = await status(url);
        assert.equal(candlesOf(now, "mexc"), candlesOfGone);
        const askedOfGone = exchanges.asked.filter(({ exchange, atMs }) =>
          exchange === "mexc" && atMs > answeredMs
        );
        assert.deepEqual(askedOfGone, []);
        assert.deepEqual(
          doubled(exchanges.asked.filter(({ exchange }) => exchange !== "mexc")),
          [],
        );
        for (const { exchange, symbol, timeframe, candles, missing } of now.series) {
          assert(candles > 0, `${exchange} ${symbol} ${timeframe} has nothing`);
          assert.equal(missing, 0, `${exchange} ${symbol} ${timeframe} has holes`);
        }
        assertNotHeld(exchanges.asked, { sinceMs: reloadedMs - 3 * POLL_MS });

        const metrics = await (await fetch(`${url}/metrics`)).text();
        assert.match(metrics, /titan10_config_last_reload_successful 1\n/);
        assert.match(metrics, /exchange="coinex"/);
        assert.doesNotMatch(metrics, /exchange="mexc"/);
      } finally {
        daemon.kill("SIGTERM");
        assert.equal((await daemon.ended).code, 143, daemon.stderr());
      }
    });
  } finally {
    await exchanges.close();
  }
});

Deno.test("a file with a fault changes nothing and says why, and what is mended counts after SIGHUP", async () => {
  const exchanges = await startAskedExchanges([binance]);
  const options = { proxyUrl: exchanges.proxyUrlOf("binance"), rateLimit: 20 };
  try {
    await withArchiveDirectory(async (cwd) => {
      const write = (id: string, symbols: readonly string[], given = options): Promise<void> => {
        const entry = { symbols, timeframes: ["1s"], backfill: "off", options: given };
        const text = JSON.stringify({ exchanges: { [id]: entry } }, null, 1);
        return Deno.writeTextFile(`${cwd}/titan10.yaml`, text);
      };
      const writeDotenv = (lines: readonly string[]): Promise<void> =>
        Deno.writeTextFile(`${cwd}/.env`, ["LOG_FORMAT=json", ...lines].join("\n"));
      await write("binance", ["QAZ/USDT", "QBZ/USDT"]);
      await writeDotenv(["HTTP_PORT=0", "POLL_CRON=0 0 0 1 JAN *"]);
      const daemon = start(["run"], { cwd });
      try {
        const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
        await daemon.waitFor(/"job":"poll"/);
        const ask = async (headers: Record<string, string>): Promise<[number, string]> => {
          const response = await fetch(`${url}/reload`, { method: "POST", headers });
          return [response.status, await response.text()];
        };
        assert.equal((await ask({}))[0], 403);
        assert.equal((await status(url)).lastReload, null);
        assert.match(await metricsOf(url), /titan10_config_last_reload_successful 1\n/);
        assert.match(await metricsOf(url), /symbol="QAZ\/USDT"/);

        await write("binanse", ["QAZ/USDT"]);
        daemon.kill("SIGHUP");
        await daemon.waitFor(/settings not reloaded/);
        const problem =
          /titan10\.yaml:3:3 exchanges="binanse": expected a CCXT exchange id; did you mean binance/;
        const refused = await run(["reload"], { cwd });
        assertCode(refused, 1);
        assert.match(refused.stderr, problem);
        const [code, body] = await ask({ "titan10-request": "reload" });
        assert.equal(code, 422);
        assert.match(JSON.parse(body).problems.join(), problem);
        const { lastReload, exchanges: [row] } = await status(url);
        assert.equal(lastReload?.ok, false);
        assert.match(lastReload?.error ?? "", problem);
        assert.equal(row?.exchange, "binance");
        const { events: [event] } = await status(url);
        assert.deepEqual([event?.kind, event?.tone], ["settings_refused", "trouble"]);
        assert.match(event?.text ?? "", problem);
        assert.match(await metricsOf(url), /titan10_config_last_reload_successful 0\n/);

        // A file that is gone, or was emptied, does not mean the defaults.
        const gone = /^titan10\.yaml: expected the settings that it had/m;
        await Deno.remove(`${cwd}/titan10.yaml`);
        assert.match((await run(["reload"], { cwd })).stderr, gone);
        await Deno.writeTextFile(`${cwd}/titan10.yaml`, "\n");
        assert.match((await run(["reload"], { cwd })).stderr, gone);
        assert.deepEqual((await status(url)).exchanges.map(({ exchange }) => exchange), [
          "binance",
        ]);

        const before = exchanges.asked.length;
        await write("binance", ["QBZ/USDT", "QCZ/USDT"]);
        await writeDotenv(["HTTP_PORT=1", "POLL_CRON=* * * * * *", "LOG_LEVEL=debug"]);
        daemon.kill("SIGHUP");
        const [, changed, needsRestart] = await daemon.waitFor(
          /settings reloaded".*"changed":(\[.*?\]),"needsRestart":(\[.*?\])/,
        );
        assert.deepEqual(JSON.parse(needsRestart!), ["HTTP_PORT"]);
        assert.deepEqual(JSON.parse(changed!), [
          "binance: symbols QCZ/USDT added; QAZ/USDT removed",
          "POLL_CRON",
          "LOG_LEVEL",
        ]);
        await daemon.waitFor(/"level":"debug"/);
        const polls = (): readonly AskedCandles[] =>
          exchanges.asked.slice(before).filter(({ symbol }) => symbol === "QCZ/USDT");
        await until(() => Promise.resolve(polls().length >= 3), 20_000);
        const askedOfGone = exchanges.asked.slice(before).filter(({ symbol }) =>
          symbol === "QAZ/USDT"
        );
        assert.deepEqual(askedOfGone, []);
        const metrics = await metricsOf(url);
        assert.match(metrics, /titan10_config_last_reload_successful 1\n/);
        assert.match(metrics, /symbol="QBZ\/USDT"/);
        assert.doesNotMatch(metrics, /symbol="QAZ\/USDT"/);

        const polled = polls().length;
        await write("binance", ["QBZ/USDT", "QCZ/USDT"], { ...options, rateLimit: 30 });
        const reloaded = await run(["reload"], { cwd });
        assertCode(reloaded, 0);
        assert.equal(
          reloaded.stdout,
          "Reloaded:\n  changed       binance: options\n  needs restart HTTP_PORT\n",
        );
        await until(() => Promise.resolve(polls().length >= polled + 3), 20_000);
        const { exchanges: [{ paceMs } = {}] } = await status(url);
        assert.equal(paceMs, 30);
      } finally {
        daemon.kill("SIGTERM");
        assert.equal((await daemon.ended).code, 143, daemon.stderr());
      }
    });
  } finally {
    await exchanges.close();
  }
});

/** Commands that take a while, and by what it is seen that they are at it. */
const COMMANDS = [
  [["backfill"], /trying a request again/],
  [["status", "--watch"], /Away: Cannot ask the daemon/],
] as const;

Deno.test("SIGHUP ends no command", async () => {
  const exchanges = await startAskedExchanges([binance]);
  exchanges.faultsOf("binance").add({ when: { about: "markets" }, fault: { kind: "hang" } });
  const env = {
    EXCHANGES: "binance",
    EXCHANGE_BINANCE: JSON.stringify({ proxyUrl: exchanges.proxyUrlOf("binance") }),
    LOG_LEVEL: "debug",
    FETCH_TIMEOUT: "1s",
  };
  try {
    await withArchiveDirectory(async (cwd) => {
      for (const [command, sign] of COMMANDS) {
        const program = start(command, { cwd, env });
        await program.waitFor(sign);
        program.kill("SIGHUP");
        await systemClock.sleep(300);
        program.kill("SIGTERM");
        const { code, signal } = await program.ended;
        assert.deepEqual([code, signal], [143, null], program.stderr());
      }
    });
  } finally {
    await exchanges.close();
  }
});

async function status(url: string): Promise<Status> {
  return await (await fetch(`${url}/status`)).json();
}

async function metricsOf(url: string): Promise<string> {
  return await (await fetch(`${url}/metrics`)).text();
}

function owedOf({ series }: Status, exchange: string): number {
  return sumOf(series, exchange, ({ owed }) => owed);
}

function candlesOf({ series }: Status, exchange: string): number {
  return sumOf(series, exchange, ({ candles }) => candles);
}

function sumOf(
  series: readonly SeriesStatus[],
  exchange: string,
  of: (one: SeriesStatus) => number,
): number {
  return series.filter((one) => one.exchange === exchange).reduce((sum, one) => sum + of(one), 0);
}

function reachesDays({ first }: SeriesStatus, days: number): boolean {
  return first !== null && Date.parse(first) < systemClock.now() - days * DAY_MS;
}

/** Requests for history that came more than once. Polls ask for the newest candles again and again. */
function doubled(asked: readonly AskedCandles[]): readonly string[] {
  const old = asked.filter(({ timeframe, sinceMs = Infinity, untilMs = Infinity, atMs }) => {
    const newestMs = atMs - Math.max(10 * nominalMs(parseTimeframe(timeframe)), POLLED_MS);
    return Math.min(sinceMs, untilMs) < newestMs;
  });
  const names = old.map(({ exchange, symbol, timeframe, sinceMs, untilMs }) =>
    [exchange, symbol, timeframe, sinceMs, untilMs].join(" ")
  );
  return names.filter((name, at) => names.indexOf(name) !== at);
}

/** Polls of others wait neither for that page nor for the end of what is removed. A tick may be late on a busy machine. */
function assertNotHeld(
  asked: readonly AskedCandles[],
  { sinceMs }: { readonly sinceMs: number },
): void {
  const polls = asked.filter(({ exchange, timeframe, atMs }) =>
    exchange === "binance" && timeframe === "1s" && atMs >= sinceMs
  ).map(({ atMs }) => atMs);
  assert(polls.length > 3, String(polls.length));
  const pauses = polls.slice(1).map((atMs, at) => atMs - polls[at]!);
  assert(pauses.every((ms) => ms < HELD_MS / 2), pauses.join(" "));
}

async function until(isSo: () => Promise<boolean>, timeMs: number): Promise<void> {
  const endMs = systemClock.now() + timeMs;
  while (!await isSo()) {
    assert(systemClock.now() < endMs, `not within ${timeMs} ms`);
    await systemClock.sleep(100);
  }
}
