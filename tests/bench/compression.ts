/**
 * Bytes a candle and the time to read one series, before and after compression: of the 1m candles in the file that
 * `--data` names, or of the local exchange's.
 * @module
 */
import { candleAt } from "../../lib/local_exchange/price_walk.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import type { Candle } from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { compressChunks } from "../../lib/store/compression.ts";
import { timescaleVersion } from "../../lib/store/connection/timescale.ts";
import { writePage } from "../../lib/store/page_write.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { type Bench, type Result, timeMs } from "./bench.ts";
import { readCandles } from "./csv_candles.ts";

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 4);
const PAGE_ROWS = 1_000;
/** Two chunks of each series. */
const CANDLES = 20_160;
const READS = 5;

export const compression: Bench = {
  name: "f compression",
  async run({ opened: { database }, scale, data }): Promise<readonly Result[]> {
    if (await timescaleVersion(database) === null) {
      console.error(`${this.name}: needs TimescaleDB`);
      return [];
    }
    await ensureCandleTables(database, [MINUTE]);
    const all = data === undefined
      ? LOCAL_SYMBOLS.map((facts) => invented(facts, Math.round(CANDLES * scale)))
      : [await readCandles(data, MINUTE)];
    await write(database, all);
    const readMs = await medianReadMs(database);
    await compressChunks(database, {
      hypertable: "ohlcv_1m",
      beforeMs: Infinity,
      log: logger("bench"),
    });
    const compressedReadMs = await medianReadMs(database);
    const [row] = await database.sql<{ before: string; after: string }[]>`
      select sum(before_compression_total_bytes) as before, sum(after_compression_total_bytes) as after
      from chunk_compression_stats('ohlcv_1m')`;
    const candles = all.reduce((sum, { length }) => sum + length, 0);
    const [before, after] = [Number(row?.before) / candles, Number(row?.after) / candles];
    return [{
      bench: `${this.name}, bytes a candle`,
      value: Number(after.toFixed(1)),
      unit: "B",
      ratio: after / before,
      against: `${before.toFixed(1)} B before, ${candles} candles`,
    }, {
      bench: `${this.name}, reading one series`,
      value: compressedReadMs,
      unit: "ms",
      ratio: compressedReadMs / readMs,
      against: `${readMs} ms before`,
    }];
  },
};

/** The local exchange's walk on ticks, and one candle in seven flat, as silent minutes of real markets are. */
function invented(facts: LocalSymbol, count: number): readonly Candle[] {
  return Array.from({ length: count }, (_, i): Candle => {
    const candle = candleAt(facts, MINUTE, START_MS + i * MINUTE_MS);
    const { close } = candle;
    return i % 7 === 6 ? { ...candle, open: close, high: close, low: close } : candle;
  });
}

/** As a backfill does: newest page first, all series advancing together. */
async function write(database: Database, all: readonly (readonly Candle[])[]): Promise<void> {
  const longest = Math.max(...all.map(({ length }) => length));
  for (let from = PAGE_ROWS * Math.floor(longest / PAGE_ROWS); from >= 0; from -= PAGE_ROWS) {
    for (const [index, candles] of all.entries()) {
      await writePage(database, { exchange: "bench", symbol: `S${index}`, timeframe: MINUTE }, {
        candles: candles.slice(from, from + PAGE_ROWS),
        rejected: [],
        answered: undefined,
        reachFromMs: undefined,
        isNew: true,
      });
    }
  }
}

async function medianReadMs({ sql }: Database): Promise<number> {
  const times: number[] = [];
  for (let read = 0; read < READS; read++) {
    times.push(
      await timeMs(async () => {
        await sql`
          select count(*), sum(close) from ohlcv_1m
          where exchange = 'bench' and symbol = 'S0'`;
      }),
    );
  }
  return times.sort((a, b) => a - b)[Math.floor(READS / 2)] ?? NaN;
}
