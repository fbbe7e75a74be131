/** What the status says of an exchange that several nodes reach by egresses of their own. @module */
import type { NodeExchange, NodeStatus } from "./node_status.ts";
import type { ExchangeState } from "../store/exchange_state.ts";

interface Reached {
  readonly breaker: ExchangeState["breaker"];
  readonly bannedUntil: string | null;
  readonly deniedSince: string | null;
}

/** The nodes' ways to an exchange; none where nothing shares the archive. */
export function slotsOf(
  nodes: readonly NodeStatus[],
  exchange: string,
): readonly NodeExchange[] {
  return nodes.flatMap(({ exchanges }) => exchanges.filter((one) => one.exchange === exchange));
}

/**
 * How an exchange is reached by the best of its egresses: what one of them is refused comes by another one. Undefined
 * without any.
 */
export function bestOf(slots: readonly NodeExchange[]): Reached | undefined {
  if (slots.length === 0) return undefined;
  const breakers = new Set(slots.map(({ breaker }) => breaker));
  const breaker = (["closed", "half_open", "open"] as const).find((one) => breakers.has(one));
  return {
    breaker: breaker ?? "closed",
    bannedUntil: earliest(slots.map(({ bannedUntil }) => bannedUntil)),
    deniedSince: earliest(slots.map(({ deniedSince }) => deniedSince)),
  };
}

/** Null if one of them is. */
function earliest(times: readonly (string | null)[]): string | null {
  const known = times.flatMap((time) => time ?? []).toSorted();
  return known.length < times.length ? null : known[0] ?? null;
}
