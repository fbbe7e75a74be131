/** `titan10 export --what funding`: writes funding rates as CSV or Parquet. @module */
import { requireArchive } from "../store/connection/migrations.ts";
import { csvField, spreadsheetField } from "../transfer/candle_csv.ts";
import {
  type FundingExportPage,
  type FundingExportRequest,
  fundingPages,
} from "../transfer/funding_export.ts";
import { fundingCsvWriter, fundingParquetWriter } from "../transfer/funding_file.ts";
import type { Output } from "../transfer/output.ts";
import { type Flags, readGround } from "./settings.ts";
import type { Shell } from "./shell.ts";
import { count } from "./text.ts";
import { pagesOfArchive } from "./with_archive.ts";

/** The flags of `export` that choose candles, and say nothing of funding rates. */
const OF_CANDLES = {
  timeframe: "--timeframe",
  finalOnly: "--final-only",
  markProvisional: "--mark-provisional",
} as const;

/** Why these flags do not go together with `--what funding`; undefined when they do. */
export function fundingFlagProblem(flags: Readonly<Record<string, unknown>>): string | undefined {
  const named = Object.entries(OF_CANDLES).find(([flag]) => flags[flag] !== undefined)?.[1] ??
    (flags["source"] === "merged" ? "--source merged" : undefined) ??
    (flags["numbers"] === "exact" ? "--numbers exact" : undefined);
  return named && `${named} is only for candles; leave it out, or --what funding`;
}

/** Writes the rates. Returns how many of how many perpetuals, in words. */
export async function writeFunding(
  shell: Shell,
  flags: Flags,
  { request, output, format, hasFormulas }: {
    readonly request: FundingExportRequest;
    readonly output: Output;
    readonly format: "csv" | "parquet";
    /** Whether spreadsheets are to calculate nothing. */
    readonly hasFormulas: boolean;
  },
): Promise<{ readonly rows: number; readonly what: string }> {
  const writer = format === "csv"
    ? fundingCsvWriter(output, { field: hasFormulas ? spreadsheetField : csvField })
    : fundingParquetWriter(output);
  // Keep the permission to write: the output file is finished only at the end.
  const ground = {
    ...await readGround(shell, flags, { logLevelDefault: "error" }),
    giveUp: undefined,
  };
  const pages = pagesOfArchive(ground, {
    here: async function* (database): AsyncGenerator<FundingExportPage, void> {
      await requireArchive(database);
      yield* fundingPages(database, request);
    },
    path: "/export",
    asked: request,
  });
  const perpetuals = new Set<string>();
  let rows = 0;
  for await (const page of pages) {
    shell.signal.throwIfAborted();
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
