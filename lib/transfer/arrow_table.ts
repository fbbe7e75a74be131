/** Reads Feather files, and streams of Arrow, as tables of lines. @module */
import { setImmediate } from "node:timers/promises";
import type { Batch, DataType } from "@uwdata/flechette";
import { errorText } from "../text/redact.ts";
import { csvField } from "./candle_csv.ts";
import { lz4Frame } from "./lz4.ts";
import type { RandomFile } from "./random_file.ts";
import {
  clockText,
  dateText,
  decimalText,
  singleText,
  timestampText,
  type TimeUnit,
} from "./table_cell.ts";
import type { ColumnFile } from "./table_lines.ts";

/** A file is read whole. */
const FILE_BYTES_MAX = 1024 ** 3;

/** Rows in memory as text. */
const SLICE_ROWS = 65_536;

const DAMAGED = "it is a Feather file, and its end is missing or damaged: download it again";

/** What ends a file, and a stream. */
const ENDS = {
  feather: [..."ARROW1"].map((character) => character.charCodeAt(0)),
  arrow: [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
};

/**
 * Opens a file of Arrow.
 *
 * @throws Error when it is damaged, or a column of it cannot be written as text.
 */
export async function openArrow(
  file: RandomFile,
  kind: keyof typeof ENDS,
): Promise<ColumnFile> {
  if (file.size > FILE_BYTES_MAX) {
    throw new Error("it is a Feather file of more than 1 GB: save it as Parquet first");
  }
  const bytes = file.read(0, file.size);
  const end = ENDS[kind];
  if (file.size < 2 * end.length || !end.every((byte, at) => bytes.at(at - end.length) === byte)) {
    throw new Error(DAMAGED);
  }
  // On demand: the daemon needs no reader.
  const { tableFromIPC, setCompressionCodec, CompressionType } = await import("@uwdata/flechette");
  const { compressors } = await import("hyparquet-compressors");
  const encode = (): never => {
    throw new Error("nothing is packed here");
  };
  setCompressionCodec(CompressionType.LZ4_FRAME, { decode: lz4Frame, encode });
  setCompressionCodec(CompressionType.ZSTD, {
    // Of its own length: the length is not said here.
    decode: (packed) => compressors.ZSTD!(packed, 0).slice(),
    encode,
  });
  let table;
  try {
    // Values as they are stored, with nothing rounded.
    const exact = { useBigInt: true, useBigIntTimestamp: true, useDecimalInt: true };
    table = tableFromIPC(bytes, exact);
  } catch (error) {
    throw new Error(`${DAMAGED} (${errorText(error).slice(0, 100)})`, { cause: error });
  }
  const { fields } = table.schema;
  const columns = fields.map(({ name, type }, at) => ({
    batches: table.getChildAt(at).data,
    cell: cellOf(type, name),
  }));
  if (columns.length === 0) throw new Error("it is a Feather file without columns");
  return {
    names: fields.map(({ name }) => name),
    async *slices(): AsyncGenerator<readonly string[][], void> {
      for (const [at, { length }] of columns[0]!.batches.entries()) {
        for (let since = 0; since < length; since += SLICE_ROWS) {
          const end = Math.min(length, since + SLICE_ROWS);
          await setImmediate();
          yield columns.map(({ batches, cell }) => textsOf(batches[at]!, cell, { since, end }));
        }
      }
    },
  };
}

function textsOf(
  batch: Batch<unknown>,
  cell: (value: unknown) => string,
  { since, end }: { readonly since: number; readonly end: number },
): string[] {
  if (batch.length < end) throw new Error(DAMAGED);
  const texts: string[] = [];
  for (let at = since; at < end; at++) {
    const value = batch.at(at);
    // What lies behind the end of its data is not known.
    if (value === undefined) throw new Error(DAMAGED);
    texts.push(value === null ? "" : cell(value));
  }
  return texts;
}

/** Numbers of Arrow's types and units, as its format says them. */
const TYPE = {
  dictionary: -1,
  null: 1,
  int: 2,
  float: 3,
  text: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  largeText: 20,
  textView: 24,
};
const UNITS: readonly TimeUnit[] = ["second", "milli", "micro", "nano"];
const DOUBLE = 2;
const SINGLE = 1;

/** How the values of a column are written. */
function cellOf(type: DataType, name: string): (value: unknown) => string {
  const { unit = 0, scale = 0, precision, timezone } = type as {
    readonly unit?: number;
    readonly scale?: number;
    readonly precision?: number;
    readonly timezone?: string | null;
  };
  switch (type.typeId as number) {
    case TYPE.null:
    case TYPE.int:
    case TYPE.bool:
      return String;
    case TYPE.float:
      if (precision === DOUBLE) return String;
      if (precision === SINGLE) return (value) => singleText(value as number);
      break;
    case TYPE.text:
    case TYPE.largeText:
    case TYPE.textView:
      return (value) => csvField(String(value));
    case TYPE.decimal:
      return (value) => decimalText(BigInt(value as bigint | number), scale);
    case TYPE.date:
      // Milliseconds, whatever it is stored as.
      return (value) => dateText(Number(value) / 86_400_000);
    case TYPE.time:
      return (value) => clockText(BigInt(value as bigint | number), UNITS[unit]!);
    case TYPE.timestamp: {
      const isUtc = timezone !== undefined && timezone !== null && timezone !== "";
      return (value) => timestampText(BigInt(value as bigint), UNITS[unit]!, isUtc);
    }
    case TYPE.dictionary:
      return cellOf((type as { readonly dictionary: DataType }).dictionary, name);
  }
  const column = JSON.stringify(name.slice(0, 40));
  throw new Error(`its column ${column} has values that are not numbers or texts: leave it out`);
}
