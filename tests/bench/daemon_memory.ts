/**
 * The resident memory of the daemon at its most: the program as a process that polls and backfills so many series of the
 * local exchanges for two minutes. Without a server it holds the embedded database, too.
 * @module
 */
import { systemClock } from "../../lib/clock.ts";
import { emptyDatabase } from "../support/local_archive.ts";
import type { Bench, Result } from "./bench.ts";
import { peakBytes, startProgram, startServer } from "./program.ts";

/** Exchanges of twenty symbols each. */
const EXCHANGES = [5, 20];
const SYMBOLS = 20;
const LATENCY_MS = 100;
const RUN_MS = 120_000;

export const daemonMemory: Bench = {
  name: "n daemon memory",
  async run({ opened: { database, url }, scale }): Promise<readonly Result[]> {
    // What takes minutes to be there cannot be made smaller.
    if (scale < 0.5) return [];
    const measured: number[] = [];
    for (const exchanges of EXCHANGES) {
      await emptyDatabase(database);
      measured.push(await daemonBytes({ exchanges, url }));
    }
    return measured.map((bytes, i) => ({
      bench: `${this.name}, ${EXCHANGES[i]} exchanges × ${SYMBOLS} symbols × (1m, 1d)`,
      value: Math.round(bytes / 1e6),
      unit: "MB",
      ratio: bytes / (measured[0] ?? NaN),
      against: `that of ${EXCHANGES[0]} exchanges`,
    }));
  },
};

async function daemonBytes(
  { exchanges, url }: { readonly exchanges: number; readonly url: string | undefined },
): Promise<number> {
  const dataDir = await Deno.makeTempDir();
  const many = await startServer("many_exchanges.ts", [exchanges, SYMBOLS, LATENCY_MS].map(String));
  const program = startProgram(["run"], {
    ...JSON.parse(many.firstLine),
    TIMEFRAMES: "1m,1d",
    BACKFILL: "1m:1d,1d:1y",
    HTTP_PORT: "0",
    DATA_DIR: dataDir,
    // As the systemd unit and the image have it.
    MALLOC_ARENA_MAX: "2",
    MALLOC_MMAP_THRESHOLD_: "1048576",
    ...(url === undefined ? {} : { DATABASE_URL: url }),
  });
  try {
    await systemClock.sleep(RUN_MS);
    return await peakBytes(program.pid);
  } finally {
    await program.stop();
    await many.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}
