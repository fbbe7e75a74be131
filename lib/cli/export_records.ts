/** `titan10 export --what gaps` and `--what revisions`: writes them as CSV or Parquet. @module */
import { csvField, spreadsheetField } from "../transfer/candle_csv.ts";
import type { Output } from "../transfer/output.ts";
import { RECORD_COLUMNS, recordPages } from "../transfer/record_export.ts";
import { recordCsvWriter, recordParquetWriter } from "../transfer/record_file.ts";
import { candleFlag, chosenBy, type ExportFlags } from "./export_flags.ts";
import { exportedPages } from "./exported_pages.ts";
import type { Flags } from "./settings.ts";
import type { Shell } from "./shell.ts";
import { count } from "./text.ts";

/** Why these flags do not go together with what is to be written; undefined when they do. */
export function recordFlagProblem(flags: ExportFlags): string | undefined {
  const named = candleFlag(flags);
  return named && `${named} is only for candles; leave it out, or --what ${flags.what}`;
}

/** Writes the gaps, or the revisions. Returns how many, in words. */
export async function writeRecords(
  shell: Shell,
  flags: ExportFlags & Flags,
  { what, output, format }: {
    readonly what: "gaps" | "revisions";
    readonly output: Output;
    readonly format: "csv" | "parquet";
  },
): Promise<{ readonly rows: number; readonly what: string }> {
  const columns = RECORD_COLUMNS[what];
  const field = flags.quoteFormulas === true ? spreadsheetField : csvField;
  const writer = format === "csv"
    ? recordCsvWriter(output, { columns, field })
    : recordParquetWriter(output, { columns });
  const pages = exportedPages(shell, flags, {
    asked: { what, ...chosenBy(flags), timeframes: flags.timeframe ?? [] },
    read: recordPages,
  });
  let rows = 0;
  for await (const { records } of pages) {
    await writer.write(records);
    rows += records.length;
  }
  await writer.finish();
  return { rows, what: `${count(rows)} ${what}` };
}
