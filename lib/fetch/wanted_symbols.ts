/** Tells the leases which symbols of an exchange are archived. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { untilAborted } from "../policy/shared_run.ts";
import { fundedSymbols } from "./funding_wanted.ts";

/**
 * The symbols of the series, and the perpetuals of their marks and indexes. Of those that this node's list lacks it has the
 * leases only where no other node lists them. Resolves when this node's share is known.
 */
export async function wantSymbols(
  archive: Archive,
  exchange: ArchivedExchange,
  { markets, lacked, signal }: {
    readonly markets: Markets;
    readonly lacked: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const symbols = markets.series.map(({ symbol }) => symbol);
  const all = new Set([...symbols, ...fundedSymbols(archive, exchange, markets)]);
  await untilAborted(archive.leases.want(exchange.id, [...all], lacked), signal);
}
