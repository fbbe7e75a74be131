/**
 * Benchmarks: each prints a ratio of two things measured in the same run, because machines differ and are noisy.
 * `--server URL` measures on a server instead of the embedded database, `--json` prints one line a benchmark.
 * @module
 */
import { parseArgs } from "node:util";
import { systemClock } from "../../lib/clock.ts";
import { candleAt } from "../../lib/local_exchange/candles.ts";
import { LOCAL_SYMBOLS } from "../../lib/local_exchange/symbol.ts";
import type { Candle } from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { candleTable, ensureCandleTables } from "../../lib/store/candle_table.ts";
import { migrate, readMigrations } from "../../lib/store/migrate.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { openEmbeddedTest, openOnServer, type TestDatabase } from "../support/test_database.ts";

interface Result {
  readonly bench: string;
  readonly value: number;
  readonly unit: string;
  readonly ratio: number;
  /** What the ratio compares with. */
  readonly against: string;
}

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 1);
const PAGE_ROWS = 1_000;

const { values } = parseArgs({
  args: Deno.args,
  options: { server: { type: "string" }, json: { type: "boolean" }, pages: { type: "string" } },
});
const pages = Number(values.pages ?? 50);
const opened = values.server === undefined
  ? await openEmbeddedTest()
  : await openOnServer(values.server);
try {
  await migrate(opened.database, await readMigrations());
  await ensureCandleTables(opened.database, [MINUTE]);
  print(await pageWrite(opened));
} finally {
  await opened.drop();
}

/** The page statement against what a straightforward ingestor does: one prepared INSERT a candle. */
async function pageWrite({ database }: TestDatabase): Promise<Result> {
  const [symbol] = LOCAL_SYMBOLS;
  if (symbol === undefined) throw new Error("there is no local symbol");
  const pageOf = (page: number): Candle[] =>
    Array.from({ length: PAGE_ROWS }, (_, i) => {
      const openTimeMs = START_MS + (page * PAGE_ROWS + i) * MINUTE_MS;
      return candleAt(symbol, MINUTE, openTimeMs);
    });
  const ready = Array.from({ length: pages + 1 }, (_, page) => pageOf(page));
  const rate = async (rows: number, work: () => Promise<void>): Promise<number> => {
    const startMs = systemClock.now();
    await work();
    return rows / Math.max(1, systemClock.now() - startMs) * 1000;
  };
  const written = await rate(pages * PAGE_ROWS, async () => {
    for (const candles of ready.slice(1)) {
      const sinceMs = candles[0]?.openTimeMs ?? 0;
      await writePage(database, { exchange: "a", symbol: "A/B", timeframe: MINUTE }, {
        candles,
        rejected: [],
        answered: { sinceMs, untilMs: sinceMs + PAGE_ROWS * MINUTE_MS },
        reachFromMs: undefined,
      });
    }
  });
  const oneByOne = await rate(PAGE_ROWS, async () => {
    for (const { openTimeMs, open, high, low, close, volume } of ready[0] ?? []) {
      await database.sql.unsafe(
        `insert into ${candleTable(MINUTE)} (time, exchange, symbol, open, high, low, close, volume)
         values (to_timestamp($1::float8), 'b', 'A/B', $2, $3, $4, $5, $6) on conflict do nothing`,
        [openTimeMs / 1000, open, high, low, close, volume],
        { prepare: true },
      );
    }
  });
  return {
    bench: "page write",
    value: Math.round(written),
    unit: "rows/s",
    ratio: written / oneByOne,
    against: "row-by-row INSERT … ON CONFLICT DO NOTHING, prepared",
  };
}

function print(result: Result): void {
  const { bench, value, unit, ratio, against } = result;
  if (values.json === true) console.log(JSON.stringify(result));
  else console.log(`${bench}: ${value} ${unit}, ${ratio.toFixed(1)} times ${against}`);
}
