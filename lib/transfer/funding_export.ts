/** Reads stored funding rates page by page, for `titan10 export --what funding`. @module */
import type { Database } from "../store/connection/database.ts";
import {
  FUNDING_PAGE_ROWS_MAX,
  type FundingSeries,
  readFundingPage,
  readFundingSeries,
} from "../store/funding_rates.ts";
import { unknownNames } from "../text/unknown_names.ts";
import { type ExportPage, exportPages, type ExportRequest } from "./candle_export.ts";

/** Which rates to export. An empty list means all. Times are milliseconds, half-open. */
export interface FundingExportRequest extends
  Pick<
    ExportRequest,
    "exchanges" | "symbols" | "sinceMs" | "untilMs"
  > {
  readonly what: "funding";
}

/** Consecutive rates of one perpetual. */
export interface FundingExportPage {
  readonly exchange: string;
  readonly symbol: string;
  /** Time in milliseconds, and the rate as decimal text. */
  readonly rates: readonly (readonly [timeMs: number, rate: string])[];
}

export type AnyExportRequest = ExportRequest | FundingExportRequest;
export type AnyExportPage = ExportPage | FundingExportPage;

/** Reads candles or funding rates. @throws Error when the archive has none such; StoreError */
export function exportAny(
  database: Database,
  request: AnyExportRequest,
): AsyncGenerator<AnyExportPage, void> {
  return "what" in request ? fundingPages(database, request) : exportPages(database, request);
}

/**
 * Reads the requested rates, perpetual by perpetual, oldest first.
 *
 * @throws Error when the archive has no such perpetual.
 * @throws StoreError
 */
export async function* fundingPages(
  database: Database,
  request: FundingExportRequest,
): AsyncGenerator<FundingExportPage, void> {
  for (const series of choose(await readFundingSeries(database), request)) {
    const { exchange, symbol, firstMs, lastMs } = series;
    const untilMs = Math.min(request.untilMs ?? Infinity, lastMs + 1);
    for (let sinceMs = Math.max(request.sinceMs ?? -Infinity, firstMs); sinceMs < untilMs;) {
      const rows = await readFundingPage(database, series, { sinceMs, untilMs });
      if (rows.length > 0) {
        const rates = rows.map(({ timeMs, rate }) => [timeMs, rate] as const);
        yield { exchange, symbol, rates };
      }
      const newest = rows.at(-1);
      if (newest === undefined || rows.length < FUNDING_PAGE_ROWS_MAX) break;
      sinceMs = newest.timeMs + 1;
    }
  }
}

function choose(
  stored: readonly FundingSeries[],
  { exchanges, symbols }: FundingExportRequest,
): readonly FundingSeries[] {
  const problem = stored.length === 0
    ? "The archive has no funding rates yet"
    : unknownNames(stored, { exchange: exchanges, symbol: symbols });
  if (problem !== undefined) throw new Error(`Cannot export. ${problem}`);
  const isWanted = (wanted: readonly string[], name: string): boolean =>
    wanted.length === 0 || wanted.includes(name);
  return stored.filter(({ exchange, symbol }) =>
    isWanted(exchanges, exchange) && isWanted(symbols, symbol)
  );
}
