/** When a hole is asked for again, when it counts as explained, and which holes need no asking. @module */
import { type Coverage, intersect, subtract, unite } from "./coverage.ts";
import type { Window } from "./window.ts";

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

/** What is known of a series' bounds. Milliseconds. */
export interface SeriesBounds {
  /** What is wanted, whether or not it can be had. */
  readonly wanted: Window;
  readonly covered: Coverage;
  /** Open time of the first stored candle. */
  readonly firstMs: number | undefined;
  /** Whether what lies right before the first candle was asked for again and stayed empty. */
  readonly isFirstConfirmed: boolean;
  /** The exchange has nothing of this listing before. */
  readonly listedFromMs: number | undefined;
  /** The exchange gives nothing older any more. */
  readonly reachFromMs: number | undefined;
}

/** A span without candles whose reason follows from the bounds of its series. */
export interface BoundSpan {
  readonly window: Window;
  readonly state: Extract<GapState, "before_listing" | "retention">;
}

/** Fine candles that begin this much later than the coarser ones of the same symbol were not kept so long. */
const LISTING_DAY_MS = 2 * 24 * 60 * MINUTE_MS;

/**
 * The spans of a series that hold no candle for a reason that no ask would change, ascending:
 *
 * - what lies before the listing is `before_listing`, asked for or not;
 * - what was never answered for and lies behind the exchange's reach is `retention`;
 * - what was answered for, empty, before the first candle is `before_listing` once nothing older is owed and a second
 *   ask has confirmed it: one answer may have lost its first rows; `retention` where older candles existed.
 */
export function boundSpans(bounds: SeriesBounds): readonly BoundSpan[] {
  const { unlisted, lost, edge, isOlderOwed, wasKept } = readEdge(bounds);
  const isConfirmed = bounds.isFirstConfirmed || bounds.firstMs === undefined || wasKept;
  const known = isOlderOwed || !isConfirmed ? [] : edge;
  return [
    ...spans("before_listing", wasKept ? unlisted : unite(unlisted, known)),
    ...spans("retention", wasKept ? unite(lost, known) : lost),
  ].sort((a, b) => a.window.sinceMs - b.window.sinceMs);
}

/**
 * What is to be asked for again before the first candle counts as the first one, also where a search has found the
 * listing, which a single answer may have misled; undefined when nothing is.
 */
export function unconfirmedEdge(bounds: SeriesBounds): Window | undefined {
  if (bounds.isFirstConfirmed || bounds.firstMs === undefined) return undefined;
  const { edge, unlisted, isOlderOwed, wasKept } = readEdge(bounds);
  const last = unite(edge, unlisted).at(-1);
  return isOlderOwed || wasKept || last?.untilMs !== bounds.firstMs ? undefined : last;
}

interface Edge {
  readonly unlisted: Coverage;
  readonly lost: Coverage;
  /** Answered for and empty, before the first candle. */
  readonly edge: Coverage;
  readonly isOlderOwed: boolean;
  /** Whether the exchange had older candles than it gives. */
  readonly wasKept: boolean;
}

function readEdge(bounds: SeriesBounds): Edge {
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
    wasKept: until(lost, firstMs).length > 0 ||
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
