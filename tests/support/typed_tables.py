"""Makes typed_tables.zip: the first 20 candles of file_candles.ts as pandas, Polars, DuckDB and Arrow write them."""
import datetime
import decimal
import os
import tempfile
import zipfile

import duckdb
import pandas
import polars
import pyarrow
from pyarrow import feather, ipc, parquet

VALUES = ["open", "high", "low", "close", "volume"]
NAMES = ["time", *VALUES]
UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def candles():
    rows, last = [], 400.0
    for n in range(20):
        close = last + ((n * 7919) % 13 - 6) / 4 + 0.25
        high, low = max(last, close) + 0.5, min(last, close) - 0.75
        rows.append((1709251200 + 60 * n, last, high, low, close, 1 + (n * 31) % 17 + 0.125))
        last = close
    return pandas.DataFrame(rows, columns=NAMES)


PLAIN = candles()
UTC = PLAIN.assign(time=pandas.to_datetime(PLAIN["time"], unit="s", utc=True))
NAIVE = PLAIN.assign(time=pandas.to_datetime(PLAIN["time"], unit="s"))
TABLE = pyarrow.Table.from_pandas(UTC, preserve_index=False)


def times(unit, zone):
    raw = [int(time) * UNITS[unit] for time in PLAIN["time"]]
    return TABLE.set_column(0, "time", pyarrow.array(raw, pyarrow.int64()).cast(pyarrow.timestamp(unit, tz=zone)))


def values(of):
    table = TABLE
    for at, name in enumerate(VALUES, 1):
        table = table.set_column(at, name, of(PLAIN[name]))
    return table


def decimals(kind, digits):
    return lambda column: pyarrow.array([decimal.Decimal(str(value)).quantize(decimal.Decimal(digits)) for value in column], kind)


def pandas_files():
    UTC.to_parquet("pandas utc.parquet")
    NAIVE.to_parquet("pandas naive.parquet")
    PLAIN.to_parquet("pandas seconds.parquet")
    UTC.set_index("time").to_parquet("pandas named index.parquet")
    UTC.set_index("time").rename_axis(None).to_parquet("pandas unnamed index.parquet")
    UTC.iloc[::-1].iloc[::-1].set_axis(range(5, 25)).to_parquet("pandas number index.parquet")
    PLAIN.set_axis([str(n) for n in range(6)], axis=1).to_parquet("pandas without names.parquet")
    UTC.assign(symbol=pandas.Categorical(["BTC/USD"] * 20)).to_parquet("pandas category.parquet")
    UTC.assign(symbol=pandas.Categorical(["BTC/USD"] * 20)).to_feather("pandas category.feather")
    UTC.rename(columns={"time": "date"}).to_feather("freqtrade.feather", compression_level=9, compression="lz4")
    UTC.assign(extra=[[1, 2]] * 20).to_parquet("nested.parquet")
    UTC.assign(extra=[[1, 2]] * 20).to_feather("nested.feather")


def arrow_files():
    for codec in ["snappy", "gzip", "brotli", "zstd", "lz4", "none"]:
        parquet.write_table(TABLE, f"arrow {codec}.parquet", compression=codec)
    encodings = {"time": "DELTA_BINARY_PACKED", "open": "BYTE_STREAM_SPLIT", "high": "PLAIN", "low": "PLAIN", "close": "PLAIN", "volume": "PLAIN"}
    parquet.write_table(TABLE, "arrow pages of version 2.parquet", data_page_version="2.0", use_dictionary=False, column_encoding=encodings)
    parquet.write_table(TABLE, "arrow small groups.parquet", row_group_size=7)
    parquet.write_table(TABLE, "arrow small pages.parquet", data_page_size=16, write_batch_size=3, write_page_index=True)
    for unit in UNITS:
        for zone in ["UTC", None]:
            name = f"arrow {unit} {zone or 'naive'}"
            parquet.write_table(times(unit, zone), f"{name}.parquet")
            feather.write_feather(times(unit, zone), f"{name}.feather")
    parquet.write_table(times("us", "America/New_York"), "arrow New York.parquet")
    parquet.write_table(times("ns", None), "arrow int96.parquet", use_deprecated_int96_timestamps=True)
    single = values(lambda column: pyarrow.array(column.astype("float32")))
    parquet.write_table(single, "arrow single.parquet")
    feather.write_feather(single, "arrow single.feather")
    exact = values(decimals(pyarrow.decimal128(38, 10), "1.0000000000"))
    parquet.write_table(exact, "arrow decimal.parquet")
    feather.write_feather(exact, "arrow decimal.feather")
    parquet.write_table(values(decimals(pyarrow.decimal128(18, 4), "1.0000")), "arrow short decimal.parquet", store_decimal_as_integer=True)
    feather.write_feather(TABLE, "arrow zstd.feather", compression="zstd")
    feather.write_feather(TABLE, "arrow plain.feather", compression="uncompressed")
    feather.write_feather(TABLE, "arrow batches.feather", chunksize=7)
    feather.write_feather(TABLE, "arrow version 1.feather", version=1)
    with ipc.new_stream("arrow stream.arrows", TABLE.schema) as stream:
        stream.write_table(TABLE, max_chunksize=7)
    blank = values(lambda column: pyarrow.array([None if n == 5 else value for n, value in enumerate(column)]))
    parquet.write_table(blank, "a row of nulls.parquet")
    feather.write_feather(blank, "a row of nulls.feather")
    days = TABLE.set_column(0, "time", pyarrow.array([datetime.date(2024, 3, 1) + datetime.timedelta(n) for n in range(20)]))
    parquet.write_table(days, "days.parquet")
    feather.write_feather(days, "days.feather")


def other_files():
    frame = polars.DataFrame({name: PLAIN[name].to_numpy() for name in NAMES}).with_columns(polars.from_epoch("time", time_unit="s"))
    frame.write_parquet("polars.parquet")
    frame.write_ipc("polars.feather")
    frame.write_ipc("polars lz4.feather", compression="lz4")
    frame.write_ipc_stream("polars stream.arrows")
    duck = duckdb.connect()
    duck.register("candles", PLAIN)
    duck.execute("copy (select make_timestamp(time * 1000000) as time, open, high, low, close, volume from candles) to 'duckdb.parquet'")
    duck.execute("copy (select to_timestamp(time) as time, open, high, low, close, volume from candles) to 'duckdb zone.parquet' (compression zstd)")


if __name__ == "__main__":
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "typed_tables.zip")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pandas_files()
        arrow_files()
        other_files()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(os.listdir(".")):
                archive.write(name)
