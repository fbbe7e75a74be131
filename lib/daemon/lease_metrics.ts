/** Tells by metrics which part of the archive this node works on. @module */
import type { Archive } from "../archive/archive.ts";

/** Tells from now on. Returns what ends that. */
export function tellLeases(
  { database, leases, metrics }: Pick<Archive, "database" | "leases" | "metrics">,
): () => void {
  metrics.leader(() => leases.isLeader);
  if (database.kind === "embedded") return () => {};
  const held = new Map<string, Set<string>>();
  return leases.onChange(({ exchange, gained, lost }) => {
    const symbols = held.get(exchange) ?? new Set();
    held.set(exchange, symbols);
    for (const symbol of gained) symbols.add(symbol);
    for (const symbol of lost) {
      if (symbols.delete(symbol)) metrics.leasesLost.inc({ exchange });
    }
    metrics.leasesHeld.set({ exchange }, symbols.size);
  });
}
