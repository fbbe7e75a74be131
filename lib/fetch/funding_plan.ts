/** Plans the backfill of funding rates: how many requests it would make. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { AskedRange } from "../archive/desire.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { coveragePages, coverageRates } from "../market/funding_rate.ts";
import { fundingDesires, readOwingPerpetuals } from "./funding_wanted.ts";

/** The plan for the funding rates of one exchange. */
export interface FundingPlan {
  readonly exchange: string;
  readonly perpetuals: number;
  /** About how many rates are owed: how far apart they are is known once some are there. */
  readonly rates: number;
  /** Requests for these rates. */
  readonly pages: number;
  /** Least duration at the exchange's rate limit. Seconds. */
  readonly seconds: number;
}

/** Sends nothing. Undefined where no rates are wanted. */
export async function planFunding(
  archive: Archive,
  exchange: ArchivedExchange,
  { markets, asked }: { readonly markets: Markets; readonly asked?: AskedRange | undefined },
): Promise<FundingPlan | undefined> {
  const anew = new Set(markets.replaced.map(({ symbol }) => symbol));
  const desires = fundingDesires(archive, exchange, markets, asked)
    .filter(({ symbol }) => !anew.has(symbol));
  if (desires.length === 0) return undefined;
  let rates = 0;
  let pages = 0;
  for (const { symbol, owed, intervalMs } of await readOwingPerpetuals(archive, desires)) {
    const { rowsMax } = exchange.client.fundingTerms(symbol, markets.list);
    rates += coverageRates(owed, intervalMs);
    pages += coveragePages(owed, { rows: rowsMax, intervalMs });
  }
  const seconds = pages * exchange.client.requestIntervalMs / 1000;
  return { exchange: exchange.id, perpetuals: desires.length, rates, pages, seconds };
}
