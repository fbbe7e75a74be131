/** What the status tells of funding rates. @module */
import { coverageRates, FUNDING_SETTLE_MS } from "../market/funding_rate.ts";
import type { Database } from "../store/connection/database.ts";
import {
  readFundingCheckpoints,
  readFundingMissing,
  readOwedFunding,
} from "../store/funding_ledger.ts";
import { type Perpetual, perpetualName } from "../store/funding_rates.ts";

/** One perpetual. Times are ISO 8601 UTC; counts are rates. */
export interface FundingStatus {
  readonly exchange: string;
  readonly symbol: string;
  readonly rates: number;
  readonly first: string | null;
  readonly last: string | null;
  /** The time between two rates, in seconds; null before there are two. */
  readonly intervalSeconds: number | null;
  /** About how many are not fetched yet. */
  readonly owed: number;
  /** How many are missing among those that were answered for, and will be asked for again. */
  readonly missing: number;
  /** How many of them are missing for a reason. */
  readonly explained: number;
  /** Why the last request failed permanently; null after a success. */
  readonly lastError: string | null;
}

/** @throws StoreError */
export async function readFundingStatus(
  database: Database,
  nowMs: number,
): Promise<readonly FundingStatus[]> {
  const ledger = await readFundingCheckpoints(database);
  if (ledger.length === 0) return [];
  const desires = ledger.flatMap(({ exchange, symbol, wantedSinceMs: sinceMs }) =>
    sinceMs === undefined
      ? []
      : [{ exchange, symbol, window: { sinceMs, untilMs: nowMs - FUNDING_SETTLE_MS } }]
  );
  const owing = byName(await readOwedFunding(database, desires));
  const missing = byName(await readFundingMissing(database));
  return ledger.map((row) => {
    const { exchange, symbol, rates, firstMs, lastMs, intervalMs, lastError } = row;
    return {
      exchange,
      symbol,
      rates,
      first: iso(firstMs),
      last: iso(lastMs),
      intervalSeconds: intervalMs === undefined ? null : intervalMs / 1000,
      owed: coverageRates(owing.get(perpetualName(row))?.owed ?? [], intervalMs),
      missing: missing.get(perpetualName(row))?.missing ?? 0,
      explained: missing.get(perpetualName(row))?.explained ?? 0,
      lastError: lastError ?? null,
    };
  });
}

function byName<Row extends Perpetual>(
  rows: readonly Row[],
): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [perpetualName(row), row]));
}

function iso(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}
