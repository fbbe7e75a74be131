/** Proves of an archive of any size that a dataset is the same, and that a change of one month writes one file. @module */
import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { DatasetManifest } from "../../lib/transfer/dataset_manifest.ts";
import { compareByDuckDb, type Comparison } from "./dataset_readers.ts";
import { LARGE_EXCHANGES, largeSymbol } from "./large_archive.ts";
import { type CommandResult, runInProcess } from "./shell.ts";

interface Proof {
  /** How many files there are, and which of them the change has had written again. */
  readonly files: number;
  readonly changed: readonly string[];
  readonly first: Comparison;
  readonly second: Comparison;
  /** Milliseconds: written, compared, written again. */
  readonly tookMs: readonly [number, number, number];
}

/** The month that is changed, and the file that holds it. */
const CHANGED_MS = Date.UTC(2020, 0, 20, 12);
export const CHANGED_FILE = `timeframe=1m/exchange=${
  LARGE_EXCHANGES[0]
}/month=2020-01/candles.parquet`;

/** Writes a dataset, changes a candle as an exchange's answer does, and writes again. Each time all rows are compared. */
export async function proveDataset(
  url: string,
  { folder, scratch }: { readonly folder: string; readonly scratch: string },
): Promise<Proof> {
  const took: number[] = [];
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const startMs = systemClock.now();
    const result = await work();
    took.push(systemClock.now() - startMs);
    return result;
  };
  const write = async (): Promise<CommandResult> => {
    const result = await runInProcess(["export", "--dataset", folder], { DATABASE_URL: url });
    assert.equal(result.code, 0, result.stderr);
    return result;
  };
  await timed(write);
  const first = await timed(() => compareByDuckDb(url, { folder, scratch }));
  const before = await writtenOf(folder);
  const database = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
  try {
    await changeOne(database);
  } finally {
    await database.close();
  }
  await timed(write);
  const after = await writtenOf(folder);
  const changed = [...after.keys()].filter((path) => after.get(path) !== before.get(path));
  return {
    files: after.size,
    changed,
    first,
    second: await compareByDuckDb(url, { folder, scratch }),
    tookMs: took as [number, number, number],
  };
}

async function changeOne(database: Database): Promise<void> {
  const timeframe = parseTimeframe("1m");
  const written = await writePage(database, {
    exchange: LARGE_EXCHANGES[0],
    symbol: largeSymbol(1),
    timeframe,
  }, {
    candles: [{
      openTimeMs: CHANGED_MS,
      open: "7.000000001",
      high: "8",
      low: "6",
      close: "7",
      volume: "123.456",
    }],
    rejected: [],
    answered: { sinceMs: CHANGED_MS, untilMs: CHANGED_MS + 60_000 },
    reachFromMs: undefined,
  });
  assert.equal(written.revised, 1);
}

/** Hash and time of each file that the manifest names. */
async function writtenOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const text = await Deno.readTextFile(join(folder, "_manifest.json"));
  const { files } = DatasetManifest.parse(JSON.parse(text));
  const written = new Map<string, string>();
  for (const { path, sha256 } of files) {
    const { mtime } = await Deno.stat(join(folder, path));
    written.set(path, `${sha256} ${mtime!.getTime()}`);
  }
  return written;
}
