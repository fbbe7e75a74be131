/** Reads Parquet as a table of lines, a bounded number of rows at a time. @module */
import type { ColumnChunk, FileMetaData, SchemaElement } from "hyparquet";
import { errorText } from "../text/redact.ts";
import { csvField } from "./candle_csv.ts";
import { lz4Whole } from "./lz4.ts";
import type { RandomFile } from "./random_file.ts";
import {
  bigEndian,
  clockText,
  dateText,
  decimalText,
  singleText,
  timestampText,
  type TimeUnit,
} from "./table_cell.ts";
import type { ColumnFile } from "./table_lines.ts";

/** Rows in memory. */
const SLICE_ROWS = 131_072;

/** A column of a row group is read whole, however few of its rows are asked for. */
const CHUNK_BYTES_MAX = 512 * 1024 * 1024;

const COLUMNS_MAX = 1_000;

type Cell = (value: unknown) => string;

/**
 * Opens a Parquet file.
 *
 * @throws Error when it is damaged, or a column of it cannot be written as text.
 */
export async function openParquet(
  file: RandomFile,
  sliceRows: number = SLICE_ROWS,
): Promise<ColumnFile> {
  // On demand: the daemon needs no reader.
  const { parquetMetadataAsync, parquetScan } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  const bytes = {
    byteLength: file.size,
    slice: (start: number, end: number = file.size): Promise<ArrayBuffer> =>
      file.readAndRest(start, end - start).then(({ buffer }) => buffer),
  };
  const metadata = await damaged(
    "its end is missing or damaged: download it again",
    () => parquetMetadataAsync(bytes, { geoparquet: false }),
  );
  const elements = flatColumns(metadata);
  const cells = elements.map(cellOf);
  checkSizes(metadata);
  const scan = await parquetScan({
    file: bytes,
    // Values as they are stored: its own conversions would round decimals, and drop what is less than a millisecond.
    metadata: { ...metadata, schema: metadata.schema.map(rawElement) },
    utf8: false,
    parsers: { timestampFromNanoseconds: (nanoseconds) => nanoseconds },
    compressors: { ...compressors, LZ4_RAW: lz4Whole },
  });
  const readSlice = async (rowStart: number, rowEnd: number): Promise<readonly string[][]> => {
    const columns: string[][] = [];
    for (const [at, { name }] of elements.entries()) {
      const values = await scan.readColumn({ column: name, rowStart, rowEnd });
      if (values.length !== rowEnd - rowStart) throw new Error("a column is too short");
      columns.push(textsOf(values, cells[at]!));
    }
    return columns;
  };
  return {
    names: elements.map(({ name }) => name),
    async *slices(): AsyncGenerator<readonly string[][], void> {
      let groupStart = 0;
      for (const group of metadata.row_groups) {
        const groupEnd = groupStart + Number(group.num_rows);
        for (let rowStart = groupStart; rowStart < groupEnd; rowStart += sliceRows) {
          const rowEnd = Math.min(groupEnd, rowStart + sliceRows);
          yield await damaged(
            `its rows ${rowStart + 1} to ${rowEnd} are damaged: download it again`,
            () => readSlice(rowStart, rowEnd),
          );
        }
        groupStart = groupEnd;
      }
      if (groupStart !== Number(metadata.num_rows)) {
        throw new Error("it does not have all its rows");
      }
    },
  };
}

async function damaged<T>(why: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CellError) throw error;
    throw new Error(`it is a Parquet file, and ${why} (${errorText(error).slice(0, 100)})`, {
      cause: error,
    });
  }
}

/** What is wrong with a value, not with the file. */
class CellError extends Error {}

/** @throws Error that names a column with lists or objects. */
function flatColumns({ schema }: FileMetaData): readonly SchemaElement[] {
  const [root, ...elements] = schema;
  if (root?.num_children === undefined) throw new Error("it is a Parquet file without columns");
  const nested = elements.find(({ num_children, repetition_type }) =>
    num_children !== undefined || repetition_type === "REPEATED"
  );
  if (nested !== undefined) throw new Error(cannotWrite(nested, "lists or objects"));
  if (elements.length > COLUMNS_MAX) throw new Error("it has too many columns for candles");
  if (elements.length === 0) throw new Error("it is a Parquet file without columns");
  return elements;
}

function checkSizes({ row_groups }: FileMetaData): void {
  const isLong = ({ meta_data }: ColumnChunk): boolean =>
    (meta_data?.total_compressed_size ?? 0n) > CHUNK_BYTES_MAX ||
    (meta_data?.total_uncompressed_size ?? 0n) > 4 * CHUNK_BYTES_MAX;
  if (row_groups.some(({ columns }) => columns.some(isLong))) {
    throw new Error(
      "its row groups are too large to be read: write it with a million rows in each",
    );
  }
}

function rawElement(element: SchemaElement): SchemaElement {
  const { converted_type: _converted, logical_type: _logical, ...raw } = element;
  return raw;
}

function cannotWrite({ name }: SchemaElement, what: string): string {
  return `its column ${
    JSON.stringify(name.slice(0, 40))
  } has ${what}, not numbers or texts: leave it out`;
}

function textsOf(values: ArrayLike<unknown>, cell: Cell): string[] {
  const texts = new Array<string>(values.length);
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    texts[at] = value === null || value === undefined ? "" : cell(value);
  }
  return texts;
}

/** How the values of a column are written. */
function cellOf(element: SchemaElement): Cell {
  const { type, converted_type: converted, logical_type: logical } = element;
  const scale = logical?.type === "DECIMAL" ? logical.scale : element.scale ?? 0;
  if (logical?.type === "DECIMAL" || converted === "DECIMAL") {
    return (value) =>
      decimalText(value instanceof Uint8Array ? bigEndian(value) : BigInt(value as number), scale);
  }
  const time = timeCell(element);
  if (time !== undefined) return time;
  switch (type) {
    case "BOOLEAN":
      return String;
    case "INT32":
    case "INT64": {
      const isUnsigned = logical?.type === "INTEGER"
        ? !logical.isSigned
        : converted?.startsWith("UINT_") === true;
      const bits = type === "INT32" ? 32 : 64;
      return isUnsigned ? (value) => String(BigInt.asUintN(bits, BigInt(value as number))) : String;
    }
    case "FLOAT":
      return (value) => singleText(value as number);
    case "DOUBLE":
      return String;
    case "BYTE_ARRAY":
      if (converted !== "BSON" && !/^(?:GEO|BSON|VARIANT)/.test(logical?.type ?? "")) {
        return textCell(element);
      }
  }
  throw new Error(cannotWrite(element, logical?.type ?? converted ?? type ?? "values"));
}

const UNITS: Readonly<Record<string, TimeUnit>> = {
  MILLIS: "milli",
  MICROS: "micro",
  NANOS: "nano",
};

function timeCell(
  { type, converted_type: converted, logical_type: logical }: SchemaElement,
): Cell | undefined {
  if (type === "INT96") return calendar((value) => timestampText(value, "nano", false));
  if (logical?.type === "DATE" || converted === "DATE") {
    return calendar((value) => dateText(Number(value)));
  }
  // Without a logical type it is not said whether the times are UTC: writers differ.
  const [kind, unit = ""] = logical?.type === "TIMESTAMP" || logical?.type === "TIME"
    ? [logical.type, logical.unit]
    : /^(TIMESTAMP|TIME)_(MILLIS|MICROS)$/.exec(converted ?? "")?.slice(1) ?? [];
  const timeUnit = UNITS[unit];
  if (timeUnit === undefined) return undefined;
  const isUtc = logical?.type === "TIMESTAMP" && logical.isAdjustedToUTC;
  return kind === "TIME"
    ? calendar((value) => clockText(value, timeUnit))
    : calendar((value) => timestampText(value, timeUnit, isUtc));
}

function calendar(text: (value: bigint) => string): Cell {
  return (value) => {
    try {
      return text(BigInt(value as number));
    } catch (error) {
      throw new CellError(errorText(error), { cause: error });
    }
  };
}

/** Texts repeat in a column, and those of a dictionary are the same bytes. */
function textCell(element: SchemaElement): Cell {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const known = new WeakMap<Uint8Array, string>();
  return (value) => {
    const bytes = value as Uint8Array;
    let text = known.get(bytes);
    if (text !== undefined) return text;
    try {
      text = csvField(decoder.decode(bytes));
    } catch (error) {
      throw new CellError(cannotWrite(element, "bytes"), { cause: error });
    }
    known.set(bytes, text);
    return text;
  };
}
