/** What page size and how many pages in flight finish a backfill first, and what is asked again after a failure. @module */
import { systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { LOCAL_SYMBOLS, type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { type Bench, type Result, timeMs } from "./bench.ts";

const PAGE_ROWS = [100, 500, 1_000];
const PAGES_IN_FLIGHT = [1, 2, 4, 6, 8];
/** The cautious choice that the others are compared with. */
const CAUTIOUS = { pageRows: 500, pagesInFlight: 1 };
/** An answer's way there and back, and the least time between two requests. */
const LATENCY_MS = 100;
const INTERVAL_MS = 50;
const DAYS = 14;
const SERIES = 2;

interface Choice {
  readonly pageRows: number;
  readonly pagesInFlight: number;
}

export const paging: Bench = {
  name: "j page size and pages in flight",
  async run({ opened: { database }, scale }): Promise<readonly Result[]> {
    const hours = Math.max(8, Math.round(DAYS * 24 * scale));
    const choices = PAGE_ROWS.flatMap((pageRows) =>
      PAGES_IN_FLIGHT.map((pagesInFlight) => ({ pageRows, pagesInFlight }))
    );
    const measured: { choice: Choice; ms: number; repeated: number }[] = [];
    for (const choice of choices) {
      const { ms, requests } = await backfillOnce(database, { choice, hours });
      const halved = await backfillTwice(database, { choice, hours, stopAfter: requests / 2 });
      measured.push({ choice, ms, repeated: halved - requests });
    }
    const cautious = measured.find(({ choice: { pageRows, pagesInFlight } }) =>
      pageRows === CAUTIOUS.pageRows && pagesInFlight === CAUTIOUS.pagesInFlight
    );
    return measured.map(({ choice, ms, repeated }) => ({
      bench: `${this.name}: ${choice.pageRows} rows, ${choice.pagesInFlight} in flight`,
      value: ms,
      unit: "ms",
      ratio: ms / (cautious?.ms ?? NaN),
      against:
        `500 rows, 1 in flight; ${repeated} pages (${
          repeated * choice.pageRows
        } rows) asked again ` +
        "after a stop in the middle",
    }));
  },
};

interface RunOptions {
  readonly choice: Choice;
  readonly hours: number;
  /** Stop after so many requests. */
  readonly stopAfter?: number;
}

async function backfillOnce(
  database: Database,
  options: RunOptions,
): Promise<{ readonly ms: number; readonly requests: number }> {
  await emptyDatabase(database);
  return await run(database, options);
}

/** Stops in the middle, as a failure would, and starts again: how many pages were asked for in all. */
async function backfillTwice(database: Database, options: RunOptions): Promise<number> {
  await emptyDatabase(database);
  const first = await run(database, options);
  const { stopAfter: _, ...whole } = options;
  return first.requests + (await run(database, whole)).requests;
}

async function run(
  database: Database,
  { choice: { pageRows, pagesInFlight }, hours, stopAfter = Infinity }: RunOptions,
): Promise<{ readonly ms: number; readonly requests: number }> {
  const [{ base: _base, quote: _quote, symbol: _symbol, ...facts }] = LOCAL_SYMBOLS as readonly [
    LocalSymbol,
  ];
  const symbols = Array.from({ length: SERIES }, (_, i) => market(`COIN${i}/USDT`, facts));
  const exchange = await startLocalExchange({ clock: systemClock, symbols });
  exchange.faults.add({
    when: { about: "candles" },
    fault: { kind: "latency", ms: LATENCY_MS },
  });
  const stop = new AbortController();
  const asked = (): number =>
    exchange.requests.filter(({ query }) => query["interval"] === "1m").length;
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: symbols.map(({ symbol }) => symbol).join(","),
      TIMEFRAMES: "1m",
      BACKFILL: `1m:${hours}h`,
      PAGE_LIMIT: String(pageRows),
      EXCHANGE_BINANCE: JSON.stringify({
        ...JSON.parse(binanceAt(exchange)),
        rateLimit: INTERVAL_MS,
      }),
    });
    const ms = await timeMs(() =>
      backfill(archive, {
        patient: false,
        pagesInFlight,
        signal: stop.signal,
        onProgress: () => asked() >= stopAfter ? stop.abort() : undefined,
      })
    );
    return { ms, requests: asked() };
  } finally {
    await exchange.close();
  }
}
