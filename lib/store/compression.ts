/** Compression of candle tables: the policy, pausing it, and compressing single chunks. Needs TimescaleDB. @module */
import type { Timeframe } from "../market/timeframe.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
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
  await database.run(`pause the compression policy of ${table}`, async (sql) => {
    await sql`
      select alter_job(job_id, scheduled => false) from timescaledb_information.jobs
      where proc_name in ('policy_compression', 'policy_columnstore')
        and hypertable_name = ${table} and scheduled`;
  });
}

/** Resumes paused policies: that of one timeframe's table, or those of all candle tables. */
export async function resumeCompression(database: Database, timeframe?: Timeframe): Promise<void> {
  const table = timeframe === undefined ? null : candleTable(timeframe);
  await database.run("resume compression policies", async (sql) => {
    await sql`
      select alter_job(job_id, scheduled => true) from timescaledb_information.jobs
      where proc_name in ('policy_compression', 'policy_columnstore') and not scheduled
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
  for (const chunk of await readUncompressedChunks(database, hypertable, { beforeMs })) {
    if (signal?.aborted === true) break;
    try {
      await compressChunk(database, chunk);
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
  hypertable: string,
  { beforeMs }: { readonly beforeMs: number },
): Promise<readonly string[]> {
  return await database.run(`read the uncompressed chunks of ${hypertable}`, async (sql) => {
    const rows = await sql<{ chunk: string }[]>`
      select format('%I.%I', chunk.chunk_schema, chunk.chunk_name) as chunk
      from timescaledb_information.chunks as chunk
      join _timescaledb_catalog.chunk as known
        on known.schema_name = chunk.chunk_schema and known.table_name = chunk.chunk_name
      where chunk.hypertable_name = ${hypertable}
        and chunk.range_end <= to_timestamp(${beforeMs}::float8 / 1000.0)
        and known.status & 4 = 0 and known.status & 11 <> 1
      order by chunk.range_start`;
    return rows.map(({ chunk }) => chunk);
  });
}

/** Compresses one chunk in its own statement, so that a lock is held for no more than one chunk. */
async function compressChunk(database: Database, chunk: string): Promise<void> {
  await database.runLong(`compress ${chunk}`, async (sql) => {
    await sql`select compress_chunk(${chunk}::text::regclass, if_not_compressed => true)`;
  });
}
