/** Bytes a candle and the time to read one series, before and after compression. @module */
import { candleAt } from "../../lib/local_exchange/candles.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/symbol.ts";
import type { Candle } from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { compressChunk, readUncompressedChunks } from "../../lib/store/compression.ts";
import { timescaleVersion } from "../../lib/store/migrate.ts";
import { writePage } from "../../lib/store/page_write.ts";
import type { Database } from "../../lib/store/database.ts";
import { type Bench, type Result, timeMs } from "./bench.ts";

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 4);
const PAGE_ROWS = 1_000;
const PAGES = 40;
const READS = 5;

export const compression: Bench = {
  name: "f compression",
  async run({ opened: { database }, scale }): Promise<readonly Result[]> {
    if (await timescaleVersion(database) === null) {
      console.error(`${this.name}: needs TimescaleDB`);
      return [];
    }
    await ensureCandleTables(database, [MINUTE]);
    const pages = Math.max(2, Math.round(PAGES * scale));
    for (const { symbol } of LOCAL_SYMBOLS) {
      for (let page = 0; page < pages; page++) await write(database, symbol, page);
    }
    const readMs = await medianReadMs(database);
    const chunks = await readUncompressedChunks(database, "ohlcv_1m", { beforeMs: Infinity });
    for (const chunk of chunks) await compressChunk(database, chunk);
    const compressedReadMs = await medianReadMs(database);
    const [row] = await database.sql<{ before: string; after: string }[]>`
      select sum(before_compression_total_bytes) as before, sum(after_compression_total_bytes) as after
      from chunk_compression_stats('ohlcv_1m')`;
    const candles = pages * PAGE_ROWS * LOCAL_SYMBOLS.length;
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
async function write(database: Database, symbol: string, page: number): Promise<void> {
  const facts = LOCAL_SYMBOLS.find((one) => one.symbol === symbol);
  if (facts === undefined) throw new Error(`there is no ${symbol}`);
  const sinceMs = START_MS + page * PAGE_ROWS * MINUTE_MS;
  const candles = Array.from({ length: PAGE_ROWS }, (_, i): Candle => {
    const candle = candleAt(facts, MINUTE, sinceMs + i * MINUTE_MS);
    const { close } = candle;
    return i % 7 === 6 ? { ...candle, open: close, high: close, low: close } : candle;
  });
  await writePage(database, { exchange: "bench", symbol, timeframe: MINUTE }, {
    candles,
    rejected: [],
    answered: { sinceMs, untilMs: sinceMs + PAGE_ROWS * MINUTE_MS },
    reachFromMs: undefined,
    isNew: true,
  });
}

async function medianReadMs({ sql }: Database): Promise<number> {
  const times: number[] = [];
  for (let read = 0; read < READS; read++) {
    times.push(
      await timeMs(async () => {
        await sql`
          select count(*), sum(close) from ohlcv_1m
          where exchange = 'bench' and symbol = ${LOCAL_SYMBOLS[0]?.symbol ?? ""}`;
      }),
    );
  }
  return times.sort((a, b) => a - b)[Math.floor(READS / 2)] ?? NaN;
}
