/** Rules for gaps: when to ask again, and when a reason is certain. @module */

/**
 * `suspected` and `refetching` (requested right now) are open, `filled` is closed. The others are reasons:
 *
 * - `no_trades`: the exchange was up, but there were no trades.
 * - `exchange_outage`: the exchange has no candles of any symbol for that time.
 * - `before_listing`: the symbol was not listed yet, or meant another market.
 * - `retention`: the exchange does not keep the candles any more.
 * - `rejected`: candles came, but failed the checks.
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

/** Whether a gap in this state must still be asked for. */
export function isOpen(state: GapState): boolean {
  return state === "suspected" || state === "refetching";
}

/** Without other evidence, a hole gets a reason only after this many empty answers. */
const GAP_ATTEMPTS_MIN = 3;

/** A recent hole must stay empty for this long, because exchanges fill in candles late. */
export const GAP_RECENT_MS = 24 * 60 * 60_000;

const MINUTE_MS = 60_000;

/** Delays between requests for a recent hole. The last one repeats. */
const RECENT_DELAYS_MS = [5 * MINUTE_MS, 60 * MINUTE_MS, 6 * 60 * MINUTE_MS, 18 * 60 * MINUTE_MS];

/** Delay between requests for an old hole. Exchanges do not change old candles, so minutes are enough. */
const OLD_DELAY_MS = 5 * MINUTE_MS;

export interface GapAge {
  /** End of the hole. Milliseconds. */
  readonly untilMs: number;
  readonly firstSeenMs: number;
  readonly nowMs: number;
  /** Requests so far, including the one that has just ended. */
  readonly attempts: number;
}

/** Whether an empty hole was asked for often and long enough to get a reason. */
export function isConclusive(age: GapAge): boolean {
  if (age.attempts < GAP_ATTEMPTS_MIN) return false;
  return !wasRecent(age) || age.nowMs - age.firstSeenMs >= GAP_RECENT_MS;
}

/**
 * Whether the requests so far are enough if something else proves the reason: other symbols of the exchange have candles
 * at all of the missing times, or rows came for all of them and failed the checks. A recent hole needs a second request,
 * because exchanges fill in candles late.
 */
export function isProvable(age: GapAge): boolean {
  return age.attempts >= (wasRecent(age) ? 2 : 1);
}

/** When to ask for an empty hole again. Milliseconds since the Unix epoch. */
export function nextTryMs(age: GapAge): number {
  if (!wasRecent(age)) return age.nowMs + OLD_DELAY_MS;
  const delayMs = RECENT_DELAYS_MS[Math.min(age.attempts, RECENT_DELAYS_MS.length) - 1];
  return age.nowMs + (delayMs ?? OLD_DELAY_MS);
}

function wasRecent({ untilMs, firstSeenMs }: GapAge): boolean {
  return firstSeenMs - untilMs < GAP_RECENT_MS;
}
