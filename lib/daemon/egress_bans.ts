/** Bans and refusals of the address by which an exchange is reached, as other processes have stored them. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { withDeadline } from "../policy/deadline.ts";
import { addressOf } from "../config/egress_setting.ts";
import { type EgressState, readEgressStates } from "../store/exchange_state.ts";

/** So long requests wait at most: a database that hangs must not keep them for ever. */
const READ_MS_MAX = 10_000;

/**
 * Puts in force what is stored of an exchange's egress. Egresses that no live node uses count, too: this process may be what
 * one of them was before it got another name.
 */
export function restoreEgress(
  { metrics, clock }: Pick<Archive, "metrics" | "clock">,
  { id, egress, client }: Pick<ArchivedExchange, "id" | "egress" | "client">,
  states: readonly EgressState[],
): void {
  const nowMs = clock.now();
  let bannedUntilMs = 0;
  for (const state of states) {
    if (state.exchange !== id || !concerns(state, egress)) continue;
    const isOwn = state.egress === egress;
    const bans = state.bans.filter(({ untilMs }) => isOwn || untilMs > nowMs);
    for (const ban of bans) {
      client.restoreBan(ban);
      bannedUntilMs = Math.max(bannedUntilMs, ban.untilMs);
    }
    if (isOwn && state.denial !== undefined && state.denial.untilMs > nowMs) {
      client.refusals.denials.restore(state.denial);
    }
  }
  if (bannedUntilMs > 0) {
    metrics.exchangeBannedUntilSeconds.set({ exchange: id }, bannedUntilMs / 1000);
  }
}

/**
 * Another node of the same egress may have asked an exchange before this one does: bans are read each time that this node is
 * allowed to, before anything is asked. Returns what ends that.
 */
export function followEgress(archive: Archive): () => void {
  const { clock, database, leases, log } = archive;
  const asked = new Set<string>();
  return leases.onChange(({ exchange: id }) => {
    if (!leases.mayAsk(id)) {
      asked.delete(id);
      return;
    }
    const exchange = archive.exchanges.find((one) => one.id === id);
    if (exchange === undefined || asked.has(id)) return;
    asked.add(id);
    const read = async (): Promise<void> => {
      restoreEgress(archive, exchange, await readEgressStates(database, id));
    };
    const reading = withDeadline(READ_MS_MAX, read, { clock, name: "reading bans" });
    exchange.client.refusals.bans.restoreBy(
      reading.catch((error: unknown) => log.debug("bans were not read", { exchange: id, error })),
    );
  });
}

/** Whether what was said to an egress may have been said to this one. */
export function concerns(
  { egress, isInUse }: Pick<EgressState, "egress" | "isInUse">,
  own: string,
): boolean {
  if (egress === own) return true;
  // Two addresses are never the same one, but two names may be.
  return !isInUse && (addressOf(egress) === undefined || addressOf(own) === undefined);
}
