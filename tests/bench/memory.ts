/** The resident memory of a backfill, which must not grow with what it brings. @module */
import { emptyDatabase } from "../support/local_archive.ts";
import { settleQuickly } from "../support/quick_settling.ts";
import { type Bench, type Result } from "./bench.ts";
import {
  FAST_SERIES,
  fastSettings,
  peakBytes,
  startFastExchange,
  startProgram,
} from "./program.ts";

const CANDLES = [1_000_000, 5_000_000, 20_000_000];

export const memory: Bench = {
  name: "d memory",
  async run({ opened: { database, url }, scale }): Promise<readonly Result[]> {
    const exchange = await startFastExchange();
    const measured: number[] = [];
    try {
      for (const candles of CANDLES) {
        await emptyDatabase(database);
        const hours = Math.max(2, Math.round(candles * scale / FAST_SERIES / 60));
        measured.push(await backfillBytes({ exchange, url, hours }));
        if (url !== undefined) await database.sql`truncate ohlcv_1m`;
      }
    } finally {
      await exchange.stop();
    }
    const [least = NaN] = measured;
    return measured.map((bytes, i) => ({
      bench: `${this.name}, ${(CANDLES[i] ?? 0) * scale} rows`,
      value: Math.round(bytes / 1e6),
      unit: "MB",
      ratio: bytes / least,
      against: `${(CANDLES[0] ?? 0) * scale} rows`,
    }));
  },
};

/** The most memory that one backfill has had resident, as Linux tells. */
async function backfillBytes(
  { exchange, url, hours }: {
    readonly exchange: Awaited<ReturnType<typeof startFastExchange>>;
    readonly url: string | undefined;
    readonly hours: number;
  },
): Promise<number> {
  const dataDir = await Deno.makeTempDir();
  // Not for two minutes, in which it would wait for its newest candles.
  await settleQuickly(url, { dataDir });
  const program = startProgram(["backfill"], {
    ...fastSettings(exchange),
    BACKFILL: `1m:${hours}h`,
    COMPRESS_AFTER: "off",
    DATA_DIR: dataDir,
    ...(url === undefined ? {} : { DATABASE_URL: url }),
  });
  let isOver = false;
  const ended = program.ended.then((success) => {
    isOver = true;
    if (!success) throw new Error("Cannot measure memory: the backfill has failed");
  });
  let bytes = 0;
  while (!isOver) {
    bytes = Math.max(bytes, await peakBytes(program.pid));
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 250))]);
  }
  await ended;
  await Deno.remove(dataDir, { recursive: true });
  return bytes;
}
