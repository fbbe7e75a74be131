/** What is owed of an archive that other nodes ask for, for a command that has done what it could. @module */
import type { Archive } from "../archive/archive.ts";
import { type AskedRange, desireOf, isConfigured } from "../archive/desire.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import { readSlotHolders, readSymbolHolders } from "../store/lease_holders.ts";
import { readCheckpoints, readOwed } from "../store/ledger.ts";
import { candlesOf, within } from "./owed_candles.ts";

/** The newest candles are those of polls, which have not asked for all of them yet. */
export const POLLED_MS = 5 * 60_000;

/** What is left of one exchange to other nodes. */
export interface OthersOwed {
  readonly exchange: string;
  /** The node that asks the exchange from the same address, so that this process may not; undefined where it may. */
  readonly asker: string | undefined;
  readonly candles: number;
  /** How many symbols owe them. */
  readonly symbols: number;
  /** The names of the nodes that hold them. */
  readonly nodes: readonly string[];
}

/** One for each exchange of which other nodes hold something that is owed, or which another node asks. @throws StoreError */
export async function readOthersOwed(
  archive: Archive,
  { nowMs, asked }: { readonly nowMs: number; readonly asked?: AskedRange | undefined },
): Promise<readonly OthersOwed[]> {
  const { config, database, exchanges, leases } = archive;
  if (leases.node === undefined) return [];
  const checkpoints = (await readCheckpoints(database)).filter((one) =>
    one.endedWhy === undefined && isConfigured(one, config)
  );
  const askers = await readSlotHolders(database);
  const all: OthersOwed[] = [];
  for (const { id, egress, settleMs, share } of exchanges) {
    const series = checkpoints.map(({ series }) => series).filter((one) =>
      one.exchange === id && !share.holds(one.symbol)
    );
    const desires = series.map((one) =>
      desireOf(one, config, {
        nowMs,
        newestCandlesMax: newestCandlesMax(one),
        settleMs: Math.max(settleMs, POLLED_MS),
        asked,
      })
    );
    const owed = within(await readOwed(database, desires), asked ?? {});
    const asker = share.mayAsk
      ? undefined
      : askers.find((one) => one.exchange === id && one.egress === egress)?.name ?? "another node";
    const holders = await readSymbolHolders(database, id);
    const symbols = new Set(owed.map(({ series }) => series.symbol));
    const nodes = new Set([...symbols].flatMap((symbol) => holders.get(symbol) ?? []));
    if (asker === undefined && symbols.size === 0) continue;
    all.push({
      ...{ exchange: id, asker, candles: candlesOf(owed), symbols: symbols.size },
      nodes: [...nodes].sort(),
    });
  }
  return all;
}
