/** The rate limits the local exchange enforces. @module */

export interface RateLimit {
  /** Requests in any second. */
  readonly perSecond: number;
  /** The target's host, `fapi.binance.com`, if the limit is of one host. @default all hosts together */
  readonly host?: string | undefined;
  /** Whether each visitor's address has this much for itself. @default all visitors together */
  readonly eachVisitor?: boolean | undefined;
}

/** A request as far as limits are about it. */
interface LimitedRequest {
  readonly host: string;
  readonly visitor: string;
  readonly nowMs: number;
}

const SECOND_MS = 1_000;

/** Counts the requests let through in the last second. Refused ones do not count. */
export class RateGate {
  readonly #limits: readonly (RateLimit & { readonly counts: Map<string, Count> })[];

  /** @throws RangeError when a limit would let nothing through. */
  constructor(limits: RateLimit | readonly RateLimit[]) {
    this.#limits = [limits].flat().map((limit) => {
      const { perSecond } = limit;
      if (!(perSecond >= 1)) {
        throw new RangeError(`Cannot limit to ${perSecond} requests a second: expected at least 1`);
      }
      return { ...limit, perSecond: Math.floor(perSecond), counts: new Map() };
    });
  }

  /** Zero when a request may pass, which counts it; else the whole seconds until one may. */
  waitSeconds({ host, visitor, nowMs }: LimitedRequest): number {
    const counts = this.#limits.filter((limit) => limit.host === undefined || limit.host === host)
      .map(({ perSecond, eachVisitor = false, counts }): Count => {
        const key = eachVisitor ? visitor : "";
        const count = counts.get(key) ?? { perSecond, passedMs: [] };
        counts.set(key, count);
        return count;
      });
    const waits = counts.map((count) => {
      count.passedMs = count.passedMs.filter((passedMs) => nowMs - passedMs < SECOND_MS);
      const oldestMs = count.passedMs[0];
      if (oldestMs === undefined || count.passedMs.length < count.perSecond) return 0;
      return Math.max(1, Math.ceil((oldestMs + SECOND_MS - nowMs) / SECOND_MS));
    });
    const waitSeconds = Math.max(0, ...waits);
    if (waitSeconds === 0) { for (const { passedMs } of counts) passedMs.push(nowMs); }
    return waitSeconds;
  }
}

interface Count {
  readonly perSecond: number;
  /** Times of the requests let through, oldest first; never more than `perSecond`. */
  passedMs: number[];
}
