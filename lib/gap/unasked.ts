/** What a repair could not ask for, and which errors end it. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { type Series, seriesName } from "../market/series.ts";
import { type Breaker, BreakerOpenError } from "../policy/breaker.ts";
import { StoreError } from "../store/connection/store_error.ts";

export interface RepairOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called for what was due and could not be asked for, or not stored. */
  readonly onUnasked?: ((unasked: Unasked) => void) | undefined;
}

export interface Unasked {
  readonly series: Series;
  /** How many of its gaps; 0 when the start of the series was to be confirmed. */
  readonly gaps: number;
  readonly error: unknown;
}

/** Why nothing more is to be asked of one exchange, or of some of its series, during one repair. */
export class Stopped {
  readonly #exchange: ArchivedExchange;
  readonly #bySeries = new Map<string, unknown>();
  /** The newest failure of each kind of market, by its breaker. */
  readonly #byBreaker = new Map<Breaker, unknown>();
  #all: unknown;

  constructor(exchange: ArchivedExchange) {
    this.#exchange = exchange;
  }

  /** Notes a failure. */
  note(series: Series, error: unknown): void {
    this.#byBreaker.set(this.#exchange.breakers.of(series.symbol), error);
    if (stopsAll(error, { exchange: this.#exchange, series })) this.#all = error;
    if (isRefusal(error) || (error instanceof FetchError && error.kind === "denied")) {
      this.#bySeries.set(seriesName(series), error);
    }
  }

  /** The error because of which a series is not to be asked for; undefined when it is. */
  reasonOf(series: Series): unknown {
    const known = this.#all ?? this.#bySeries.get(seriesName(series));
    if (known !== undefined || !isDown(this.#exchange, series)) return known;
    return this.#byBreaker.get(this.#exchange.breakers.of(series.symbol)) ??
      new Error(`the breaker of ${series.exchange} is open`);
  }
}

/** Whether an error says that the series is refused: its other gaps would be, too. */
export function isRefusal(error: unknown): boolean {
  return error instanceof FetchError && (error.kind === "permanent" || error.isUnknown);
}

/**
 * Whether every further request of this exchange would fail for the same reason: the database is away, or a ban, unless it is
 * of one kind of markets alone.
 */
export function stopsAll(
  error: unknown,
  { exchange, series }: {
    readonly exchange: Pick<ArchivedExchange, "downUntilMs">;
    readonly series: Series;
  },
): boolean {
  return (error instanceof StoreError && error.kind === "unavailable") ||
    (error instanceof FetchError && error.kind === "rate_limited" &&
      exchange.downUntilMs(series.symbol) === undefined);
}

/** Whether nothing is asked about a series now: its kind of markets is down, or has banned us. */
export function isDown(exchange: ArchivedExchange, { symbol }: Series): boolean {
  return exchange.downUntilMs(symbol) !== undefined || !exchange.breakers.of(symbol).passes;
}

/** Whether nothing was sent to the exchange: an open breaker, a ban or a known refusal held the request back. */
export function wasHeldBack(error: unknown): boolean {
  return error instanceof BreakerOpenError ||
    (error instanceof FetchError && error.kind !== "transient" && error.cause === undefined);
}
