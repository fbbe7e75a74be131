/** Parquet files that are written piece by piece, and the columns that several kinds of them have. @module */
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { Output } from "./output.ts";

export type Schema = ConstructorParameters<typeof ParquetWriter>[0]["schema"];

/** A file, and what brings the bytes that it has made so far to its output. */
export function parquetFile(output: Output, columns: Schema): {
  readonly parquet: ParquetWriter;
  readonly flush: () => Promise<void>;
} {
  const bytes = new ByteWriter();
  const schema = [{ name: "root", num_children: columns.length }, ...columns];
  const parquet = new ParquetWriter({ writer: bytes, schema, createdBy: "titan10" });
  const flush = async (): Promise<void> => {
    const written = bytes.getBytes().slice();
    // Reuses the buffer. The writer counts offsets in the file separately.
    bytes.index = 0;
    await output.write(written);
  };
  return { parquet, flush };
}

export function textColumn(name: string): Schema[number] {
  return {
    name,
    type: "BYTE_ARRAY",
    converted_type: "UTF8",
    logical_type: { type: "STRING" },
    repetition_type: "REQUIRED",
  };
}

/** Times in milliseconds, UTC. */
export const TIME_COLUMN: Schema[number] = {
  name: "time",
  type: "INT64",
  converted_type: "TIMESTAMP_MILLIS",
  logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
  repetition_type: "REQUIRED",
};
