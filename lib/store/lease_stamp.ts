/**
 * Stores what is told of a series with the lease by which it was asked for, and refuses it where a later holder has written.
 *
 * All that makes coverage, or takes the place of what an answer has told, carries a lease: pages of candles, published files,
 * pages of funding rates. The other writers need none, because what they write late does no harm:
 *
 * - Streamed candles (`writeStreamed`) change nothing of which an answer has told and cover nothing: the next page confirms,
 *   revises or takes back each of them.
 * - Gaps are noted only after their pages were stored. `noteGapsAsked` counts what is missing now, under the locks of the gaps,
 *   and its reasons rest on answers that came; `noteRejected` writes nothing where a page came meanwhile; `markRefetching` and
 *   `postponeGaps` move only when an open gap is asked for again. A gap that is opened once more is asked for once more.
 * - Bounds: `confirmFirst` and `noteListings` compare with the first candle of the row as it is, `withdrawReach` has more asked
 *   for, `endReach` is only of what its exchange itself has ended, `noteReachAsked` and `doubtFirst` are times to ask again.
 * - `capabilities` are of an exchange, and any of its nodes learns them from answers, each for itself. Of the settling time, by
 *   which candles count as final, the longer one stays.
 * - `last_error`, `recent_pages` and the wishes of a configuration say nothing of the exchange. `titan10_take_back` is a part of
 *   a page's statement, or of a listing's, which compares the market.
 * @module
 */
import type { Database } from "./connection/database.ts";

/** What a page is stored with: by whom, and by which lease. A page of an older lease is refused. */
export interface LeaseStamp {
  /** The node's id. */
  readonly holder: string;
  /** Rises each time that the lease gets another holder. */
  readonly epoch: number;
}

/** As parameters of a statement. Without a stamp nothing is compared, and what is stored of leases stays. */
export function stampParameters(
  stamp: LeaseStamp | undefined,
): readonly [epoch: string | null, holder: string | null] {
  return [stamp === undefined ? null : String(stamp.epoch), stamp?.holder ?? null];
}

/** Of the series `$1 $2`, whose row is `known`: true, or the whole statement is refused. The stamp begins at `first`. */
export function mayWrite(first: number): string {
  return `titan10_may_write($1::text, $2::text, known.epoch, known.holder, $${first}::bigint, $${
    first + 1
  }::uuid)`;
}

/** Sets the lease in the row `known`. */
export function setStamp(first: number): string {
  return `epoch = coalesce($${first}::bigint, known.epoch), holder = coalesce($${
    first + 1
  }::uuid, known.holder)`;
}

/** The lease of a new row. */
export function newStamp(first: number): string {
  return `coalesce($${first}::bigint, 0), $${first + 1}::uuid`;
}

/**
 * Call it when something was refused because of its lease. If that is still the newest one, it was given to two nodes, as when a
 * server had to begin again before it: it gets an epoch above all that was written, which the node hears of with its next
 * heartbeat. Resolves to whether that was so.
 */
export async function raiseLease(
  database: Database,
  { exchange, symbol }: { readonly exchange: string; readonly symbol: string },
  { holder, epoch }: LeaseStamp,
): Promise<boolean> {
  return await database.run(`raise the lease of ${exchange} ${symbol}`, async (sql) => {
    const { count } = await sql`
      update leases set epoch = epoch + 1
      where exchange = ${exchange} and symbol = ${symbol} and holder = ${holder}::uuid and epoch = ${epoch}`;
    return count > 0;
  });
}
