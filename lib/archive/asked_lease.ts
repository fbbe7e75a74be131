/** The lease by which something is asked of an exchange, and is stored. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import { isFenced } from "../store/connection/store_error.ts";
import { type LeaseStamp, raiseLease } from "../store/lease_stamp.ts";
import type { Archive } from "./archive.ts";
import { storeNote } from "./failure.ts";

interface Asked {
  readonly exchange: string;
  readonly symbol: string;
}

/**
 * Take it before the exchange is asked, and store the answer with it. Undefined where no leases are kept.
 *
 * @throws FetchError `cancelled` where the symbol is another node's: its answer could not be told from an older one.
 */
export function askedLease(
  { leases }: Pick<Archive, "leases">,
  { exchange, symbol }: Asked,
): LeaseStamp | undefined {
  const stamp = leases.stampOf(exchange, symbol);
  // Without a lease a page is not compared with others: a node stores none.
  if (!leases.holds(exchange, symbol) || (leases.node !== undefined && stamp === undefined)) {
    throw new FetchError("cancelled", `${exchange} ${symbol} is another node's to ask for`);
  }
  return stamp;
}

/**
 * Stores what was asked for by a lease.
 *
 * @throws what `write` throws, as StoreError where a later holder of the lease has written (`isFenced`).
 */
export async function storeByLease<T>(
  archive: Archive,
  { exchange, symbol, stamp }: Asked & { readonly stamp: LeaseStamp | undefined },
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (stamp !== undefined && isFenced(error)) {
      archive.log.info("what was answered is not stored: another node has the symbol now", {
        error,
      });
      await storeNote(archive, async () => {
        if (!await raiseLease(archive.database, { exchange, symbol }, stamp)) return;
        archive.log.warn("a lease was given to two nodes: it is raised", { exchange, symbol });
      });
    }
    throw error;
  }
}
