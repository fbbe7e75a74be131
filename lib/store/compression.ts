/** Compression of candle tables: the policy, pausing it, and compressing single chunks. Needs TimescaleDB. @module */
import type { Timeframe } from "../market/timeframe.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { readTimescale, type Timescale } from "./connection/timescale.ts";
import { StoreError } from "./connection/store_error.ts";
import type { Logger } from "../telemetry/log.ts";

/**
 * Makes TimescaleDB compress chunks once all their candles are older than `compressAfterMs`. Removes the policy when
 * that is undefined.
 */
export async function setCompressionPolicy(
  database: Database,
  timeframe: Timeframe,
  compressAfterMs: number | undefined,
): Promise<void> {
  const table = candleTable(timeframe);
  await database.run(`set the compression policy of ${table}`, async (sql) => {
    const afterSeconds = compressAfterMs === undefined ? null : compressAfterMs / 1000;
    await sql`select titan10_compress_after(${table}, make_interval(secs => ${afterSeconds}::float8))`;
  });
}

/** Stops the policy of a timeframe's table from running until it is resumed. */
export async function pauseCompression(database: Database, timeframe: Timeframe): Promise<void> {
  const table = candleTable(timeframe);
  await schedule(database, { isScheduled: false, table });
}

/** Resumes paused policies: that of one timeframe's table, or those of all candle tables. */
export async function resumeCompression(database: Database, timeframe?: Timeframe): Promise<void> {
  const table = timeframe === undefined ? null : candleTable(timeframe);
  await schedule(database, { isScheduled: true, table });
}

/** Pauses or resumes policies of this archive. Other archives have tables of the same names in their schemas. */
async function schedule(
  database: Database,
  { isScheduled, table }: { readonly isScheduled: boolean; readonly table: string | null },
): Promise<void> {
  const timescale = await readTimescale(database);
  if (timescale?.isLicensed !== true) return;
  const action = `${isScheduled ? "resume" : "pause"} compression policies`;
  await database.run(action, async (sql) => {
    await sql`
      select ${sql.unsafe(timescale.schema)}.alter_job(job_id, scheduled => ${isScheduled}::boolean)
      from timescaledb_information.jobs
      where proc_name in ('policy_compression', 'policy_columnstore') and scheduled <> ${isScheduled}::boolean
        and hypertable_schema = current_schema()
        and hypertable_name in (select table_name from timeframes)
        and hypertable_name = coalesce(${table}, hypertable_name)`;
  });
}

interface CompressOptions {
  readonly hypertable: string;
  /** Chunks that end at or before this time are compressed. Milliseconds. */
  readonly beforeMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly log: Logger;
}

/** Numbers of chunks. */
interface CompressReport {
  readonly compressed: number;
  readonly failed: number;
}

/**
 * Compresses the chunks that are due, one after another. An abort of the signal ends it before the next chunk. If a
 * chunk cannot be compressed, the failure is logged and the next chunk is tried.
 *
 * @throws StoreError when the database is unavailable.
 */
export async function compressChunks(
  database: Database,
  { hypertable, beforeMs, signal, log }: CompressOptions,
): Promise<CompressReport> {
  let compressed = 0;
  let failed = 0;
  const timescale = await readTimescale(database);
  if (timescale?.isLicensed !== true) return { compressed, failed };
  for (const chunk of await readUncompressedChunks(database, timescale, { hypertable, beforeMs })) {
    if (signal?.aborted === true) break;
    try {
      await compressChunk(database, chunk, timescale);
      compressed++;
    } catch (error) {
      if (error instanceof StoreError && error.kind === "unavailable") throw error;
      log.warn("a chunk was not compressed", { hypertable, chunk, error });
      failed++;
    }
  }
  return { compressed, failed };
}

/**
 * The chunks of a hypertable that end before a given time and are not compressed, or were written to after their
 * compression; oldest first. TimescaleDB's own policy picks the same chunks, by the same bits of `status`: 1
 * compressed, 2 unordered, 4 frozen, 8 partial.
 */
async function readUncompressedChunks(
  database: Database,
  { version }: Timescale,
  { hypertable, beforeMs }: Pick<CompressOptions, "hypertable" | "beforeMs">,
): Promise<readonly string[]> {
  return await database.run(`read the uncompressed chunks of ${hypertable}`, async (sql) => {
    const rows = await sql<{ chunk: string }[]>`
      select format('%I.%I', chunk.chunk_schema, chunk.chunk_name) as chunk
      from timescaledb_information.chunks as chunk
      cross join lateral _timescaledb_functions.chunk_status(
        format('%I.%I', chunk.chunk_schema, chunk.chunk_name)::regclass) as status
      where chunk.hypertable_schema = current_schema() and chunk.hypertable_name = ${hypertable}
        and chunk.range_end <= to_timestamp(${beforeMs}::float8 / 1000.0)
        and status & 4 = 0 and status & 11 <> 1 and (status & 1 = 0 or ${recompresses(version)})
      order by chunk.range_start`;
    return rows.map(({ chunk }) => chunk);
  });
}

/** Before 2.14 only the policies of a server compress a chunk again, not `compress_chunk`. */
function recompresses(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 2 || minor >= 14;
}

/** Compresses one chunk in its own statement, so that a lock is held for no more than one chunk. */
async function compressChunk(
  database: Database,
  chunk: string,
  { schema }: Timescale,
): Promise<void> {
  await database.runLong(`compress ${chunk}`, async (sql) => {
    await sql`
      select ${
      sql.unsafe(schema)
    }.compress_chunk(${chunk}::text::regclass, if_not_compressed => true)`;
  });
}
