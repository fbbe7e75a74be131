/** Of which series this process says what is wanted, where several nodes share an archive. @module */
import type { Archive } from "../archive/archive.ts";
import type { Series } from "../market/series.ts";
import { readHolders } from "../store/node_exchanges.ts";
import type { WantedSeries } from "../store/series_bounds.ts";

/**
 * Of which series this process says what is wanted. Of several nodes, of whose settings some may be older than others', the
 * one that asks for a symbol says it; of what none asks for, the leader.
 */
export async function spokenFor(
  { database, leases }: Pick<Archive, "database" | "leases">,
): Promise<(series: Series) => boolean> {
  if (leases.node === undefined) return () => true;
  const holders = await readHolders(database);
  return ({ exchange, symbol }) =>
    leases.holds(exchange, symbol) ||
    (leases.isLeader && !holders.has(`${exchange} ${symbol}`));
}

/** A series of which nothing is said. */
export function unchanged(series: Series): WantedSeries {
  return {
    ...{ series, wantedSinceMs: 0, wantedUntilMs: 0 },
    ...{ wantedEndsMs: undefined, keptSinceMs: undefined },
  };
}
