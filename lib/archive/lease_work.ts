/** Ends the work for symbols that another node is to have. @module */
import type { Archive } from "./archive.ts";

/**
 * From now on work ends with the lease that it is done by: what waits is given up, and what was asked is stored first. No
 * gauge stands still of what this node does not poll any more. Returns what ends that.
 */
export function endWithLeases(archive: Archive): () => void {
  return archive.leases.onChange(async ({ exchange: id, lost }) => {
    const exchange = archive.exchanges.find((one) => one.id === id);
    if (exchange === undefined) return;
    await exchange.work.leave();
    const left = new Set(lost.filter((symbol) => !exchange.share.holds(symbol)));
    for (const { symbol, timeframe } of exchange.markets.series) {
      if (!left.has(symbol)) continue;
      const labels = { exchange: id, symbol, timeframe: timeframe.text };
      archive.metrics.lastClosedCandleSeconds.remove(labels);
    }
  });
}
