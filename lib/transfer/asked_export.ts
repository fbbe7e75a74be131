/** What the daemon is asked to export: candles as they are, or files for freqtrade. @module */
import type { Database } from "../store/connection/database.ts";
import { type ExportPage, exportPages, type ExportRequest } from "./candle_export.ts";
import { type FreqtradePage, freqtradePages, type FreqtradeRequest } from "./freqtrade_pages.ts";

export type AskedExport = ExportRequest | FreqtradeRequest;

/** Reads the pages of what was asked for. */
export function askedPages(
  database: Database,
  asked: AskedExport,
): AsyncGenerator<ExportPage | FreqtradePage, void> {
  return "layout" in asked ? freqtradePages(database, asked) : exportPages(database, asked);
}
