/** The page statement against one prepared INSERT a candle, as a straightforward ingestor does, and against itself. @module */
import { candleAt } from "../../lib/local_exchange/price_walk.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import type { Candle } from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { candleTable, ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { type Bench, type Result, timeMs } from "./bench.ts";

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 1);
const PAGE_ROWS = 1_000;
const PAGES = 50;
const [SYMBOL] = LOCAL_SYMBOLS as readonly [LocalSymbol];

export const pageWrite: Bench = {
  name: "b page write",
  async run({ opened: { database }, scale }): Promise<readonly Result[]> {
    await ensureCandleTables(database, [MINUTE]);
    const pages = Math.max(5, Math.round(PAGES * scale));
    const ready = Array.from({ length: pages + 1 }, (_, page) => pageOf(page));
    const writtenMs = await timeMs(async () => {
      for (const candles of ready.slice(1)) await write(database, candles, { isNew: true });
    });
    const oneByOneMs = await timeMs(async () => {
      for (const { openTimeMs, open, high, low, close, volume } of ready[0] ?? []) {
        await database.sql.unsafe(
          `insert into ${
            candleTable(MINUTE)
          } (time, exchange, symbol, open, high, low, close, volume)
           values (to_timestamp($1::float8), 'b', 'A/B', $2, $3, $4, $5, $6) on conflict do nothing`,
          [openTimeMs / 1000, open, high, low, close, volume],
          { prepare: true },
        );
      }
    });
    const againMs = await timeMs(async () => {
      for (const candles of ready.slice(1)) await write(database, candles, { isNew: false });
    });
    const [rate, naive] = [pages * PAGE_ROWS / writtenMs, PAGE_ROWS / oneByOneMs];
    return [{
      bench: this.name,
      value: Math.round(1000 * rate),
      unit: "rows/s",
      ratio: rate / naive,
      against: "row-by-row INSERT … ON CONFLICT DO NOTHING, prepared",
    }, {
      bench: "g what is stored already",
      value: Math.round(1000 * pages * PAGE_ROWS / againMs),
      unit: "rows/s",
      ratio: writtenMs / againMs,
      against: "the first time",
    }];
  },
};

async function write(
  database: Database,
  candles: readonly Candle[],
  { isNew }: { readonly isNew: boolean },
): Promise<void> {
  const sinceMs = candles[0]?.openTimeMs ?? 0;
  await writePage(database, { exchange: "a", symbol: "A/B", timeframe: MINUTE }, {
    candles,
    rejected: [],
    answered: { sinceMs, untilMs: sinceMs + PAGE_ROWS * MINUTE_MS },
    reachFromMs: undefined,
    isNew,
  });
}

function pageOf(page: number): readonly Candle[] {
  return Array.from(
    { length: PAGE_ROWS },
    (_, i) => candleAt(SYMBOL, MINUTE, START_MS + (page * PAGE_ROWS + i) * MINUTE_MS),
  );
}
