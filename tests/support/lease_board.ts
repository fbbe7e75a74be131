/** Leases that a test gives out by hand, to several archives at once: without a database that decides, or a clock. @module */
import type { LeaseChange, LeaseListener, Leases, LeaseStamp } from "../../lib/archive/leases.ts";

/** Who has what, as the table of leases has it. */
export class LeaseBoard {
  readonly #epochs = new Map<string, number>();

  /** A node that holds nothing yet. */
  node(): GivenLeases {
    return new GivenLeases((exchange, symbol) => {
      const name = `${exchange} ${symbol}`;
      const epoch = (this.#epochs.get(name) ?? 0) + 1;
      this.#epochs.set(name, epoch);
      return epoch;
    });
  }

  /** Lets a node hand symbols over, as in a handover: the other one has them when the work for them has ended. */
  async move(
    symbols: readonly string[],
    { exchange = "binance", from, to }: {
      readonly exchange?: string;
      readonly from: GivenLeases;
      readonly to: GivenLeases;
    },
  ): Promise<void> {
    await from.lose(exchange, symbols);
    await to.gain(exchange, symbols);
  }
}

export class GivenLeases implements Leases {
  readonly node: string = crypto.randomUUID();
  isLeader = false;
  /** What it was told that is archived, by exchange. */
  readonly wanted = new Map<string, readonly string[]>();
  readonly #nextEpoch: (exchange: string, symbol: string) => number;
  readonly #slots = new Set<string>();
  readonly #held = new Set<string>();
  readonly #stamps = new Map<string, LeaseStamp>();
  readonly #listeners = new Set<LeaseListener>();

  /** Use {@linkcode LeaseBoard.node}. */
  constructor(nextEpoch: (exchange: string, symbol: string) => number) {
    this.#nextEpoch = nextEpoch;
  }

  mayAsk(exchange: string): boolean {
    return this.#slots.has(exchange);
  }

  holds(exchange: string, symbol: string): boolean {
    return this.#held.has(`${exchange} ${symbol}`);
  }

  stampOf(exchange: string, symbol: string): LeaseStamp | undefined {
    return this.#stamps.get(`${exchange} ${symbol}`);
  }

  want(exchange: string, symbols: readonly string[]): Promise<void> {
    this.wanted.set(exchange, symbols);
    return Promise.resolve();
  }

  onChange(listener: LeaseListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** May ask the exchange from now on, for these symbols. */
  async gain(exchange: string, symbols: readonly string[]): Promise<void> {
    this.#slots.add(exchange);
    for (const symbol of symbols) {
      const name = `${exchange} ${symbol}`;
      this.#held.add(name);
      const epoch = this.#nextEpoch(exchange, symbol);
      this.#stamps.set(name, { holder: this.node, epoch });
    }
    await this.#tell({ exchange, gained: symbols, lost: [] });
  }

  /** Resolves when the work for these symbols has ended. */
  async lose(
    exchange: string,
    symbols: readonly string[],
    cause: LeaseChange["cause"] = "handover",
  ): Promise<void> {
    for (const symbol of symbols) this.#held.delete(`${exchange} ${symbol}`);
    await this.#tell({ exchange, gained: [], lost: symbols, cause });
  }

  /** May not ask the exchange any more. Resolves when all work for it has ended. */
  async leave(exchange: string, cause?: LeaseChange["cause"]): Promise<void> {
    this.#slots.delete(exchange);
    const symbols = [...this.#held].filter((name) => name.startsWith(`${exchange} `))
      .map((name) => name.slice(exchange.length + 1));
    await this.lose(exchange, symbols, cause);
  }

  /** Holds nothing any more, and nobody was told yet: the process stood still for longer than its leases last. */
  expire(): void {
    this.#slots.clear();
    this.#held.clear();
  }

  async #tell(change: Parameters<LeaseListener>[0]): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener(change)));
  }
}
