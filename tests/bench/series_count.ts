/** What one more series costs the database: a tick's pages, and a look at all that is owed and missing. @module */
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { scanGaps } from "../../lib/store/gaps.ts";
import { readCheckpoints, readOwed } from "../../lib/store/ledger.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { type Bench, type Result, timeMs } from "./bench.ts";

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 1);
const SERIES = [10, 100, 1_000];
const CANDLES = 5;
const TICKS = 3;

export const seriesCount: Bench = {
  name: "i series",
  async run({ opened: { database }, scale }): Promise<readonly Result[]> {
    await ensureCandleTables(database, [MINUTE]);
    const costs: { series: number; ms: number }[] = [];
    for (const full of SERIES) {
      const series = scale < 0.5 ? Math.ceil(full / 5) : full;
      // A first tick makes the rows that later ones move.
      await tick(database, series, 0);
      const ms = await timeMs(async () => {
        for (let i = 1; i <= TICKS; i++) await tick(database, series, i);
      });
      costs.push({ series, ms: ms / TICKS / series });
    }
    const least = costs[0]?.ms ?? NaN;
    return costs.map(({ series, ms }) => ({
      bench: `${this.name}, ${series}`,
      value: Math.round(1000 * ms),
      unit: "µs per series and tick",
      ratio: ms / least,
      against: `the same with ${costs[0]?.series} series`,
    }));
  },
};

async function tick(database: Database, series: number, tick: number): Promise<void> {
  const untilMs = START_MS + (CANDLES + tick) * MINUTE_MS;
  const window = { sinceMs: untilMs - CANDLES * MINUTE_MS, untilMs };
  const all = Array.from({ length: series }, (_, i) => ({
    exchange: `bench${series}`,
    symbol: `COIN${i}/USDT`,
    timeframe: MINUTE,
  }));
  for (const one of all) {
    const candles = Array.from({ length: CANDLES }, (_, i) => ({
      openTimeMs: window.sinceMs + i * MINUTE_MS,
      open: "1",
      high: "2",
      low: "0.5",
      close: "1.5",
      volume: "10",
    }));
    const page = { candles, rejected: [], answered: window, reachFromMs: undefined };
    await writePage(database, one, page);
  }
  await scanGaps(database, MINUTE, START_MS);
  await readCheckpoints(database);
  await readOwed(database, all.map((series) => ({ series, window })));
}
