/** Sizes of the candle tables: chunks, bytes, and what compression saves. @module */
import type { Database } from "./connection/database.ts";
import type { Sql } from "./connection/sql.ts";
import { readTimescale, type Timescale } from "./connection/timescale.ts";

/** One candle table. */
interface TableStorage {
  readonly timeframe: string;
  readonly table: string;
  readonly candles: number;
  /** Total size, including indexes. A compressed chunk counts with the size it had right after its compression. */
  readonly totalBytes: number;
  /** Undefined for a plain table. */
  readonly chunks: ChunkStorage | undefined;
}

interface ChunkStorage {
  readonly count: number;
  readonly compressed: number;
  /** Size of the compressed chunks before and after compression. */
  readonly beforeBytes: number;
  readonly afterBytes: number;
  /** Uncompressed chunks that have ended and are smaller than {@linkcode SMALL_CHUNK_BYTES}. */
  readonly small: number;
  /** Uncompressed chunks that have ended and are larger than a quarter of the server's `shared_buffers`. */
  readonly large: number;
}

/** A smaller chunk costs more time in planning than it saves in reading. */
const SMALL_CHUNK_BYTES = 1_000_000;

/**
 * Reads the sizes of all candle tables. TimescaleDB stores the sizes of compressed chunks, so only the others are
 * measured. With 262 chunks, 209 of them compressed, the embedded server needs 0.1 s; measuring all takes 0.6 s.
 */
export async function readStorage(
  database: Database,
  options: { readonly nowMs: number },
): Promise<readonly TableStorage[]> {
  const timescale = await readTimescale(database);
  return await database.run("read the sizes of the candle tables", async (sql) => {
    const rows = await (timescale === undefined
      ? readPlain(sql)
      : readHypertables(sql, { ...options, timescale }));
    return rows.map((row) => ({
      timeframe: row.timeframe,
      table: row.table_name,
      candles: Number(row.candles),
      totalBytes: Number(row.total_bytes),
      chunks: isHypertableRow(row)
        ? {
          count: Number(row.chunks),
          compressed: Number(row.compressed),
          beforeBytes: Number(row.before_bytes),
          afterBytes: Number(row.after_bytes),
          small: Number(row.small),
          large: Number(row.large),
        }
        : undefined,
    }));
  });
}

async function readPlain(sql: Sql): Promise<readonly PlainRow[]> {
  return await sql<PlainRow[]>`
    select timeframe, table_name, pg_total_relation_size(table_name::regclass) as total_bytes,
           (select coalesce(sum(candles), 0) from checkpoints
            where checkpoints.timeframe = timeframes.timeframe) as candles
    from timeframes
    order by chunk_interval, timeframe`;
}

async function readHypertables(
  sql: Sql,
  { nowMs, timescale }: { readonly nowMs: number; readonly timescale: Timescale },
): Promise<readonly (HypertableRow | PlainRow)[]> {
  return await sql<(HypertableRow | PlainRow)[]>`
    with chunk as (
      select hypertable_name, is_compressed,
             not is_compressed and range_end <= to_timestamp(${nowMs}::float8 / 1000.0) as is_closed,
             case when not is_compressed
                  then pg_total_relation_size(format('%I.%I', chunk_schema, chunk_name)::regclass)
             end as bytes
      from timescaledb_information.chunks
      where hypertable_schema = current_schema() and hypertable_name in (select table_name from timeframes)
    ),
    sizes as (
      select hypertable_name, count(*) as chunks, count(*) filter (where is_compressed) as compressed,
             sum(bytes) as open_bytes,
             count(*) filter (where is_closed and bytes < ${SMALL_CHUNK_BYTES}) as small,
             count(*) filter (where is_closed and bytes > quarter_bytes) as large
      from chunk, (select pg_size_bytes(current_setting('shared_buffers')) / 4 as quarter_bytes) as server
      group by hypertable_name
    ),
    known as (
      select timeframe, table_name, chunk_interval, table_name::regclass as oid,
             titan10_is_hypertable(table_name) as is_hypertable
      from timeframes
    )
    select timeframe, table_name,
           (select coalesce(sum(candles), 0) from checkpoints
            where checkpoints.timeframe = known.timeframe) as candles,
           case when is_hypertable then coalesce(chunks, 0) end as chunks,
           coalesce(compressed, 0) as compressed,
           coalesce(before_compression_total_bytes, 0) as before_bytes,
           coalesce(after_compression_total_bytes, 0) as after_bytes,
           case when is_hypertable then coalesce(open_bytes, 0) + coalesce(after_compression_total_bytes, 0)
                else pg_total_relation_size(oid) end as total_bytes,
           coalesce(small, 0) as small, coalesce(large, 0) as large
    from known
    left join sizes on hypertable_name = table_name
    left join lateral ${sql.unsafe(timescale.schema)}.hypertable_compression_stats(
      case when is_hypertable then oid end) on true
    order by chunk_interval, timeframe`;
}

interface PlainRow {
  readonly timeframe: string;
  readonly table_name: string;
  readonly candles: string;
  readonly total_bytes: string;
}

interface HypertableRow extends PlainRow {
  readonly chunks: string;
  readonly compressed: string;
  readonly before_bytes: string;
  readonly after_bytes: string;
  readonly small: string;
  readonly large: string;
}

function isHypertableRow(row: PlainRow): row is HypertableRow {
  return "chunks" in row && row.chunks !== null;
}
