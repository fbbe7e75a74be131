/** Writes funding rates as CSV, with all stored digits, or as Parquet. @module */
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { type CsvField, csvField, isoTime } from "./candle_csv.ts";
import type { FundingExportPage } from "./funding_export.ts";
import type { Output } from "./output.ts";

/** Writes rates in one format, page by page. */
interface FundingWriter {
  write(page: FundingExportPage): Promise<void>;
  /** Call after the last page. */
  finish(): Promise<void>;
}

const HEAD = "exchange,symbol,time,rate\n";

export function fundingCsvWriter(
  output: Output,
  { field = csvField }: { readonly field?: CsvField } = {},
): FundingWriter {
  const encoder = new TextEncoder();
  let head = HEAD;
  return {
    async write({ exchange, symbol, rates }): Promise<void> {
      const names = [exchange, symbol].map(field).join(",");
      const lines = rates.map(([timeMs, rate]) => `${names},${isoTime(timeMs)},${rate}\n`);
      await output.write(encoder.encode(head + lines.join("")));
      head = "";
    },
    async finish(): Promise<void> {
      if (head !== "") await output.write(encoder.encode(head));
    },
  };
}

/** One row group a page: names are dictionary-encoded, times are TIMESTAMP in milliseconds, UTC, rates are doubles. */
export function fundingParquetWriter(output: Output): FundingWriter {
  const bytes = new ByteWriter();
  const parquet = new ParquetWriter({ writer: bytes, schema: SCHEMA, createdBy: "titan10" });
  const flush = async (): Promise<void> => {
    const written = bytes.getBytes().slice();
    // Reuses the buffer. The writer counts offsets in the file separately.
    bytes.index = 0;
    await output.write(written);
  };
  return {
    async write({ exchange, symbol, rates }): Promise<void> {
      const names = (name: string): string[] => Array.from(rates, () => name);
      parquet.write({
        columnData: [
          { name: "exchange", data: names(exchange), encoding: "RLE_DICTIONARY" },
          { name: "symbol", data: names(symbol), encoding: "RLE_DICTIONARY" },
          { name: "time", data: BigInt64Array.from(rates, ([timeMs]) => BigInt(timeMs)) },
          { name: "rate", data: Float64Array.from(rates, ([, rate]) => Number(rate)) },
        ],
        rowGroupSize: rates.length,
      });
      await flush();
    },
    async finish(): Promise<void> {
      parquet.finish();
      await flush();
    },
  };
}

type Schema = ConstructorParameters<typeof ParquetWriter>[0]["schema"];

const TEXT = {
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  logical_type: { type: "STRING" },
  repetition_type: "REQUIRED",
} as const;

const SCHEMA: Schema = [
  { name: "root", num_children: 4 },
  { name: "exchange", ...TEXT },
  { name: "symbol", ...TEXT },
  {
    name: "time",
    type: "INT64",
    converted_type: "TIMESTAMP_MILLIS",
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
    repetition_type: "REQUIRED",
  },
  { name: "rate", type: "DOUBLE", repetition_type: "REQUIRED" },
];
