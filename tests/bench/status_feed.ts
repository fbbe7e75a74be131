/** What one look of the page's feed costs the daemon's loop: the status of many series, read and written as JSON. @module */
import process from "node:process";
import { newestCandlesMax } from "../../lib/exchange/limits.ts";
import { readStatus } from "../../lib/serve/status.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { systemClock } from "../../lib/clock.ts";
import { configOf } from "../support/local_archive.ts";
import { type Bench, type Result, timeMs } from "./bench.ts";

const SERIES = [100, 1_000, 5_000];
const LOOKS = 10;

export const statusFeed: Bench = {
  name: "k status feed",
  async run({ opened: { database }, scale }): Promise<readonly Result[]> {
    const costs: { series: number; cpuMs: number; ms: number; kB: number }[] = [];
    for (const full of SERIES) {
      const series = scale < 0.5 ? Math.ceil(full / 10) : full;
      await addSeries(database, series);
      // The first look compiles.
      await look(database);
      const before = process.cpuUsage();
      let bytes = 0;
      const ms = await timeMs(async () => {
        for (let i = 0; i < LOOKS; i++) bytes = (await look(database)).length;
      });
      const { user, system } = process.cpuUsage(before);
      costs.push({
        series,
        cpuMs: (user + system) / 1_000 / LOOKS,
        ms: ms / LOOKS,
        kB: Math.round(bytes / 1_000),
      });
    }
    const least = costs[0]?.cpuMs ?? NaN;
    return costs.map(({ series, cpuMs, ms, kB }) => ({
      bench: `${this.name}, ${series} series, ${kB} kB, ${Math.round(ms)} ms with the database`,
      value: Math.round(10 * cpuMs) / 10,
      unit: "ms of this process's processor a look",
      ratio: cpuMs / least,
      against: `the same with ${costs[0]?.series} series`,
    }));
  },
};

/** As the feed looks, whenever there are listeners. */
async function look(database: Database): Promise<string> {
  const status = await readStatus({
    config: configOf({ EXCHANGES: "binance", SYMBOLS: "BTC/USDT" }),
    database,
    nowMs: systemClock.now(),
    startedAtMs: systemClock.now(),
    newestCandlesMax,
  });
  return JSON.stringify(status);
}

async function addSeries({ sql }: Database, series: number): Promise<void> {
  await sql`
    insert into checkpoints (exchange, symbol, timeframe, covered, scanned, candles, first, last, first_confirmed)
    select 'binance', 'C' || n || '/USDT', '1m', tstzmultirange(range), tstzmultirange(range), 10080,
           lower(range), upper(range) - interval '1 minute', lower(range)
    from generate_series(1, ${series}::int) as n,
         tstzrange(date_trunc('minute', now()) - interval '7 days', date_trunc('minute', now())) as range
    on conflict do nothing`;
}
