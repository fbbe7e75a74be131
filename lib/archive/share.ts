/** The part of an exchange that this node asks for, where several nodes share an archive. @module */
import type { Leases } from "./leases.ts";
import type { Markets, MarketsInForce } from "./markets_in_force.ts";

interface ShareOptions {
  /** Gives the leases in force: an archive gets them when its node has begun. */
  readonly leases: () => Leases;
  readonly markets: Pick<MarketsInForce, "value">;
}

export class Share {
  readonly #exchange: string;
  readonly #options: ShareOptions;
  /** What was made last, and of which markets. */
  #made: { readonly of: Markets; readonly share: Markets } | undefined;

  constructor(exchange: string, options: ShareOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  /** Whether this node may send requests to the exchange: if not, another one of the same egress may. */
  get mayAsk(): boolean {
    return this.#options.leases().mayAsk(this.#exchange);
  }

  /** Whether this node polls, backfills and repairs a symbol. */
  holds(symbol: string): boolean {
    return this.mayAsk && this.#options.leases().holds(this.#exchange, symbol);
  }

  /**
   * The markets in force with only the series of this node; undefined before they are loaded, and where it may not ask the
   * exchange. The same object until the markets or the series change.
   */
  get markets(): Markets | undefined {
    const { value } = this.#options.markets;
    if (value === undefined || !this.mayAsk) return undefined;
    const series = value.series.filter(({ symbol }) => this.holds(symbol));
    if (series.length === value.series.length) return value;
    const before = this.#made;
    const isSame = before?.of === value && before.share.series.length === series.length &&
      series.every((one, at) => one === before.share.series[at]);
    const made = isSame ? before : { of: value, share: { ...value, series } };
    this.#made = made;
    return made.share;
  }
}
