/** `titan10 export --what funding`: writes funding rates as CSV or Parquet. @module */
import { csvField, spreadsheetField } from "../transfer/candle_csv.ts";
import { fundingPages } from "../transfer/funding_export.ts";
import { fundingCsvWriter, fundingParquetWriter } from "../transfer/funding_file.ts";
import type { Output } from "../transfer/output.ts";
import { candleFlag, chosenBy, type ExportFlags } from "./export_flags.ts";
import { exportedPages } from "./exported_pages.ts";
import type { Flags } from "./settings.ts";
import type { Shell } from "./shell.ts";
import { count } from "./text.ts";

/** Why these flags do not go together with `--what funding`; undefined when they do. */
export function fundingFlagProblem(flags: ExportFlags): string | undefined {
  const named = flags.timeframe === undefined ? candleFlag(flags) : "--timeframe";
  return named && `${named} is only for candles; leave it out, or --what funding`;
}

/** Writes the rates. Returns how many of how many perpetuals, in words. */
export async function writeFunding(
  shell: Shell,
  flags: ExportFlags & Flags,
  { output, format }: { readonly output: Output; readonly format: "csv" | "parquet" },
): Promise<{ readonly rows: number; readonly what: string }> {
  const writer = format === "csv"
    ? fundingCsvWriter(output, {
      field: flags.quoteFormulas === true ? spreadsheetField : csvField,
    })
    : fundingParquetWriter(output);
  const pages = exportedPages(shell, flags, {
    asked: { what: "funding", ...chosenBy(flags) },
    read: fundingPages,
  });
  const perpetuals = new Set<string>();
  let rows = 0;
  for await (const page of pages) {
    await writer.write(page);
    perpetuals.add(`${page.exchange} ${page.symbol}`);
    rows += page.rates.length;
  }
  await writer.finish();
  return {
    rows,
    what: `${count(rows)} funding rates of ${count(perpetuals.size)} perpetuals`,
  };
}
