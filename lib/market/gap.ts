/** Rules for gaps: when to ask again, when a reason is certain, and which gaps need no request. @module */
import { type Coverage, intersect, subtract, unite } from "./coverage.ts";
import type { Window } from "./window.ts";

/**
 * `suspected` and `refetching` (requested right now) are open, `filled` is closed. The others are reasons:
 *
 * - `no_trades`: the exchange was up, but there were no trades.
 * - `exchange_outage`: the exchange has no candles of any symbol for that time.
 * - `before_listing`: the symbol was not listed yet.
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

/** What is known about the bounds of a series. Milliseconds. */
export interface SeriesBounds {
  /** The window that the configuration asks for, even if the exchange does not have all of it. */
  readonly wanted: Window;
  readonly covered: Coverage;
  /** Open time of the first stored candle. */
  readonly firstMs: number | undefined;
  /** Whether the time right before the first candle was asked for a second time and was empty again. */
  readonly isFirstConfirmed: boolean;
  /** The listing: the exchange has no candles before this. */
  readonly listedFromMs: number | undefined;
  /** The exchange does not keep anything older than this. */
  readonly reachFromMs: number | undefined;
}

/** A span without candles, with a reason that follows from the bounds of its series. */
export interface BoundSpan {
  readonly window: Window;
  readonly state: Extract<GapState, "before_listing" | "retention">;
}

/** If a series begins this much after its listing, the exchange no longer keeps its first candles. */
const LISTING_DAY_MS = 2 * 24 * 60 * MINUTE_MS;

/**
 * The spans of a series without candles that no request could fill, ascending:
 *
 * - Before the listing: `before_listing`, whether or not it was asked for.
 * - Older than what the exchange keeps, and never answered for: `retention`.
 * - Answered as empty, before the first candle: `retention` if older candles existed. Else `before_listing`, but only
 *   if nothing older is owed and a second request confirmed it, because one answer may have lost its first rows.
 */
export function boundSpans(bounds: SeriesBounds): readonly BoundSpan[] {
  const { unlisted, lost, edge, isOlderOwed, hadOlderCandles } = edgeOf(bounds);
  const isConfirmed = bounds.isFirstConfirmed || bounds.firstMs === undefined || hadOlderCandles;
  const known = isOlderOwed || !isConfirmed ? [] : edge;
  return [
    ...spans("before_listing", hadOlderCandles ? unlisted : unite(unlisted, known)),
    ...spans("retention", hadOlderCandles ? unite(lost, known) : lost),
  ].sort((a, b) => a.window.sinceMs - b.window.sinceMs);
}

/**
 * The window before the first candle that must be asked for a second time to confirm that nothing came before. Needed
 * also if a search found the listing, because one wrong answer can mislead it. Undefined when it is confirmed.
 */
export function unconfirmedEdge(bounds: SeriesBounds): Window | undefined {
  if (bounds.isFirstConfirmed || bounds.firstMs === undefined) return undefined;
  const { edge, unlisted, isOlderOwed, hadOlderCandles } = edgeOf(bounds);
  const last = unite(edge, unlisted).at(-1);
  return isOlderOwed || hadOlderCandles || last?.untilMs !== bounds.firstMs ? undefined : last;
}

interface Edge {
  readonly unlisted: Coverage;
  readonly lost: Coverage;
  /** Answered as empty, before the first candle. */
  readonly edge: Coverage;
  readonly isOlderOwed: boolean;
  /** Whether the exchange once had older candles, and dropped them. */
  readonly hadOlderCandles: boolean;
}

function edgeOf(bounds: SeriesBounds): Edge {
  const { wanted, covered, listedFromMs = -Infinity, reachFromMs = -Infinity } = bounds;
  const firstMs = bounds.firstMs ?? covered.at(-1)?.untilMs ?? wanted.sinceMs;
  const unlisted = subtract(
    until([wanted], listedFromMs),
    bounds.firstMs === undefined ? [] : intersect(covered, [since(firstMs)]),
  );
  const lost = subtract(until([wanted], reachFromMs), unite(covered, unlisted));
  const older: Coverage = until([wanted], firstMs);
  return {
    unlisted,
    lost,
    edge: subtract(intersect(covered, older), unlisted),
    isOlderOwed: subtract(older, unite(covered, unite(unlisted, lost))).length > 0,
    hadOlderCandles: until(lost, firstMs).length > 0 ||
      firstMs - (bounds.listedFromMs ?? Infinity) > LISTING_DAY_MS,
  };
}

function spans(state: BoundSpan["state"], coverage: Coverage): readonly BoundSpan[] {
  return coverage.map((window) => ({ window, state }));
}

function until(coverage: Coverage, untilMs: number): Coverage {
  return intersect(coverage, [{ sinceMs: -Infinity, untilMs }]);
}

function since(sinceMs: number): Window {
  return { sinceMs, untilMs: Infinity };
}
