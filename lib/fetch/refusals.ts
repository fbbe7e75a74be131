/** The series that an exchange refuses during one backfill: they rest, and are given up when the refusal stays. @module */
import type { Clock } from "../clock.ts";
import type { FetchError } from "../exchange/fetch_error.ts";
import { type Series, seriesName } from "../market/series.ts";

/** A plain refusal, such as "no such symbol", stays when it comes twice. */
const REFUSALS_MAX = 2;
const REFUSED_PAUSE_MS = 10_000;

/** An error of which nothing is known stays when it comes three times, each time to all attempts of a page. */
const UNKNOWN_MAX = 3;
const UNKNOWN_PAUSE_MS = 60_000;

interface Refusal {
  readonly times: number;
  readonly nextTryMs: number;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #patient: boolean;
  readonly #bySeries = new Map<string, Refusal>();
  /** Names of series whose refusal stays. */
  readonly #hopeless = new Set<string>();

  /** @param patient Whether to go on asking where access is denied. */
  constructor(clock: Clock, { patient }: { readonly patient: boolean }) {
    this.#clock = clock;
    this.#patient = patient;
  }

  /** Lets a refused series rest, or gives it up. Other errors change nothing. */
  note(series: Series, { kind, untilMs, isUnknown, cause }: FetchError): void {
    const name = seriesName(series);
    const nowMs = this.#clock.now();
    if (kind === "denied") {
      if (!this.#patient) this.#hopeless.add(name);
      const nextTryMs = untilMs ?? nowMs + UNKNOWN_PAUSE_MS;
      this.#bySeries.set(name, { times: 0, nextTryMs });
      return;
    }
    if (kind !== "permanent" && !isUnknown) return;
    const { times, nextTryMs } = this.#bySeries.get(name) ?? { times: 0, nextTryMs: -Infinity };
    // Pages that were asked for at the same time are refused alike: they count once.
    if (nowMs < nextTryMs) return;
    const [timesMax, pauseMs] = isUnknown
      ? [UNKNOWN_MAX, UNKNOWN_PAUSE_MS]
      : [REFUSALS_MAX, REFUSED_PAUSE_MS];
    // Without a cause nothing was asked: the exchange does not list the symbol.
    if (cause === undefined || times + 1 >= timesMax) this.#hopeless.add(name);
    this.#bySeries.set(name, { times: times + 1, nextTryMs: nowMs + pauseMs });
  }

  /** Notes that a series was answered for. */
  forget(series: Series): void {
    this.#bySeries.delete(seriesName(series));
  }

  /** Whether a series is given up for the rest of the run. */
  isHopeless(series: Series): boolean {
    return this.#hopeless.has(seriesName(series));
  }

  /** Whether nothing is to be asked of a series now. */
  isLeftAlone(series: Series): boolean {
    const { nextTryMs = -Infinity } = this.#bySeries.get(seriesName(series)) ?? {};
    return this.isHopeless(series) || this.#clock.now() < nextTryMs;
  }

  /** When the first of the series that rest is to be asked for again. Milliseconds; undefined when none rests. */
  restUntilMs(series: readonly Series[]): number | undefined {
    const nowMs = this.#clock.now();
    const rests = series.filter((one) => !this.isHopeless(one))
      .flatMap((one) => this.#bySeries.get(seriesName(one))?.nextTryMs ?? [])
      .filter((nextTryMs) => nextTryMs > nowMs);
    return rests.length === 0 ? undefined : rests.reduce((a, b) => Math.min(a, b));
  }
}
