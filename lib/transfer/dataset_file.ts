/** One Parquet file of a dataset: the candles of all symbols of a timeframe, an exchange and a month. @module */
import { createHash } from "node:crypto";
import type { ParquetWriter } from "hyparquet-writer";
import { DATASET_ROWS_MAX } from "../store/dataset_candles.ts";
import { type Numbers, valueColumn, VALUES, withConvertedDecimal } from "./candle_parquet.ts";
import type { DatasetCandles } from "./dataset_columns.ts";
import type { Output } from "./output.ts";
import { parquetFile, textColumn, TIME_COLUMN } from "./parquet_file.ts";

/** A finished file. */
export interface WrittenFile {
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

interface DatasetFile {
  /** Adds candles of a symbol, in the order of the symbols and of time. */
  write(symbol: string, candles: DatasetCandles): Promise<void>;
  /** Call at the end. The output has all bytes then, and is not finished. */
  finish(): Promise<WrittenFile>;
}

/**
 * A symbol with so many rows has a row group of its own, so that readers skip all others. Fewer rows share one with those of
 * other symbols: their groups would need more room in the file's index than their candles.
 */
const OWN_GROUP_ROWS = 5_000;

type Columns = Parameters<ParquetWriter["write"]>[0]["columnData"];

/** Writes the file. Symbols and times have statistics, and so do doubles. */
export function datasetFile(output: Output, numbers: Numbers): DatasetFile {
  const hash = createHash("sha256");
  let bytes = 0;
  const counted: Output = {
    ...output,
    write: async (more) => {
      hash.update(more);
      bytes += more.length;
      await output.write(more);
    },
  };
  const { parquet, flush } = parquetFile(counted, [
    textColumn("symbol"),
    TIME_COLUMN,
    ...VALUES.map((name) => valueColumn(name, numbers)),
  ]);
  let rows = 0;
  let group: Piece[] = [];
  const groupRows = (): number => group.reduce((sum, { candles }) => sum + candles.rows, 0);
  const writeGroup = async (): Promise<void> => {
    if (group.length === 0) return;
    parquet.write({ columnData: columnsOf(group, numbers), rowGroupSize: groupRows() });
    group = [];
    await flush();
  };
  return {
    async write(symbol, candles): Promise<void> {
      const held = groupRows();
      const isLarge = candles.rows >= OWN_GROUP_ROWS || held >= OWN_GROUP_ROWS;
      const isOfGroup = group[0]?.symbol === symbol && held + candles.rows <= DATASET_ROWS_MAX;
      if (isLarge && !isOfGroup) await writeGroup();
      group.push({ symbol, candles });
      rows += candles.rows;
    },
    async finish(): Promise<WrittenFile> {
      await writeGroup();
      parquet.schema = parquet.schema.map(withConvertedDecimal);
      parquet.finish();
      await flush();
      return { rows, bytes, sha256: hash.digest("hex") };
    },
  };
}

interface Piece {
  readonly symbol: string;
  readonly candles: DatasetCandles;
}

function columnsOf(group: readonly Piece[], numbers: Numbers): Columns {
  const symbols = group.flatMap(({ symbol, candles }) => new Array(candles.rows).fill(symbol));
  return [
    { name: "symbol", data: symbols, encoding: "RLE_DICTIONARY" },
    {
      name: "time",
      data: joined(group.map(({ candles }) => candles.times)),
      encoding: "DELTA_BINARY_PACKED",
    },
    ...VALUES.map((name, at): Columns[number] => ({
      name,
      data: valuesOf(group.map(({ candles }) => candles.values[at]!)),
      // No statistics for decimals: the library would compare their bytes as unsigned text.
      statistics: numbers === "double",
    })),
  ];
}

function joined(parts: readonly BigInt64Array[]): BigInt64Array {
  if (parts.length === 1) return parts[0]!;
  const all = new BigInt64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Doubles stay in one block of memory where none of them is absent. */
function valuesOf(parts: readonly DatasetCandles["values"][number][]): Columns[number]["data"] {
  const [only] = parts;
  if (parts.length === 1 && only instanceof Float64Array && !only.some(Number.isNaN)) return only;
  return parts.flatMap((part): (number | Uint8Array | null)[] =>
    part instanceof Float64Array
      ? Array.from(part, (value) => Number.isNaN(value) ? null : value)
      : [...part]
  );
}
