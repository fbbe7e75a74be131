/** When a hole is asked for again, and when it counts as explained. @module */

/**
 * `suspected` and `refetching` (being asked for just now) are open, `filled` is closed; the others are reasons:
 * `no_trades`, the exchange was up and nobody traded; `exchange_outage`, it has candles of no symbol; `rejected`,
 * candles came and failed the checks; `before_listing`; `retention`, gone at the exchange.
 */
const GAP_STATES = [
  "suspected",
  "refetching",
  "filled",
  "no_trades",
  "exchange_outage",
  "before_listing",
  "retention",
  "rejected",
] as const;

export type GapState = (typeof GAP_STATES)[number];

/** Whether a gap in this state is still to be asked for. */
export function isOpen(state: GapState): boolean {
  return state === "suspected" || state === "refetching";
}

/** A hole must stay empty through this many asks before a reason is given that nothing else supports. */
const GAP_ATTEMPTS_MIN = 3;

/** A recent hole must stay empty for this long: exchanges fill in late. */
export const GAP_RECENT_MS = 24 * 60 * 60_000;

const MINUTE_MS = 60_000;

/** Waits between the asks for a recent hole; the last one repeats. */
const RECENT_DELAYS_MS = [5 * MINUTE_MS, 60 * MINUTE_MS, 6 * 60 * MINUTE_MS, 18 * 60 * MINUTE_MS];

/** Old holes are settled: three asks some minutes apart tell as much as three over a day. */
const OLD_DELAY_MS = 5 * MINUTE_MS;

export interface GapAge {
  /** End of the hole. Milliseconds. */
  readonly untilMs: number;
  readonly firstSeenMs: number;
  readonly nowMs: number;
  /** Asks so far, the one that has just ended included. */
  readonly attempts: number;
}

/** Whether a hole that is still empty has been asked for often and long enough to be given a reason. */
export function isConclusive(age: GapAge): boolean {
  if (age.attempts < GAP_ATTEMPTS_MIN) return false;
  return !wasRecent(age) || age.nowMs - age.firstSeenMs >= GAP_RECENT_MS;
}

/**
 * Whether the asks so far are enough where something else proves the reason: other symbols of the exchange have
 * candles at all of the missing times, or rows came for all of them and failed the checks. A recent hole must have
 * stayed empty for an hour or so, because exchanges fill in late.
 */
export function isProvable(age: GapAge): boolean {
  return age.attempts >= (wasRecent(age) ? 2 : 1);
}

/** When a hole that is still empty is asked for next. Milliseconds since the Unix epoch. */
export function nextTryMs(age: GapAge): number {
  if (!wasRecent(age)) return age.nowMs + OLD_DELAY_MS;
  const delayMs = RECENT_DELAYS_MS[Math.min(age.attempts, RECENT_DELAYS_MS.length) - 1];
  return age.nowMs + (delayMs ?? OLD_DELAY_MS);
}

function wasRecent({ untilMs, firstSeenMs }: GapAge): boolean {
  return firstSeenMs - untilMs < GAP_RECENT_MS;
}
