/** Stores funding rates by one statement: rates and coverage together, or nothing. @module */
import type { FundingRate } from "../market/funding_rate.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "./connection/database.ts";
import type { Perpetual } from "./funding_rates.ts";
import { type LeaseStamp, stampParameters } from "./lease_stamp.ts";
import { columns } from "./parameters.ts";

/** What an answer proved, to be stored. */
interface FundingWrite {
  /** Ascending. */
  readonly rates: readonly FundingRate[];
  readonly answered: Window | undefined;
  readonly reachFromMs: number | undefined;
  /** The exchange's id of the market that was asked; undefined where it has none. */
  readonly marketId: string | undefined;
  /** The lease by which the rates were asked for. @default undefined: not compared, as where no leases are kept */
  readonly stamp?: LeaseStamp | undefined;
}

const RATES = columns<FundingRate>({
  ms: ["float8", ({ timeMs }) => timeMs],
  rate: ["numeric", ({ rate }) => rate],
});

/**
 * Stores rates and what was answered for, by one statement. Repeating it changes nothing. A rate that comes with another value
 * is revised: `funding_revisions` keeps the older one.
 *
 * @throws StoreError; see `isOfOtherMarket` and `isFenced`
 */
export async function writeFunding(
  database: Database,
  { exchange, symbol }: Perpetual,
  { rates, answered, reachFromMs, marketId, stamp }: FundingWrite,
): Promise<{ readonly added: number; readonly revised: number }> {
  return await database.run(`write funding rates of ${exchange} ${symbol}`, async (sql) => {
    const [row] = await sql.unsafe<{ added: string; revised: string }[]>(
      `select added, revised from titan10_store_funding(
         $1::text, $2::text, $3::text, ${RATES.parameters(4)}, $6::float8, $7::float8, $8::float8,
         $9::bigint, $10::uuid)`,
      [
        exchange,
        symbol,
        marketId ?? null,
        ...RATES.arrays(rates),
        answered?.sinceMs ?? null,
        answered?.untilMs ?? null,
        reachFromMs ?? null,
        ...stampParameters(stamp),
      ],
      { prepare: true },
    );
    return { added: Number(row?.added ?? 0), revised: Number(row?.revised ?? 0) };
  });
}
