/** Writes funding rates as CSV, with all stored digits, or as Parquet. @module */
import { type CsvField, csvField, isoTime } from "./candle_csv.ts";
import type { FundingExportPage } from "./funding_export.ts";
import type { Output } from "./output.ts";
import { parquetFile, textColumn, TIME_COLUMN } from "./parquet_file.ts";

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
  const { parquet, flush } = parquetFile(output, COLUMNS);
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

const COLUMNS = [
  textColumn("exchange"),
  textColumn("symbol"),
  TIME_COLUMN,
  { name: "rate", type: "DOUBLE", repetition_type: "REQUIRED" } as const,
];
