/** Bans and refusals of the address by which an exchange is reached, as other processes have stored them. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { addressOf } from "../config/egress_setting.ts";
import type { EgressState } from "../store/exchange_state.ts";

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
    for (const ban of bans) client.restoreBan(ban);
    bannedUntilMs = Math.max(bannedUntilMs, ...bans.map(({ untilMs }) => untilMs));
    if (isOwn && state.denial !== undefined && state.denial.untilMs > nowMs) {
      client.restoreDenial(state.denial);
    }
  }
  if (bannedUntilMs > 0) {
    metrics.exchangeBannedUntilSeconds.set({ exchange: id }, bannedUntilMs / 1000);
  }
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
