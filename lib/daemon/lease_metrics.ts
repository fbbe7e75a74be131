/** Tells by metrics which part of the archive this node works on. @module */
import type { Archive } from "../archive/archive.ts";
import type { LeaseChange } from "../archive/leases.ts";

/** The lead of the archive is a lease of this exchange, which is none. */
const LEAD = "";

/** By these causes a lease ends although this node would have kept it. */
const LOST: ReadonlySet<LeaseChange["cause"]> = new Set(["away", "taken"]);

/** Tells from now on, for as long as the archive is open. */
export function tellLeases(
  { database, leases, metrics }: Pick<Archive, "database" | "leases" | "metrics">,
): void {
  metrics.leader(() => leases.isLeader);
  if (database.kind === "embedded") return;
  const held = new Map<string, Set<string>>();
  leases.onChange(({ exchange, gained, lost, cause }) => {
    if (exchange === LEAD) return;
    const symbols = held.get(exchange) ?? new Set();
    held.set(exchange, symbols);
    for (const symbol of gained) symbols.add(symbol);
    for (const symbol of lost) {
      if (symbols.delete(symbol) && LOST.has(cause)) metrics.leasesLost.inc({ exchange });
    }
    metrics.leasesHeld.set({ exchange }, symbols.size);
  });
}
