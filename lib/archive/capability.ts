/** What is known of requests for the candles of a class of markets and a timeframe, and who says so. @module */
import type { CapabilitySource } from "../exchange/limits.ts";

/** A value and its source. */
export interface Known<T> {
  readonly value: T;
  readonly source: CapabilitySource;
}

/** What is known of one class of markets and timeframe. Undefined means not known yet. */
export interface Capability {
  /** Most candles per request. */
  readonly pageRowsMax: Known<number>;
  /** Rows of the longest answer so far. */
  readonly rowsMaxSeen: number;
  /** Whether the exchange honours `since`; false when the request cannot carry it. */
  readonly isSinceHonoured: Known<boolean> | undefined;
  /** Whether older candles come only if the request also names an end. */
  readonly isUntilNeeded: boolean;
  /** How many newest candles the exchange has; undefined until its oldest one was found. */
  readonly newestCandles: Known<number> | undefined;
  /** Whether candles without trades are left out; false if they come with volume 0. */
  readonly omitsSilent: Known<boolean> | undefined;
  /** When an answer last changed something here. Milliseconds. */
  readonly learnedAtMs: number | undefined;
}
