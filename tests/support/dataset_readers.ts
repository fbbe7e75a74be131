/**
 * Programs that read datasets, run by the Python that TITAN10_PYTHON names; .ci/python.txt lists the packages that they need.
 * @module
 */
import assert from "node:assert/strict";

/** The Python; empty where there is none. */
export const PYTHON = Deno.env.get("TITAN10_PYTHON") ?? "";

/** Added to the name of a test that is ignored without it. */
export const WITHOUT_PYTHON = PYTHON === "" ? " (skipped: TITAN10_PYTHON names no Python)" : "";

/**
 * Compares every candle of the archive with every row of the dataset, month by month, both ways. Prints how many rows differ
 * and how many there are. Arguments: the database's URL, the folder, a folder for texts.
 */
export const COMPARE = `
import sys, os, json, duckdb, psycopg
url, folder, scratch = sys.argv[1:]
table = f"read_parquet('{folder}/**/*.parquet', hive_partitioning=true, hive_types={{'month': 'VARCHAR'}})"
query = duckdb.connect()
query.execute("set timezone = 'UTC'; set memory_limit = '2GB'; set threads = 2; set enable_progress_bar = false")
months = query.execute(f"select distinct timeframe, exchange, month from {table} order by all").fetchall()
result = {"rows": 0, "only_archive": 0, "only_dataset": 0, "rest": 0}
path = os.path.join(scratch, "month.csv")
columns = "symbol, {time}, open, high, low, close, volume, volume_base"
with psycopg.connect(url) as connection:
    for timeframe, exchange, month in months:
        with open(path, "wb") as out, connection.cursor().copy(f"""
            copy (select {columns.format(time="(extract(epoch from time) * 1000)::bigint")} from ohlcv
                  where timeframe = '{timeframe}' and exchange = '{exchange}' and time >= '{month}-01Z'
                    and time < ('{month}-01'::timestamp + interval '1 month') at time zone 'UTC')
            to stdout with (format csv)""") as rows:
            for piece in rows:
                out.write(piece)
        query.execute(f"""create or replace table stored as select * from read_csv('{path}', header=false,
            columns={{'symbol': 'VARCHAR', 'time': 'BIGINT', 'open': 'DOUBLE', 'high': 'DOUBLE', 'low': 'DOUBLE',
                      'close': 'DOUBLE', 'volume': 'DOUBLE', 'volume_base': 'DOUBLE'}})""")
        query.execute(f"""create or replace table written as select {columns.format(time="epoch_ms(time) as time")} from {table}
            where timeframe = '{timeframe}' and exchange = '{exchange}' and month = '{month}'""")
        result["rows"] += query.execute("select count(*) from written").fetchall()[0][0]
        result["only_archive"] += query.execute(
            "select count(*) from (select * from stored except all select * from written)").fetchall()[0][0]
        result["only_dataset"] += query.execute(
            "select count(*) from (select * from written except all select * from stored)").fetchall()[0][0]
    result["rest"] = connection.execute("select sum(candles)::bigint from checkpoints").fetchone()[0] - result["rows"]
os.remove(path)
print(json.dumps(result))
`;

/** What each reader is asked: the rows and volumes of all, and of one series from one time on. */
const READERS: Readonly<Record<string, string>> = {
  duckdb: `
import duckdb
query = duckdb.connect()
query.execute("set timezone = 'UTC'")
table = f"read_parquet('{folder}/**/*.parquet', hive_partitioning=true)"
whole = query.execute(f"select count(*), sum(volume) from {table}").fetchall()[0]
part = query.execute(f"""select count(*), sum(volume) from {table} where exchange = '{exchange}' and timeframe = '{timeframe}'
                     and symbol = '{symbol}' and time >= '{since}'""").fetchall()[0]
`,
  polars: `
import polars as pl
frame = pl.scan_parquet(f"{folder}/**/*.parquet", hive_partitioning=True)
total = [pl.len(), pl.col("volume").sum()]
whole = frame.select(total).collect().row(0)
part = frame.filter((pl.col("exchange") == exchange) & (pl.col("timeframe") == timeframe) & (pl.col("symbol") == symbol)
                    & (pl.col("time") >= datetime.fromisoformat(since))).select(total).collect().row(0)
`,
  pandas: `
import pandas as pd
frame = pd.read_parquet(folder)
whole = (len(frame), frame["volume"].sum())
frame = pd.read_parquet(folder, filters=[("exchange", "=", exchange), ("timeframe", "=", timeframe), ("symbol", "=", symbol),
                                         ("time", ">=", pd.Timestamp(since))])
part = (len(frame), frame["volume"].sum())
`,
  pyarrow: `
import pyarrow.dataset as ds, pyarrow.compute as pc, pyarrow as pa
dataset = ds.dataset(folder, format="parquet", partitioning="hive")
def total(table):
    return (table.num_rows, pc.sum(table["volume"]).as_py())
whole = total(dataset.to_table(columns=["volume"]))
part = total(dataset.to_table(columns=["volume"], filter=(ds.field("exchange") == exchange) & (ds.field("timeframe") == timeframe)
    & (ds.field("symbol") == symbol) & (ds.field("time") >= pa.scalar(datetime.fromisoformat(since)))))
`,
  chdb: `
import chdb
def total(where):
    text = str(chdb.query(f"""select count(), sum(volume) from file('{folder}/timeframe=*/exchange=*/month=*/candles.parquet', Parquet)
                              {where} settings use_hive_partitioning=1""", "TabSeparated"))
    rows, volume = text.split()
    return (int(rows), float(volume))
whole = total("")
part = total(f"""where exchange = '{exchange}' and timeframe = '{timeframe}' and symbol = '{symbol}'
                 and time >= parseDateTime64BestEffort('{since}', 3, 'UTC')""")
`,
  pyspark: `
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.sql.session.timeZone", "UTC").config("spark.driver.bindAddress", "127.0.0.1")
         .config("spark.driver.host", "127.0.0.1").getOrCreate())
spark.read.parquet(folder).createOrReplaceTempView("candles")
whole = tuple(spark.sql("select count(*), sum(volume) from candles").first())
part = tuple(spark.sql(f"""select count(*), sum(volume) from candles where exchange = '{exchange}' and timeframe = '{timeframe}'
                           and symbol = '{symbol}' and time >= timestamp '{since}'""").first())
spark.stop()
`,
};

const IS_THERE =
  "import sys, importlib.util; print(importlib.util.find_spec(sys.argv[1]) is not None)";

export const READER_NAMES = Object.keys(READERS);

/** A number of rows and the sum of their volumes. */
export type Total = readonly [rows: number, volume: number];

/** Whether Python has a reader. */
export async function hasReader(reader: string): Promise<boolean> {
  return await runPython(IS_THERE, [reader]) === "True\n";
}

/** What a reader finds in a dataset. */
export async function totalsBy(
  reader: string,
  { folder, exchange, timeframe, symbol, since }: Readonly<
    Record<"folder" | "exchange" | "timeframe" | "symbol" | "since", string>
  >,
): Promise<{ readonly whole: Total; readonly part: Total }> {
  const text = await runPython(
    `import sys, json
from datetime import datetime
folder, exchange, timeframe, symbol, since = sys.argv[1:]
${READERS[reader]}
print()
print(json.dumps([[int(whole[0]), float(whole[1])], [int(part[0]), float(part[1])]]))`,
    [folder, exchange, timeframe, symbol, since],
  );
  const [whole, part] = JSON.parse(text.trim().split("\n").at(-1)!);
  return { whole, part };
}

export interface Comparison {
  readonly rows: number;
  readonly only_archive: number;
  readonly only_dataset: number;
  /** How many candles more the archive has in other months. */
  readonly rest: number;
}

export async function compareByDuckDb(
  url: string,
  { folder, scratch }: { readonly folder: string; readonly scratch: string },
): Promise<Comparison> {
  const text = await runPython(COMPARE, [url, folder, scratch]);
  return JSON.parse(text.trim().split("\n").at(-1)!);
}

/** What a script prints. */
async function runPython(script: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(PYTHON, {
    args: ["-c", script, ...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert.ok(success, decoder.decode(stderr).slice(-5_000));
  return decoder.decode(stdout);
}
