/**
 * From the close of a candle to its row: the program as a process, series on twenty exchanges that answer after 100 ms,
 * real minutes. On a server the rows are looked for in the table; the embedded database is the program's alone, so
 * there its metric of the newest stored candle is read.
 *
 * The ratio compares with what pace and latency alone make: an exchange that takes one request a second has answered
 * for its twentieth symbol after nineteen of them, whoever asks.
 * @module
 */
import { systemClock } from "../../lib/clock.ts";
import { openCcxt } from "../../lib/exchange/ccxt.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { emptyDatabase } from "../support/local_archive.ts";
import type { Bench, Result } from "./bench.ts";
import { startProgram, startServer } from "./program.ts";

const TICKS = 3;
const LATENCY_MS = 100;
/** The pace of the second figure, for what the exchanges' own limits hide. */
const PACE_MS = 50;
const MINUTE_MS = 60_000;
const HTTP_PORT = 41_654;

/** By then all series must have come once. */
const START_MINUTES_MAX = 3;

/** How often rows are looked for; the figures are late by half of it. */
const LOOK_MS = 20;
/** How often the embedded database's daemon is asked, which costs it more. */
const ASK_MS = 100;

type Settings = Readonly<Record<string, string>>;

/** Tells which series have the candle that opens at a time, as `exchange symbol`. */
type Look = (openTimeMs: number) => Promise<readonly string[]>;

export const freshness: Bench = {
  name: "c freshness",
  async run({ opened: { database, url }, scale }): Promise<readonly Result[]> {
    const [exchanges, symbols] = scale < 0.5 ? [4, 5] : [20, 20];
    const many = await startServer(
      "many_exchanges.ts",
      [exchanges, symbols, LATENCY_MS].map(String),
    );
    try {
      const settings: Settings = JSON.parse(many.firstLine);
      const requests = await requestCosts(settings);
      const cases = [{
        settings,
        intervalsMs: requests.map(({ cost, rateLimitMs }) => cost * rateLimitMs),
        pace: "each exchange's own rate limit",
      }];
      // The short form has no time for more minutes.
      if (scale >= 0.5) {
        cases.push({
          settings: paced(settings, requests),
          intervalsMs: requests.map(() => PACE_MS),
          pace: `${PACE_MS} ms between requests`,
        });
      }
      const results: Result[] = [];
      for (const { settings, intervalsMs, pace } of cases) {
        await emptyDatabase(database);
        const ticks = Math.max(1, Math.round(TICKS * scale));
        const ages = await measure({ settings, database, url, series: exchanges * symbols, ticks });
        const least = intervalsMs.flatMap((ms) =>
          Array.from({ length: symbols }, (_, turn) => LATENCY_MS + turn * ms)
        );
        const [p50, p99] = [percentile(ages, 50), percentile(ages, 99)];
        results.push({
          bench: `${this.name}, p99 of ${exchanges * symbols} series, p50 ${p50 / 1000} s`,
          value: p99 / 1000,
          unit: "s",
          ratio: p99 / percentile(least, 99),
          against: `what ${LATENCY_MS} ms of latency and ${pace} alone make`,
        });
      }
      return results;
    } finally {
      await many.stop();
    }
  },
};

/** How old each candle was when its row was there, of every series and tick. Milliseconds; at most a minute. */
async function measure(
  { settings, database, url, series, ticks }: {
    readonly settings: Settings;
    readonly database: Database;
    readonly url: string | undefined;
    readonly series: number;
    readonly ticks: number;
  },
): Promise<readonly number[]> {
  const dataDir = await Deno.makeTempDir();
  const program = startProgram(["run"], {
    ...settings,
    TIMEFRAMES: "1m",
    BACKFILL: "off",
    HTTP_PORT: String(HTTP_PORT),
    DATA_DIR: dataDir,
    ...(url === undefined ? {} : { DATABASE_URL: url }),
  });
  const look = url === undefined ? lookAtMetrics : lookAtTable(database);
  try {
    // The start of the program is not measured.
    for (let minute = 0; (await watch(look, series)).includes(MINUTE_MS); minute++) {
      if (minute === START_MINUTES_MAX) {
        throw new Error("Cannot measure freshness: rows are missing");
      }
    }
    const ages: number[] = [];
    for (let tick = 0; tick < ticks; tick++) {
      await systemClock.sleep(MINUTE_MS - systemClock.now() % MINUTE_MS);
      ages.push(...await watch(look, series));
    }
    return ages;
  } finally {
    await program.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** Waits for the candle that closed last, until the next one does. Those that did not come are a minute old. */
async function watch(look: Look, series: number): Promise<readonly number[]> {
  const closedMs = Math.floor(systemClock.now() / MINUTE_MS) * MINUTE_MS;
  const ages = new Map<string, number>();
  while (ages.size < series && systemClock.now() < closedMs + MINUTE_MS) {
    const there = await look(closedMs - MINUTE_MS);
    const ageMs = systemClock.now() - closedMs;
    for (const name of there) if (!ages.has(name)) ages.set(name, ageMs);
  }
  return Array.from({ length: series }, (_, i) => [...ages.values()][i] ?? MINUTE_MS);
}

function lookAtTable({ sql }: Database): Look {
  return async (openTimeMs) => {
    await systemClock.sleep(LOOK_MS);
    const rows = await sql.unsafe<{ exchange: string; symbol: string }[]>(
      "select exchange, symbol from ohlcv_1m where time = to_timestamp($1::float8)",
      [openTimeMs / 1000],
      { prepare: true },
    ).catch(() => []);
    return rows.map(({ exchange, symbol }) => `${exchange} ${symbol}`);
  };
}

async function lookAtMetrics(openTimeMs: number): Promise<readonly string[]> {
  await systemClock.sleep(ASK_MS);
  const text = await fetch(`http://127.0.0.1:${HTTP_PORT}/metrics`)
    .then((response) => response.text()).catch(() => "");
  const lines = text.matchAll(/^titan10_last_closed_candle_timestamp_seconds(\{.*\}) (\d+)$/gm);
  return [...lines].flatMap(([, labels = "", seconds]) =>
    Number(seconds) * 1000 >= openTimeMs ? [labels] : []
  );
}

interface RequestCost {
  readonly exchange: string;
  /** Shares of the pace that one request for candles takes, as CCXT says. */
  readonly cost: number;
  readonly rateLimitMs: number;
}

async function requestCosts(settings: Settings): Promise<readonly RequestCost[]> {
  const costs: RequestCost[] = [];
  for (const id of settings["EXCHANGES"]?.split(",") ?? []) {
    let cost = 0;
    const exchange = await openCcxt(id, {
      config: JSON.parse(settings[optionsOf(id)] ?? "{}"),
      spotOnly: true,
      onCost: (one) => cost = Number(one),
    });
    await exchange.loadMarkets();
    const [symbol = ""] = Object.keys(exchange.markets ?? {});
    await exchange.fetchOHLCV(symbol, "1m", systemClock.now() - 5 * MINUTE_MS, 5, {});
    costs.push({ exchange: id, cost, rateLimitMs: exchange.rateLimit });
  }
  return costs;
}

/** The same exchanges with {@linkcode PACE_MS} between two requests for candles. */
function paced(settings: Settings, requests: readonly RequestCost[]): Settings {
  const changed: Record<string, string> = { ...settings };
  for (const { exchange, cost } of requests) {
    const name = optionsOf(exchange);
    const options = JSON.parse(settings[name] ?? "{}");
    changed[name] = JSON.stringify({ ...options, rateLimit: PACE_MS / cost });
  }
  return changed;
}

function optionsOf(exchange: string): string {
  return `EXCHANGE_${exchange.toUpperCase()}`;
}

/** By nearest rank. */
function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * percent / 100) - 1] ?? NaN;
}
