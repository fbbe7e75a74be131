/** A one-shot backfill of what this process holds, also of what it gets while it works. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { backfill } from "./backfill.ts";
import type { BackfillOptions, BackfillReport } from "./backfill_report.ts";
import { POLLED_MS } from "./others_owed.ts";
import { candlesOf, readOwedOf, splitYoung } from "./owed_candles.ts";

/** As {@linkcode backfill}, again for each exchange of which other nodes have left symbols to this one meanwhile. */
export async function backfillShare(
  archive: Archive,
  { handedOver, ...options }: BackfillOptions & {
    /** Resolves when this process has what other nodes are to leave to it. */
    readonly handedOver: () => Promise<void>;
  },
): Promise<readonly BackfillReport[]> {
  if (archive.leases.node === undefined) return await backfill(archive, options);
  const nowMs = archive.clock.now();
  const gaining = new Set<string>();
  /** Of which this process held nothing for a while: a run that was under way has ended before its time. */
  const cut = new Set<string>();
  const ended = archive.leases.onChange(({ exchange, gained, cause }) => {
    if (gained.length > 0) gaining.add(exchange);
    if (cause === "away" || cause === "taken") cut.add(exchange);
  });
  try {
    const reports = new Map<string, BackfillReport>();
    /** Whether older candles are owed than the run could leave: of symbols that came when it had ended. */
    const owesMore = async (exchange: ArchivedExchange): Promise<boolean> => {
      const { left } = reports.get(exchange.id) ?? {};
      if (left === undefined || !gaining.delete(exchange.id)) return false;
      const settleMs = Math.max(exchange.settleMs, POLLED_MS);
      const owed = await readOwedOf(archive, exchange, { ...options, nowMs });
      const leftMax = cut.delete(exchange.id) ? 0 : left;
      return candlesOf(splitYoung(owed, { nowMs, settleMs }).final) > leftMax;
    };
    for (let { exchanges } = archive; exchanges.length > 0;) {
      for (const report of await backfill({ ...archive, exchanges }, options)) {
        const before = reports.get(report.exchange);
        reports.set(report.exchange, before === undefined ? report : joined(before, report));
      }
      await handedOver();
      if (options.signal?.aborted === true) break;
      const owing: ArchivedExchange[] = [];
      for (const exchange of archive.exchanges) if (await owesMore(exchange)) owing.push(exchange);
      exchanges = owing;
    }
    return archive.exchanges.flatMap(({ id }) => reports.get(id) ?? []);
  } finally {
    ended();
  }
}

const COUNTS = [
  ...["owed", "answered", "pages", "files"] as const,
  ...["added", "revised", "rejected", "failed"] as const,
];

/** What is left is what the later one says. */
function joined(before: BackfillReport, later: BackfillReport): BackfillReport {
  const sums = COUNTS.map((field) => [field, before[field] + later[field]] as const);
  const problems = [...new Set([...before.problems, ...later.problems])];
  return { ...later, ...Object.fromEntries(sums), problems };
}
