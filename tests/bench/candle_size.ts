/**
 * Bytes a candle takes in each timeframe, with its index entry, before and after compression: of ten markets of the
 * local exchange, one chunk each. The ratios compare with what `titan10 plan` reckons with.
 * @module
 */
import { BYTES_A_CANDLE, BYTES_A_COMPRESSED_CANDLE } from "../../lib/fetch/disk_growth.ts";
import { candleAt } from "../../lib/local_exchange/price_walk.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/local_symbol.ts";
import { addCandles, parseTimeframe, type Timeframe } from "../../lib/market/timeframe.ts";
import { candleTable, chunkMs, ensureCandleTables } from "../../lib/store/candle_table.ts";
import { compressChunks } from "../../lib/store/compression.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { timescaleVersion } from "../../lib/store/connection/timescale.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { readStorage } from "../../lib/store/storage.ts";
import { logger } from "../../lib/telemetry/log.ts";
import type { Bench, Result } from "./bench.ts";

const TIMEFRAMES = ["1m", "5m", "1h", "1d"].map(parseTimeframe);
const PAGE_ROWS = 1_000;
/** Candles of a series in one chunk. */
const CANDLES = 10_080;
const NEWEST_MS = Date.UTC(2024, 0, 1);

export const candleSize: Bench = {
  name: "l candle size",
  async run({ opened: { database }, scale }): Promise<readonly Result[]> {
    await ensureCandleTables(database, TIMEFRAMES);
    const results: Result[] = [];
    for (const timeframe of TIMEFRAMES) {
      const sizes = await measure(database, timeframe, Math.ceil(CANDLES * scale));
      results.push(...sizes.map((one) => ({ ...one, bench: `${this.name}, ${one.bench}` })));
    }
    return results;
  },
};

async function measure(
  database: Database,
  timeframe: Timeframe,
  count: number,
): Promise<readonly Result[]> {
  const { text } = timeframe;
  await write(database, timeframe, count);
  const candles = count * LOCAL_SYMBOLS.length;
  const before = await bytesOf(database, text) / candles;
  const index = await indexBytes(database, candleTable(timeframe)) / candles;
  const results: Result[] = [{
    bench: `${text} with its index`,
    value: Number(before.toFixed(1)),
    unit: "B",
    ratio: before / BYTES_A_CANDLE,
    against: `${BYTES_A_CANDLE} B`,
  }, {
    bench: `${text}, the index alone`,
    value: Number(index.toFixed(1)),
    unit: "B",
    ratio: index / before,
    against: "both",
  }];
  if (await timescaleVersion(database) === null) return results;
  await compressChunks(database, {
    hypertable: candleTable(timeframe),
    beforeMs: Infinity,
    log: logger("bench"),
  });
  const after = await bytesOf(database, text) / candles;
  return [...results, {
    bench: `${text}, compressed`,
    value: Number(after.toFixed(1)),
    unit: "B",
    ratio: after / BYTES_A_COMPRESSED_CANDLE,
    against: `${BYTES_A_COMPRESSED_CANDLE} B`,
  }];
}

/** As a backfill does: newest page first, all series advancing together. All of it is in one chunk of the table. */
async function write(database: Database, timeframe: Timeframe, count: number): Promise<void> {
  const chunk = chunkMs(timeframe);
  const startMs = Math.floor(NEWEST_MS / chunk) * chunk;
  for (let from = PAGE_ROWS * Math.floor(count / PAGE_ROWS); from >= 0; from -= PAGE_ROWS) {
    const length = Math.min(PAGE_ROWS, count - from);
    for (const market of LOCAL_SYMBOLS) {
      await writePage(database, { exchange: "bench", symbol: market.symbol, timeframe }, {
        candles: Array.from(
          { length },
          (_, i) => candleAt(market, timeframe, addCandles(timeframe, startMs, from + i)),
        ),
        rejected: [],
        answered: undefined,
        reachFromMs: undefined,
        isNew: true,
      });
    }
  }
}

async function bytesOf(database: Database, timeframe: string): Promise<number> {
  const storage = await readStorage(database, { nowMs: NEWEST_MS });
  return storage.find((one) => one.timeframe === timeframe)?.totalBytes ?? NaN;
}

async function indexBytes({ sql }: Database, table: string): Promise<number> {
  const [row] = await sql<{ bytes: string }[]>`
    select sum(pg_indexes_size(oid)) as bytes
    from (
      select ${table}::regclass::oid as oid
      union all
      select inhrelid from pg_inherits where inhparent = ${table}::regclass
    ) as tables`;
  return Number(row?.bytes);
}
