/** What the daemon is asked to export: candles or funding rates as they are, or files for freqtrade. @module */
import type { Database } from "../store/connection/database.ts";
import { type FreqtradePage, freqtradePages, type FreqtradeRequest } from "./freqtrade_pages.ts";
import { type AnyExportPage, type AnyExportRequest, exportAny } from "./funding_export.ts";

export type AskedExport = AnyExportRequest | FreqtradeRequest;

/** Reads the pages of what was asked for. */
export function askedPages(
  database: Database,
  asked: AskedExport,
): AsyncGenerator<AnyExportPage | FreqtradePage, void> {
  return "layout" in asked ? freqtradePages(database, asked) : exportAny(database, asked);
}
