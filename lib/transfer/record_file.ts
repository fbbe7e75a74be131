/** Writes rows of named columns as CSV or as Parquet: gaps, revisions. @module */
import { type CsvField, csvField, isoTime } from "./candle_csv.ts";
import type { Output } from "./output.ts";
import { parquetFile, type Schema, textColumn, TIME_COLUMN } from "./parquet_file.ts";

/** What a column holds: times are milliseconds; values are decimal texts, doubles in Parquet. */
export interface RecordColumn {
  readonly name: string;
  readonly type: "text" | "time" | "count" | "value";
  /** Whether it may be empty. */
  readonly isOptional?: true;
}

/** The fields of a row, in the order of the columns. */
export type RecordRow = readonly (string | number | null)[];

interface RecordWriter {
  write(rows: readonly RecordRow[]): Promise<void>;
  /** Call after the last rows. */
  finish(): Promise<void>;
}

export function recordCsvWriter(
  output: Output,
  { columns, field = csvField }: {
    readonly columns: readonly RecordColumn[];
    readonly field?: CsvField;
  },
): RecordWriter {
  const encoder = new TextEncoder();
  let head = `${columns.map(({ name }) => name).join(",")}\n`;
  const cell = (value: RecordRow[number], column: number): string => {
    if (value === null) return "";
    const { type } = columns[column]!;
    if (type === "text") return field(String(value));
    return type === "time" ? isoTime(Number(value)) : String(value);
  };
  return {
    async write(rows): Promise<void> {
      await output.write(
        encoder.encode(head + rows.map((row) => `${row.map(cell).join(",")}\n`).join("")),
      );
      head = "";
    },
    async finish(): Promise<void> {
      if (head !== "") await output.write(encoder.encode(head));
    },
  };
}

/** One row group for each part that is written. */
export function recordParquetWriter(
  output: Output,
  { columns }: { readonly columns: readonly RecordColumn[] },
): RecordWriter {
  const { parquet, flush } = parquetFile(output, columns.map(elementOf));
  return {
    async write(rows): Promise<void> {
      if (rows.length === 0) return;
      parquet.write({
        columnData: columns.map(({ name, type }, column) => ({
          name,
          data: rows.map((row) => CELLS[type](row[column]!)),
          ...(type === "text" ? { encoding: "RLE_DICTIONARY" } as const : {}),
        })),
        rowGroupSize: rows.length,
      });
      await flush();
    },
    async finish(): Promise<void> {
      parquet.finish();
      await flush();
    },
  };
}

type Cell = string | number | bigint | null;

const CELLS: Readonly<Record<RecordColumn["type"], (value: RecordRow[number]) => Cell>> = {
  text: (value) => value,
  time: whole,
  count: whole,
  value: (value) => value === null ? null : Number(value),
};

function whole(value: RecordRow[number]): bigint | null {
  return value === null ? null : BigInt(Math.trunc(Number(value)));
}

function elementOf({ name, type, isOptional }: RecordColumn): Schema[number] {
  const repetition_type = isOptional === true ? "OPTIONAL" : "REQUIRED";
  switch (type) {
    case "text":
      return { ...textColumn(name), repetition_type };
    case "time":
      return { ...TIME_COLUMN, name, repetition_type };
    case "count":
      return { name, type: "INT64", repetition_type };
    case "value":
      return { name, type: "DOUBLE", repetition_type };
  }
}
