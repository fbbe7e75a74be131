/** What a node would ask for, and what of it the database knows. @module */
import type { WantedSymbols } from "../store/nodes.ts";

interface Wanted {
  readonly symbols: ReadonlySet<string>;
  readonly lacked: ReadonlySet<string>;
}

interface Waiting {
  readonly revision: number;
  readonly resolve: () => void;
}

/** What is to be told, and what to call when it was. */
interface Untold {
  readonly symbols: ReadonlyMap<string, WantedSymbols>;
  readonly isTold: () => void;
}

export class Wants {
  readonly #wanted = new Map<string, Wanted>();
  #revision = 0;
  /** What the database knows, as JSON; undefined while it knows nothing. */
  #told: string | undefined;
  #waiting: Waiting[] = [];

  /** Rises with each change. */
  get revision(): number {
    return this.#revision;
  }

  has(exchange: string, symbol: string): boolean {
    return this.#wanted.get(exchange)?.symbols.has(symbol) === true;
  }

  /**
   * Sets the symbols of an exchange, and those of them that its list lacks. Returns undefined if nothing is new; else what
   * resolves when they were told, or could not be.
   */
  set(
    exchange: string,
    symbols: readonly string[],
    lacked: readonly string[],
  ): Promise<void> | undefined {
    const all = new Set(symbols);
    const wanted = { symbols: all, lacked: new Set(lacked).intersection(all) };
    const before = this.#wanted.get(exchange);
    if (
      before !== undefined && isSame(before.symbols, wanted.symbols) &&
      isSame(before.lacked, wanted.lacked)
    ) {
      return undefined;
    }
    this.#wanted.set(exchange, wanted);
    return this.touch();
  }

  /** Call when something else has changed, to be told with the next try. Resolves when that has ended. */
  touch(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ revision: ++this.#revision, resolve });
    return promise;
  }

  /** What is wanted of these exchanges; undefined if the database knows it. */
  untold(
    exchanges: readonly string[],
    egressOf: (exchange: string) => string,
  ): Untold | undefined {
    for (const exchange of this.#wanted.keys()) {
      if (!exchanges.includes(exchange)) this.#wanted.delete(exchange);
    }
    const symbols = new Map(
      exchanges.map((exchange) => {
        const { symbols = [], lacked = [] } = this.#wanted.get(exchange) ?? {};
        return [exchange, {
          egress: egressOf(exchange),
          symbols: [...symbols].sort(),
          lacked: [...lacked].sort(),
        }];
      }),
    );
    const text = JSON.stringify([...symbols]);
    if (text === this.#told) return undefined;
    return { symbols, isTold: () => void (this.#told = text) };
  }

  /** Call when the database does not know any more what was told. */
  forget(): void {
    this.#told = undefined;
  }

  /** Resolves what waits for revisions up to this one. @default all */
  give(revision = Infinity): void {
    const due = this.#waiting.filter((one) => one.revision <= revision);
    this.#waiting = this.#waiting.filter((one) => one.revision > revision);
    for (const { resolve } of due) resolve();
  }
}

function isSame(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && one.isSupersetOf(other);
}
