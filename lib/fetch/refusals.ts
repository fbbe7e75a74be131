/** The series that an exchange refuses, or whose kind of market is down, during one backfill: they rest, or are given up. @module */
import type { Clock } from "../clock.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { judgeError } from "../archive/failure_kind.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import { type Series, seriesName } from "../market/series.ts";
import { kindOf, type SymbolKind } from "../market/symbol.ts";
import { BreakerOpenError } from "../policy/breaker.ts";

/** A plain refusal, such as "no such symbol", stays when it comes twice. */
const REFUSALS_MAX = 2;
const REFUSED_PAUSE_MS = 10_000;

/** An error of which nothing is known stays when it comes three times, each time to all attempts of a page. */
const UNKNOWN_MAX = 3;
const UNKNOWN_PAUSE_MS = 60_000;

/** A series that fails while others are answered rests longer each time: the patient do not give it up. */
const FAILED_PAUSE_MS_MAX = 10 * 60_000;

/** A one-shot backfill gives up a kind of market after its breaker has opened this many times in a row. */
const DOWN_MAX = 5;

/** When to look again whether another request has found a kind of market up again. */
const TRIAL_MS = 1_000;

interface RefusalsOptions {
  /** Whether to go on asking where access is denied, or a kind of market stays down. */
  readonly patient: boolean;
  readonly exchange: Pick<ArchivedExchange, "breakers" | "downUntilMs">;
}

interface Refusal {
  readonly times: number;
  readonly nextTryMs: number;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #options: RefusalsOptions;
  readonly #bySeries = new Map<string, Refusal>();
  /** Names of series whose refusal stays. */
  readonly #hopeless = new Set<string>();

  /** How often the breaker of a kind of market has opened in a row, and until when it is open. */
  readonly #down = new Map<SymbolKind, Refusal>();

  constructor(clock: Clock, options: RefusalsOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Lets a series that is refused, or that fails while others are answered, rest or gives it up. Other errors change nothing. */
  note(series: Series, error: unknown): void {
    this.#noteDown(series, error);
    this.#noteFailing(series, error);
    if (!(error instanceof FetchError)) return;
    const { kind, untilMs, isUnknown, cause } = error;
    const name = seriesName(series);
    const nowMs = this.#clock.now();
    if (kind === "denied") {
      if (!this.#options.patient) this.#hopeless.add(name);
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

  #noteFailing(series: Series, error: unknown): void {
    const { patient, exchange: { breakers } } = this.#options;
    if (!patient || judgeError(error) !== "failure" || !breakers.hasHistoryFailing(series)) return;
    const nowMs = this.#clock.now();
    const name = seriesName(series);
    const { times, nextTryMs } = this.#bySeries.get(name) ?? { times: 0, nextTryMs: -Infinity };
    // Pages that were asked for at the same time fail alike: they count once.
    if (nowMs < nextTryMs) return;
    const pauseMs = Math.min(REFUSED_PAUSE_MS * 2 ** times, FAILED_PAUSE_MS_MAX);
    this.#bySeries.set(name, { times: times + 1, nextTryMs: nowMs + pauseMs });
  }

  #noteDown({ symbol }: Series, error: unknown): void {
    const untilMs = this.#options.exchange.downUntilMs(symbol);
    if (untilMs === undefined || error instanceof BreakerOpenError) return;
    const kind = kindOf(symbol);
    const { times, nextTryMs } = this.#down.get(kind) ?? { times: 0, nextTryMs: -Infinity };
    // Pages that were asked for at the same time fail alike: they count once.
    if (untilMs > nextTryMs) this.#down.set(kind, { times: times + 1, nextTryMs: untilMs });
  }

  /** Notes that a series was answered for. */
  forget(series: Series): void {
    this.#bySeries.delete(seriesName(series));
    this.#down.delete(kindOf(series.symbol));
  }

  /** Whether a series is given up for the rest of the run. */
  isHopeless(series: Series): boolean {
    const { times = 0 } = this.#down.get(kindOf(series.symbol)) ?? {};
    return this.#hopeless.has(seriesName(series)) || (!this.#options.patient && times >= DOWN_MAX);
  }

  /** Whether nothing is to be asked of a series now. */
  isLeftAlone(series: Series): boolean {
    const { nextTryMs = -Infinity } = this.#bySeries.get(seriesName(series)) ?? {};
    return this.isHopeless(series) || this.#clock.now() < nextTryMs ||
      this.#options.exchange.downUntilMs(series.symbol) !== undefined;
  }

  /**
   * When the first of the series that have rested since `sinceMs` is to be asked for again: it may be now. Milliseconds;
   * undefined when none has.
   */
  restUntilMs(series: readonly Series[], sinceMs: number): number | undefined {
    const nowMs = this.#clock.now();
    const rests = series.filter((one) => !this.isHopeless(one))
      .flatMap((one) => {
        const downUntilMs = this.#options.exchange.downUntilMs(one.symbol);
        return downUntilMs === undefined
          ? this.#bySeries.get(seriesName(one))?.nextTryMs ?? []
          : Math.max(downUntilMs, nowMs + TRIAL_MS);
      })
      .filter((nextTryMs) => nextTryMs > sinceMs);
    return rests.length === 0 ? undefined : rests.reduce((a, b) => Math.min(a, b));
  }
}
