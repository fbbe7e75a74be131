/** The circuit breakers of one exchange: one for each kind of market, because each kind may have servers of its own. @module */
import { type Symbols, symbolsOfKinds } from "../config/symbols.ts";
import type { Priority } from "../exchange/pace.ts";
import { type Series, seriesName } from "../market/series.ts";
import { kindOf, type SymbolKind } from "../market/symbol.ts";
import { Breaker, type BreakerOptions, type BreakerState } from "../policy/breaker.ts";

/** A change of one breaker. */
export interface BreakerChange {
  readonly state: BreakerState["kind"];
  /** The kind of market whose breaker changed; undefined where there is only one breaker. */
  readonly kind: SymbolKind | undefined;
  /** The worst state of all breakers of the exchange after the change. */
  readonly worst: BreakerState["kind"];
}

/** A breaker that is not closed. */
interface BreakerTrouble {
  /** Undefined where there is only one breaker. */
  readonly kind: SymbolKind | undefined;
  /** Since when it is not closed. Milliseconds. */
  readonly sinceMs: number;
  /** When one request tests whether the exchange answers; in the past while that request runs. Milliseconds. */
  readonly untilMs: number;
}

const WORST_FIRST = ["open", "half_open", "closed"] as const;

/** The breakers of one exchange. Where all its configured symbols are of one kind there is only one. */
export class Breakers {
  readonly #byKind: ReadonlyMap<SymbolKind, Breaker>;
  /** The breaker of spot markets, or of the only kind; also that of requests that concern no single kind. */
  readonly main: Breaker;

  /** @param options.onChange is called after every change of state. */
  constructor(
    kinds: readonly SymbolKind[],
    { onChange, name, ...options }: Omit<BreakerOptions, "onChange"> & {
      readonly name: string;
      readonly onChange: (change: BreakerChange) => void;
    },
  ) {
    const isOne = kinds.length < 2;
    const make = (kind: SymbolKind | undefined): Breaker =>
      new Breaker({
        ...options,
        name: kind === undefined ? name : `${name}'s ${kind} markets`,
        onChange: (state) => onChange({ state: state.kind, kind, worst: this.worst }),
      });
    this.#byKind = new Map(isOne ? [] : kinds.map((kind) => [kind, make(kind)]));
    this.main = this.#byKind.get("spot") ?? this.#byKind.values().next().value ?? make(undefined);
  }

  /** The breaker of a symbol's kind of market. */
  of(symbol: string): Breaker {
    return this.#byKind.get(kindOf(symbol)) ?? this.main;
  }

  /** The breaker of a request for candles of a series, and what the request is about: its newest candles or its history. */
  guardOf(
    series: Series,
    priority: Priority,
  ): { readonly breaker: Breaker; readonly subject: string } {
    return {
      breaker: this.of(series.symbol),
      subject: `${seriesName(series)} ${priority}`,
    };
  }

  /** Whether requests for the history of a series fail while others are answered. */
  hasHistoryFailing(series: Series): boolean {
    const { breaker, subject } = this.guardOf(series, "backfill");
    return breaker.failsAlone(subject);
  }

  /**
   * Until when nothing is asked about a symbol although other kinds of markets may be: its kind is down. Milliseconds, in
   * the past while a trial request runs; undefined when its kind may be asked, or where there is only one breaker.
   */
  downUntilMs(symbol: string): number | undefined {
    const breaker = this.#byKind.get(kindOf(symbol));
    if (breaker === undefined || breaker.passes || breaker.state.kind === "closed") {
      return undefined;
    }
    return breaker.state.untilMs;
  }

  /** The worst state: `open` before `half_open` before `closed`. */
  get worst(): BreakerState["kind"] {
    const states = new Set(this.#all.map(([, { state }]) => state.kind));
    return WORST_FIRST.find((state) => states.has(state)) ?? "closed";
  }

  /** Whether any of them is closed. */
  get isAnyClosed(): boolean {
    return this.#all.some(([, { state }]) => state.kind === "closed");
  }

  /** Those that are not closed. */
  get troubled(): readonly BreakerTrouble[] {
    return this.#all.flatMap(([kind, { state, troubledSinceMs: sinceMs }]) =>
      sinceMs === undefined || state.kind === "closed"
        ? []
        : [{ kind, sinceMs, untilMs: state.untilMs }]
    );
  }

  get #all(): readonly (readonly [SymbolKind | undefined, Breaker])[] {
    return this.#byKind.size > 0 ? [...this.#byKind] : [[undefined, this.main]];
  }
}

/** The kinds of the configured symbols. */
export function configuredKinds(symbols: Symbols): readonly SymbolKind[] {
  return [...new Set(symbolsOfKinds(symbols).map(kindOf))];
}
