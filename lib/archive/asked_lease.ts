/** The lease by which something is asked of an exchange. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import type { LeaseStamp } from "../store/lease_stamp.ts";
import type { Archive } from "./archive.ts";

/**
 * Take it before the exchange is asked, and store the answer with it. Undefined where no leases are kept.
 *
 * @throws FetchError `cancelled` where the symbol is another node's: its answer could not be told from an older one.
 */
export function askedLease(
  { leases }: Pick<Archive, "leases">,
  { exchange, symbol }: { readonly exchange: string; readonly symbol: string },
): LeaseStamp | undefined {
  if (!leases.holds(exchange, symbol)) {
    throw new FetchError("cancelled", `${exchange} ${symbol} is another node's to ask for`);
  }
  return leases.stampOf(exchange, symbol);
}
