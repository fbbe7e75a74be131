/** Rows of a file may come in any order, and come to the same. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { type FileRow, type ImportReport, importRows } from "../../lib/transfer/candle_import.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;

/** More than two pages of a file, and no whole number of them. */
const ROWS = 23_456;
const FIRST_MS = Math.floor(START_MS / MINUTE_MS) * MINUTE_MS - 2 * ROWS * MINUTE_MS;

/** Orders of rows, by what a file of them is like. */
const ORDERS: Readonly<Record<string, (rows: readonly FileRow[]) => readonly FileRow[]>> = {
  "ascending": (rows) => rows,
  "descending": (rows) => rows.toReversed(),
  "files of 777 rows joined, the newest first": (rows) => blocks(rows, 777).toReversed().flat(),
  "every other row first": (
    rows,
  ) => [...rows.filter((_, at) => at % 2 === 0), ...rows.filter((_, at) => at % 2 === 1)],
  "shuffled": (rows) => rows.toSorted((a, b) => mixed(a) - mixed(b)),
};

Deno.test("rows in whatever order come to the same candles, coverage and counts", async (t) => {
  const opened = await openAnyTest();
  try {
    const { database } = opened;
    await migrate(database, await readMigrations());
    for (const [name, order] of Object.entries(ORDERS)) {
      await t.step(name, async () => {
        const exchange = name;
        const rows = rowsOf(exchange, 1);
        const report = await store(database, order(rows));
        assert.deepEqual(
          [report.rows, report.added, report.conflicts, report.rejected, report.owed],
          [ROWS, ROWS, 0, 0, 0],
        );
        assert.deepEqual([report.firstMs, report.lastMs], [FIRST_MS, timeOf(ROWS - 1)]);
        assert.deepEqual(await told(database, exchange), {
          candles: ROWS,
          sum: String(rows.reduce((sum, { row }) => sum + Number(row[5]), 0)),
          counted: ROWS,
          first: new Date(FIRST_MS),
          last: new Date(timeOf(ROWS - 1)),
          // All of them are one range, of the coverage and of what the file has brought.
          covered: 1,
          stored: 1,
        });
      });
    }
  } finally {
    await opened.drop();
  }
});

Deno.test("of two rows for one time the first is stored, in whatever order the others come", async () => {
  const opened = await openAnyTest();
  try {
    const { database } = opened;
    await migrate(database, await readMigrations());
    for (const [name, order] of Object.entries(ORDERS)) {
      const exchange = name;
      // The same times again, far behind their first rows: some with the same values, some with others.
      const again = rowsOf(exchange, 1).slice(0, 3_000)
        .map((one, at) => at % 3 === 0 ? changed(one) : one);
      const report = await store(database, [...order(rowsOf(exchange, 1)), ...order(again)]);
      assert.deepEqual([report.added, report.conflicts, report.same], [ROWS, 1_000, 2_000], name);
      const [{ kept, contradicting }] = await database.sql<
        [{ kept: number; contradicting: number }]
      >`
        select (select count(*)::int from ohlcv_1m where exchange = ${exchange} and volume < 1000000) as kept,
               (select count(*)::int from import_conflicts where exchange = ${exchange}
                and volume >= 1000000) as contradicting`;
      assert.deepEqual([kept, contradicting], [ROWS, 1_000], name);
    }
  } finally {
    await opened.drop();
  }
});

Deno.test("an import that is ended leaves no statement behind, and goes on when it is begun again", async () => {
  const opened = await openAnyTest();
  try {
    const { database } = opened;
    await migrate(database, await readMigrations());
    const rows = rowsOf("a", 1);
    await assert.rejects(store(database, broken(rows.slice(0, 15_000))), /the disk is gone/);
    const [{ candles }] = await database.sql<[{ candles: number }]>`
      select count(*)::int as candles from ohlcv_1m where exchange = 'a'`;
    // The page that was being written is there as a whole when the error arrives.
    assert.equal(candles, 10_000);
    const report = await store(database, rows);
    assert.deepEqual([report.added, report.same], [ROWS - 10_000, 10_000]);
  } finally {
    await opened.drop();
  }
});

async function store(
  database: Database,
  rows: readonly FileRow[] | AsyncIterable<readonly FileRow[]>,
): Promise<ImportReport> {
  const { signal } = new AbortController();
  const config = { retry: { attempts: 1, minMs: 1, maxMs: 1 }, compressAfterMs: undefined };
  const pages = Array.isArray(rows) ? inPages(rows) : rows as AsyncIterable<readonly FileRow[]>;
  const [report] = await importRows(
    { config, clock: new TestClock(), random: () => 0.5, database, hasTimescaledb: false },
    pages,
    { file: "rows.csv", isComplete: false, replaces: false, signal, sha256: () => "00" },
  );
  return report!;
}

async function* broken(rows: readonly FileRow[]): AsyncGenerator<readonly FileRow[], void> {
  yield await Promise.resolve(rows);
  throw new Error("the disk is gone");
}

async function* inPages(rows: readonly FileRow[]): AsyncGenerator<readonly FileRow[], void> {
  for (const page of blocks(rows, 430)) yield await Promise.resolve(page);
}

async function told(database: Database, exchange: string): Promise<unknown> {
  const [row] = await database.sql`
    select count(*)::int as candles, sum(volume)::text as sum,
           (select candles::int from checkpoints where exchange = ${exchange}) as counted,
           (select first from checkpoints where exchange = ${exchange}),
           (select last from checkpoints where exchange = ${exchange}),
           (select count(*)::int from checkpoints, unnest(covered) where exchange = ${exchange}) as covered,
           (select count(*)::int from imports, unnest(stored) where exchange = ${exchange}) as stored
    from ohlcv_1m where exchange = ${exchange}`;
  return row;
}

function rowsOf(exchange: string, price: number): readonly FileRow[] {
  const series = { exchange, symbol: "A/B", timeframe: MINUTE };
  return Array.from({ length: ROWS }, (_, at) => ({
    series,
    row: [timeOf(at), `${price}`, `${price + 1}`, `${price}`, `${price}`, `${at}`],
    state: "candle",
  }));
}

function changed(one: FileRow): FileRow {
  return { ...one, row: [...one.row.slice(0, 5), `${1_000_000 + Number(one.row[5])}`] };
}

function timeOf(at: number): number {
  return FIRST_MS + at * MINUTE_MS;
}

/** The same order every time, and none that a sorted file has. */
function mixed({ row }: FileRow): number {
  return Number(row[5]) * 7_919 % 10_007;
}

function blocks<T>(values: readonly T[], length: number): readonly (readonly T[])[] {
  return Array.from(
    { length: Math.ceil(values.length / length) },
    (_, at) => values.slice(at * length, (at + 1) * length),
  );
}
