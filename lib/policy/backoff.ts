/** How long to wait before the next attempt. @module */

interface BackoffOptions {
  /** How many attempts came before the one that failed: 0 after the first attempt. */
  readonly attempt: number;
  /** The upper bound of the first wait. */
  readonly minMs: number;
  /** The upper bound of every wait. */
  readonly maxMs: number;
  /** Uniform in `[0, 1)`, as `Math.random`. */
  readonly random: () => number;
}

/**
 * A random whole number of milliseconds between 0 and `min(maxMs, minMs × 2^attempt)`. This is "full jitter", which
 * spreads clients best and puts the least load on the server, see
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
 *
 * @throws RangeError when an option, or what `random` returns, is out of its range.
 */
export function backoffMs({ attempt, minMs, maxMs, random }: BackoffOptions): number {
  if (!Number.isInteger(attempt) || attempt < 0) {
    throw new RangeError(`Cannot back off: attempt must be a whole number from 0, not ${attempt}`);
  }
  assertBackoffBounds({ minMs, maxMs });
  const share = random();
  if (!(share >= 0 && share <= 1)) {
    throw new RangeError(`Cannot back off: random must be from 0 to 1, not ${share}`);
  }
  // 2 ** attempt may be Infinity; Math.min then takes maxMs.
  return Math.floor(share * Math.min(maxMs, minMs * 2 ** attempt));
}

/**
 * Checks the bounds, so that bad ones are found before the first attempt and not after the first failure.
 *
 * @throws RangeError unless `0 < minMs <= maxMs`, both finite.
 */
export function assertBackoffBounds(
  { minMs, maxMs }: Pick<BackoffOptions, "minMs" | "maxMs">,
): void {
  if (!Number.isFinite(minMs) || minMs <= 0) {
    throw new RangeError(`Cannot back off: minMs must be a positive number, not ${minMs}`);
  }
  if (!Number.isFinite(maxMs) || maxMs < minMs) {
    throw new RangeError(`Cannot back off: maxMs must be at least minMs (${minMs}), not ${maxMs}`);
  }
}
