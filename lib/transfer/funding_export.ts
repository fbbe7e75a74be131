/** Reads stored funding rates page by page, for `titan10 export --what funding`. @module */
import type { FundingRate } from "../market/funding_rate.ts";
import type { Database } from "../store/connection/database.ts";
import {
  FUNDING_PAGE_ROWS_MAX,
  type FundingSeries,
  readFundingPage,
  readFundingSeries,
} from "../store/funding_rates.ts";
import { unknownNames } from "../text/unknown_names.ts";
import { type ExportRequest, isWanted } from "./candle_export.ts";

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
    const { exchange, symbol } = series;
    for await (const page of ratePages(database, series, request)) {
      yield { exchange, symbol, rates: page.map(({ timeMs, rate }) => [timeMs, rate] as const) };
    }
  }
}

/** Reads the requested rates of one perpetual, oldest first. No page is empty. @throws StoreError */
export async function* ratePages(
  database: Database,
  series: FundingSeries,
  request: Pick<ExportRequest, "sinceMs" | "untilMs">,
): AsyncGenerator<readonly FundingRate[], void> {
  const untilMs = Math.min(request.untilMs ?? Infinity, series.lastMs + 1);
  let sinceMs = Math.max(request.sinceMs ?? -Infinity, series.firstMs);
  while (sinceMs < untilMs) {
    const rates = await readFundingPage(database, series, { sinceMs, untilMs });
    const newest = rates.at(-1);
    if (newest === undefined) return;
    yield rates;
    if (rates.length < FUNDING_PAGE_ROWS_MAX) return;
    sinceMs = newest.timeMs + 1;
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
  return stored.filter(({ exchange, symbol }) =>
    isWanted(exchanges, exchange) && isWanted(symbols, symbol)
  );
}
