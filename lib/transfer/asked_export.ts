/** What the daemon is asked to export: candles, funding rates, gaps or revisions, files for freqtrade, or a dataset's months. @module */
import type { Database } from "../store/connection/database.ts";
import { type ExportPage, exportPages, type ExportRequest } from "./candle_export.ts";
import { type DatasetPage, datasetPages, type DatasetRequest } from "./dataset_source.ts";
import { type FreqtradePage, freqtradePages, type FreqtradeRequest } from "./freqtrade_pages.ts";
import {
  type FundingExportPage,
  type FundingExportRequest,
  fundingPages,
} from "./funding_export.ts";
import { type RecordExportRequest, type RecordPage, recordPages } from "./record_export.ts";

export type AskedExport =
  | ExportRequest
  | FundingExportRequest
  | RecordExportRequest
  | FreqtradeRequest
  | DatasetRequest;

/** Reads the pages of what was asked for. @throws Error when the archive has none such; StoreError */
export function askedPages(
  database: Database,
  asked: AskedExport,
): AsyncGenerator<ExportPage | FundingExportPage | RecordPage | FreqtradePage | DatasetPage, void> {
  if ("dataset" in asked) return datasetPages(database, asked);
  if ("layout" in asked) return freqtradePages(database, asked);
  if (!("what" in asked)) return exportPages(database, asked);
  return asked.what === "funding" ? fundingPages(database, asked) : recordPages(database, asked);
}
