/**
 * How long after its close each candle is stored, and what the program takes meanwhile. On a server the rows are looked
 * for in the table; the embedded database is the program's alone, so there its metric of the newest stored candle is read.
 * @module
 */
import { systemClock } from "../../lib/clock.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import type { TestDatabase } from "../support/test_database.ts";
import { startProgram, type Usage, usageOf } from "./program.ts";

const MINUTE_MS = 60_000;
/** Below the ports that the system gives to sockets that ask for any: a test beside it may have those. */
const HTTP_PORT = 21_654;

/** By then all series must have come once. */
const START_MINUTES_MAX = 3;

/** How often rows are looked for; the figures are late by half of it. */
const LOOK_MS = 20;
/** How often the embedded database's daemon is asked, which costs it more. */
const ASK_MS = 100;

export type Settings = Readonly<Record<string, string>>;

interface Age {
  readonly exchange: string;
  /** At most a minute. */
  readonly ageMs: number;
}

export interface CloseToRow {
  readonly series: number;
  /** How old each candle was when its row was there, of every series and tick. */
  readonly ages: readonly Age[];
  /** The processor time that the program took, as a share of the time of one core. */
  readonly cpuShare: number;
  /** The median at the ends of the ticks. */
  readonly residentBytes: number;
}

/** Tells which series have the candle that opens at a time, as `exchange symbol`. */
type Look = (openTimeMs: number) => Promise<readonly string[]>;

export async function measureCloseToRow(
  { settings, opened: { database, url }, series, ticks, isShort }: {
    readonly settings: Settings;
    readonly opened: TestDatabase;
    readonly series: number;
    readonly ticks: number;
    /** Leaves out the first minute of streams, and the end of the last. */
    readonly isShort: boolean;
  },
): Promise<CloseToRow> {
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
    let seen = await watch(look, series);
    for (let minute = 0; seen.size < series; minute++) {
      if (minute === START_MINUTES_MAX) {
        throw new Error("Cannot measure freshness: rows are missing");
      }
      seen = await watch(look, series);
    }
    const names = [...seen.keys()];
    // A stream tells of candles that it has seen from their open.
    if (!isShort) await untilNextMinute();
    await untilNextMinute();
    const [startMs, before] = [systemClock.now(), await usageOf(program.pid)];
    const ages: Age[] = [];
    const usages: Usage[] = [];
    while (usages.length < ticks) {
      const came = await watch(look, series);
      for (const name of names) {
        const [exchange = ""] = name.split(" ");
        ages.push({ exchange, ageMs: came.get(name) ?? MINUTE_MS });
      }
      if (!isShort || usages.length < ticks - 1) await untilNextMinute();
      usages.push(await usageOf(program.pid));
    }
    const resident = usages.map(({ residentBytes }) => residentBytes);
    const cpuSeconds = (usages.at(-1)?.cpuSeconds ?? NaN) - before.cpuSeconds;
    return {
      ...{ series, ages, residentBytes: percentile(resident, 50) },
      cpuShare: cpuSeconds * 1000 / (systemClock.now() - startMs),
    };
  } finally {
    await program.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** By nearest rank. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * percent / 100) - 1] ?? NaN;
}

async function untilNextMinute(): Promise<void> {
  await systemClock.sleep(MINUTE_MS - systemClock.now() % MINUTE_MS);
}

/** Waits for the candle that closed last, until the next one does. Returns how old each was, by series. Milliseconds. */
async function watch(look: Look, series: number): Promise<ReadonlyMap<string, number>> {
  const closedMs = Math.floor(systemClock.now() / MINUTE_MS) * MINUTE_MS;
  const ages = new Map<string, number>();
  while (ages.size < series && systemClock.now() < closedMs + MINUTE_MS) {
    const there = await look(closedMs - MINUTE_MS);
    const ageMs = systemClock.now() - closedMs;
    for (const name of there) if (!ages.has(name)) ages.set(name, ageMs);
  }
  return ages;
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
  const lines = text.matchAll(
    /^titan10_last_closed_candle_timestamp_seconds\{exchange="(.*?)",(.*)\} (\d+)$/gm,
  );
  return [...lines].flatMap(([, exchange = "", rest = "", seconds]) =>
    Number(seconds) * 1000 >= openTimeMs ? [`${exchange} ${rest}`] : []
  );
}
