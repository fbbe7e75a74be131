/**
 * How long a first backfill takes and what it leaves on the disk, as `titan10 plan` computes it: from CCXT's real
 * classes at the exchanges' own pace. Nothing is fetched but lists of markets of local exchanges.
 * @module
 */
import { systemClock } from "../../lib/clock.ts";
import { BYTES_A_CANDLE, BYTES_A_COMPRESSED_CANDLE } from "../../lib/fetch/disk_growth.ts";
import { makePlan, type Plan } from "../../lib/fetch/plan.ts";
import { nominalMs, parseTimeframe } from "../../lib/market/timeframe.ts";
import { chunkMs } from "../../lib/store/candle_table.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { startManyExchanges } from "../support/many_exchanges.ts";
import type { Bench, Result } from "./bench.ts";

interface Scenario {
  readonly exchanges: number;
  readonly symbols: number;
  readonly backfill: string;
}

/** The rows of the table in docs/operating.md. */
const SCENARIOS: readonly Scenario[] = [
  { exchanges: 5, symbols: 20, backfill: "1m:7d,1d:5y" },
  { exchanges: 5, symbols: 20, backfill: "1m:1y,1d:5y" },
  { exchanges: 5, symbols: 20, backfill: "1m:5y,1d:5y" },
  { exchanges: 20, symbols: 20, backfill: "1m:7d,1d:5y" },
  { exchanges: 20, symbols: 20, backfill: "1m:1y,1d:5y" },
  { exchanges: 20, symbols: 20, backfill: "1m:1y,5m:1y,1h:5y,1d:5y" },
  { exchanges: 20, symbols: 20, backfill: "1m:5y,5m:5y,1h:5y,1d:5y" },
];

/** `COMPRESS_AFTER`'s default. */
const COMPRESS_AFTER_MS = 7 * 86_400_000;

export const firstBackfill: Bench = {
  name: "m first backfill",
  async run({ opened: { database }, scale }): Promise<readonly Result[]> {
    const results: Result[] = [];
    for (const scenario of scale < 0.5 ? SCENARIOS.slice(0, 1) : SCENARIOS) {
      await emptyDatabase(database);
      const many = await startManyExchanges({ ...scenario, clock: systemClock });
      try {
        const archive = await openTestArchive(database, {
          ...many.settings,
          TIMEFRAMES: timeframesOf(scenario).join(","),
          BACKFILL: scenario.backfill,
          FETCH_TIMEOUT: "60s",
        });
        results.push(...resultsOf(scenario, await makePlan(archive), this.name));
      } finally {
        await Promise.all(many.exchanges.map(({ local }) => local.close()));
      }
    }
    return results;
  },
};

function timeframesOf({ backfill }: Scenario): readonly string[] {
  return backfill.split(",").map((reach) => reach.split(":")[0] ?? "");
}

function resultsOf(scenario: Scenario, plan: Plan, bench: string): readonly Result[] {
  const { exchanges, symbols, backfill } = scenario;
  const name = `${bench}, ${exchanges} exchanges × ${symbols} symbols, ${backfill}`;
  const candles = plan.entries.reduce((sum, one) => sum + one.candles, 0);
  const compressed = plan.entries.reduce((sum, one) => sum + bytesOnceCompressed(one), 0);
  const times = plan.capacity
    .map((one) => ({ exchange: one.exchange, minutes: (one.backfillSeconds ?? Infinity) / 60 }))
    .sort((one, other) => other.minutes - one.minutes);
  const [slowest] = times;
  const month = plan.capacity.reduce((sum, one) => sum + one.bytesAMonth, 0);
  return [{
    bench: `${name}: disk once compressed`,
    value: Number((compressed / 1e9).toFixed(2)),
    unit: "GB",
    ratio: compressed / plan.bytes,
    against: `${gigabytes(plan.bytes)} before, ${(candles / 1e6).toFixed(1)} million candles, ` +
      `and ${gigabytes(month)} a month uncompressed`,
  }, {
    bench: `${name}: time beside the polls, ${slowest?.exchange} is last`,
    value: Math.ceil(slowest?.minutes ?? NaN),
    unit: "min",
    ratio: (slowest?.minutes ?? NaN) * 60 / plan.seconds,
    against: "without polls; the others: " +
      times.slice(1).map((one) => `${one.exchange} ${Math.ceil(one.minutes)} min`).join(", "),
  }];
}

/** The newest chunk, and what is younger than `COMPRESS_AFTER`, is not compressed. At most so much. */
function bytesOnceCompressed(
  { timeframe: text, series, candles }: Plan["entries"][number],
): number {
  const timeframe = parseTimeframe(text);
  const newest = series * (chunkMs(timeframe) + COMPRESS_AFTER_MS) / nominalMs(timeframe);
  const uncompressed = Math.min(candles, newest);
  return uncompressed * BYTES_A_CANDLE + (candles - uncompressed) * BYTES_A_COMPRESSED_CANDLE;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
