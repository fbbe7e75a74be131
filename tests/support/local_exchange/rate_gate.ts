/** The rate limits the local exchange enforces. @module */

export interface RateLimit {
  /** Requests in any second. */
  readonly perSecond: number;
  /** The target's host, `fapi.binance.com`, if the limit is of one host. @default all hosts together */
  readonly host?: string | undefined;
}

/** A request as far as limits are about it. */
interface LimitedRequest {
  readonly host: string;
  readonly nowMs: number;
}

const SECOND_MS = 1_000;

/** Counts the requests let through in the last second. Refused ones do not count. */
export class RateGate {
  readonly #counts: readonly Count[];

  /** @throws RangeError when a limit would let nothing through. */
  constructor(limits: RateLimit | readonly RateLimit[]) {
    this.#counts = [limits].flat().map(({ perSecond, host }) => {
      if (!(perSecond >= 1)) {
        throw new RangeError(`Cannot limit to ${perSecond} requests a second: expected at least 1`);
      }
      return { perSecond: Math.floor(perSecond), host, passedMs: [] };
    });
  }

  /** Zero when a request may pass, which counts it; else the whole seconds until one may. */
  waitSeconds({ host, nowMs }: LimitedRequest): number {
    const counts = this.#counts.filter((count) => count.host === undefined || count.host === host);
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
  readonly host: string | undefined;
  /** Times of the requests let through, oldest first; never more than `perSecond`. */
  passedMs: number[];
}
