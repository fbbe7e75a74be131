/** The statements that copy an archive from one database to another. @module */
import type { Series } from "../market/series.ts";
import { seriesName } from "../market/series.ts";
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import type { StoredRow } from "./candle_pages.ts";
import { REPLACED_VALUES, VALUE_SUMS, VALUES, valuesOf } from "./candle_columns.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { LEDGER_TABLES } from "./ledger_tables.ts";
import { columns } from "./parameters.ts";
import { StoreError } from "./connection/store_error.ts";

/** The tables whose `id` the database generates. */
const COUNTED_TABLES: readonly string[] = ["imports", "candle_revisions", "alerts", "events"];

/** The most ledger rows that are read at once. */
export const LEDGER_ROWS_MAX = 2_000;

/** A series to copy. */
export interface SourceSeries {
  readonly series: Series;
  readonly candles: number;
  /** Open times of the first and the newest candle, in milliseconds; undefined without candles. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** A text that changes whenever a candle is added, revised or dropped. */
  readonly state: string;
}

/** A checksum of a series: equal when all candles are equal. */
interface SeriesSums {
  readonly candles: number;
  readonly sums: string;
}

/** The id of the archive in a database. */
export async function archiveId(database: Database): Promise<string> {
  return await database.run("read the name of the archive", async (sql) => {
    const [row] = await sql<{ id: string }[]>`select id from archive`;
    return row!.id;
  });
}

/** All series of the ledger, those with the fewest candles first. */
export async function readSourceSeries(database: Database): Promise<readonly SourceSeries[]> {
  return await database.run("read which series there are", async (sql) => {
    const rows = await sql<SourceRow[]>`
      with revised as (
        select exchange, symbol, timeframe, count(*) || ' ' || max(revised_at) as state
        from candle_revisions group by exchange, symbol, timeframe
      )
      select exchange, symbol, timeframe, candles, first, last,
             -- What is taken back while another comes leaves the counts as they are, and changes what waits to be final.
             concat_ws(' ', candles, first, last, revised.state, unsettled) as state
      from checkpoints left join revised using (exchange, symbol, timeframe)
      order by candles, exchange, symbol, timeframe`;
    return rows.map(({ exchange, symbol, timeframe, candles, first, last, state }) => ({
      series: { exchange, symbol, timeframe: parseTimeframe(timeframe) },
      candles: Number(candles),
      firstMs: first?.getTime(),
      lastMs: last?.getTime(),
      state,
    }));
  });
}

interface SourceRow {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  readonly candles: string;
  readonly first: Date | null;
  readonly last: Date | null;
  readonly state: string;
}

/** The timeframes that have tables. */
export async function readTimeframes(database: Database): Promise<readonly Timeframe[]> {
  return await database.run("read which timeframes there are", async (sql) => {
    const rows = await sql<{ timeframe: string }[]>`
      select timeframe from timeframes order by timeframe`;
    return rows.map(({ timeframe }) => parseTimeframe(timeframe));
  });
}

/**
 * Marks a database as the copy of an archive, or finds that it already holds an unfinished copy of it.
 *
 * @throws StoreError `refused` when the database holds anything else.
 */
export async function claimTarget(
  database: Database,
  sourceId: string,
  targetName: string,
): Promise<void> {
  await database.run(`copy to ${targetName}`, async (sql) => {
    await sql`
      update archive set copied_from = ${sourceId}, copy_began = now()
      where copied_from is null and not exists (select from checkpoints) and not exists (select from listings)
        and not exists (select from imports)`;
    const [target] = await sql<TargetRow[]>`
      select id, copied_from, copy_ended, (select count(*)::int from checkpoints) as series from archive`;
    const { id, copied_from, copy_ended, series } = target!;
    const refuse = (why: string): never => {
      throw new StoreError("refused", `Cannot copy to ${targetName}: ${why}`);
    };
    if (id === sourceId) refuse("it is the archive that is to be copied");
    if (copied_from !== sourceId) {
      refuse(
        `it holds another archive, of ${series} series, and archives are not mixed. ` +
          "Give an empty database",
      );
    }
    if (copy_ended !== null) {
      refuse(
        `this archive was copied there on ${copy_ended.toISOString().slice(0, 10)}, ` +
          "and what has come to it since would be lost. Give an empty database",
      );
    }
  });
}

interface TargetRow {
  readonly id: string;
  readonly copied_from: string | null;
  readonly copy_ended: Date | null;
  readonly series: number;
}

/** @throws StoreError `refused` when a database holds an unfinished copy. Only `titan10 copy` may write to it. */
export async function refuseHalfCopy(database: Database): Promise<void> {
  await database.run("use this database", async (sql) => {
    const [half] = await sql`
      select from archive where copied_from is not null and copy_ended is null`;
    if (half === undefined) return;
    throw new StoreError(
      "refused",
      "Cannot use this database: a copy to it is not complete. Run the same titan10 copy again",
    );
  });
}

/** The states of the series whose candles are copied, by series name. */
export async function readCopied(database: Database): Promise<ReadonlyMap<string, string>> {
  return await database.run("read what was copied", async (sql) => {
    const rows = await sql<{ name: string; state: string }[]>`
      select exchange || ' ' || symbol || ' ' || timeframe as name, state from copied_series`;
    return new Map(rows.map(({ name, state }) => [name, state]));
  });
}

export async function noteCopied(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  state: string,
): Promise<void> {
  await database.run("note what was copied", async (sql) => {
    await sql`
      insert into copied_series (exchange, symbol, timeframe, state)
      values (${exchange}, ${symbol}, ${timeframe.text}, ${state})
      on conflict (exchange, symbol, timeframe) do update set state = excluded.state`;
  });
}

const COPIED = columns<StoredRow>({
  time_ms: ["float8", ([timeMs]) => timeMs],
  open: ["numeric", (row) => row[1]],
  high: ["numeric", (row) => row[2]],
  low: ["numeric", (row) => row[3]],
  close: ["numeric", (row) => row[4]],
  volume: ["numeric", (row) => row[5]],
});

/** Stores candles exactly as the source database has them. Repeating it changes nothing. */
export async function writeCopiedCandles(
  database: Database,
  series: Series,
  rows: readonly StoredRow[],
): Promise<void> {
  const { exchange, symbol, timeframe } = series;
  await database.run(`copy candles of ${seriesName(series)}`, async (sql) => {
    await sql.unsafe(
      `insert into ${candleTable(timeframe)} as stored (time, exchange, symbol, ${VALUES})
       select to_timestamp(time_ms / 1000.0), $1::text, $2::text, ${VALUES}
       from ${COPIED.rows(3)}
       on conflict (exchange, symbol, time) do update
       set ${REPLACED_VALUES}
       where (${valuesOf("stored")}) is distinct from (${valuesOf("excluded")})`,
      [exchange, symbol, ...COPIED.arrays(rows)],
      { prepare: true },
    );
  });
}

/**
 * Removes the candles of a series that an earlier start copied: the source may have dropped some since, and taken back others
 * among those that stay.
 */
export async function removeCopied(database: Database, series: Series): Promise<void> {
  await database.runLong(`remove candles of ${seriesName(series)}`, async (sql) => {
    await sql.unsafe(
      `delete from ${candleTable(series.timeframe)} where exchange = $1 and symbol = $2`,
      [series.exchange, series.symbol],
    );
  });
}

/** Computes the checksum of a series. */
export async function sumSeries(database: Database, series: Series): Promise<SeriesSums> {
  return await database.runLong(`add up candles of ${seriesName(series)}`, async (sql) => {
    const [row] = await sql.unsafe<{ candles: string; sums: string }[]>(
      `select count(*) as candles,
              concat_ws(' ', sum(extract(epoch from time)), ${VALUE_SUMS}) as sums
       from ${candleTable(series.timeframe)} where exchange = $1 and symbol = $2`,
      [series.exchange, series.symbol],
    );
    return { candles: Number(row?.candles ?? 0), sums: row?.sums ?? "" };
  });
}

/** Empties the ledger of a copy, so that it can be written again. */
export async function clearLedger(database: Database): Promise<void> {
  await database.run("empty the ledger of the copy", async (sql) => {
    await sql.unsafe(`truncate ${Object.keys(LEDGER_TABLES).join(", ")}`);
  });
}

/** The rows of a table after the row `after`, as JSON texts of PostgreSQL, which keep every digit and every range. */
export async function readLedgerRows(
  database: Database,
  table: string,
  after: string | undefined,
): Promise<readonly string[]> {
  const keys = LEDGER_TABLES[table]!;
  return await database.run(`read ${table}`, async (sql) => {
    const rows = await sql.unsafe<{ row: string }[]>(
      // Leases are those of one archive: no page is refused in the copy because of them.
      `select (to_jsonb(entry)${
        table.endsWith("checkpoints") ? ` || '{"epoch": 0, "holder": null}'` : ""
      })::text as row from ${table} as entry
       ${
        after === undefined ? "" : `where (${keys.map((key) => `entry.${key}`).join(", ")}) >
         (select ${keys.join(", ")} from jsonb_populate_record(null::${table}, $1::text::jsonb))`
      }
       order by ${keys.join(", ")} limit ${LEDGER_ROWS_MAX}`,
      after === undefined ? [] : [after],
    );
    return rows.map(({ row }) => row);
  });
}

/** Adds rows to a ledger table. What they tell of coverage is no change: the versions of months are copied, too. */
export async function writeLedgerRows(
  database: Database,
  table: string,
  rows: readonly string[],
): Promise<void> {
  await database.run(`write ${table}`, async (sql) => {
    await sql.unsafe(
      `with copying as materialized (select set_config('titan10.copies', 'on', true))
       insert into ${table} overriding system value
       select entry.* from copying, jsonb_populate_recordset(null::${table}, $1::text::jsonb) as entry`,
      [`[${rows.join(",")}]`],
    );
  });
}

/** The rollups that hold data of candles that `RETENTION` has dropped. */
export async function readRollupsHolding(database: Database): Promise<readonly string[]> {
  return await database.run("read what rollups hold", async (sql) => {
    const rows = await sql<{ view_name: string }[]>`
      select view_name from rollups join timeframes on timeframes.timeframe = base_timeframe
      where expired_until is not null order by view_name`;
    return rows.map(({ view_name }) => view_name);
  });
}

/** What `RETENTION` has dropped, by timeframe, as JSON. */
export async function readExpiries(database: Database): Promise<string> {
  return await database.run("read what was dropped", async (sql) => {
    const [row] = await sql<{ expiries: string }[]>`
      select coalesce(jsonb_agg(to_jsonb(timeframes)), '[]')::text as expiries from timeframes`;
    return row!.expiries;
  });
}

/** Marks the copy as finished. From then on it is an archive of its own. */
export async function finishCopy(database: Database, expiries: string): Promise<void> {
  await database.run("finish the copy", async (sql) => {
    for (const table of COUNTED_TABLES) {
      await sql.unsafe(
        `select setval(pg_get_serial_sequence('${table}', 'id'), max(id)) from ${table} having max(id) is not null`,
      );
    }
    await sql`
      update timeframes set expired_from = source.expired_from, expired_until = source.expired_until
      from jsonb_populate_recordset(null::timeframes, ${expiries}::text::jsonb) as source
      where timeframes.timeframe = source.timeframe`;
    await sql`
      with cleared as (delete from copied_series)
      update archive set copy_ended = now()`;
  });
}
