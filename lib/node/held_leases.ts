/** What a node holds by the database's newest answer, and what changes with each. Knows no time and no database. @module */
import type { LeaseChange, LeaseStamp } from "../archive/leases.ts";
import type { NodeHoldings, Released, SymbolLease } from "../store/nodes.ts";

/** The lead of an archive is a lease of this exchange, which is none, of the symbol "". */
export const LEAD = "";

/** What another node is to have, once the work for it has ended. */
export interface Leaving extends Released {
  readonly exchange: string;
}

interface Applied {
  /** Of each exchange and cause one. One of no symbols tells that the exchange may be asked now, or not any more. */
  readonly changes: readonly LeaseChange[];
  /** What was not told as leaving before, one for each exchange. */
  readonly leaving: readonly Leaving[];
}

/** What is held of one exchange. */
interface Share {
  /** Undefined where the exchange may not be asked. */
  readonly slot: number | undefined;
  /** By symbol the epoch. */
  readonly epochs: ReadonlyMap<string, number>;
}

const NOTHING: Share = { slot: undefined, epochs: new Map() };

export class HeldLeases {
  /** By exchange, what is worked on. */
  #shares: ReadonlyMap<string, Share> = new Map();
  /** By exchange and symbol; kept when the symbol is lost. */
  readonly #stamps = new Map<string, Map<string, LeaseStamp>>();
  /** What is handed over, by {@linkcode keyOf}: it is not worked on again by the same lease. */
  #leaving: ReadonlySet<string> = new Set();

  mayAsk(exchange: string): boolean {
    return this.#shares.get(exchange)?.slot !== undefined;
  }

  holds(exchange: string, symbol: string): boolean {
    return this.#shares.get(exchange)?.epochs.has(symbol) === true;
  }

  stampOf(exchange: string, symbol: string): LeaseStamp | undefined {
    return this.#stamps.get(exchange)?.get(symbol);
  }

  /** Takes over what the database says that `node` holds. `isWanted` says what the node would hold. */
  apply(
    holdings: NodeHoldings,
    { node, isWanted }: {
      readonly node: string;
      readonly isWanted: (exchange: string, symbol: string) => boolean;
    },
  ): Applied {
    const { shares, leaving, given } = this.#read(holdings);
    const changes = [...new Set([...this.#shares.keys(), ...shares.keys()])].flatMap((exchange) =>
      changesOf(exchange, {
        before: this.#shares.get(exchange) ?? NOTHING,
        now: shares.get(exchange) ?? NOTHING,
        causeOf: (symbol) => {
          if (given.has(nameOf(exchange, symbol))) return "handover";
          return isWanted(exchange, symbol) ? "taken" : "unwanted";
        },
      })
    );
    this.#shares = shares;
    for (const [exchange, { epochs }] of shares) {
      const stamps = this.#stamps.get(exchange) ?? new Map<string, LeaseStamp>();
      this.#stamps.set(exchange, stamps);
      for (const [symbol, epoch] of epochs) {
        const known = stamps.get(symbol);
        if (known?.holder === node && known.epoch === epoch) continue;
        stamps.set(symbol, { holder: node, epoch });
      }
    }
    return { changes, leaving };
  }

  /** Holds nothing any more. */
  drop(cause: LeaseChange["cause"]): readonly LeaseChange[] {
    const changes = [...this.#shares].flatMap(([exchange, before]) =>
      changesOf(exchange, { before, now: NOTHING, causeOf: () => cause })
    );
    this.#shares = new Map();
    return changes;
  }

  /** Call when the node has another id: what it was to release is not its own any more. */
  forgetLeaving(): void {
    this.#leaving = new Set();
  }

  #read({ slots, leases }: NodeHoldings): {
    readonly shares: ReadonlyMap<string, Share>;
    readonly leaving: readonly Leaving[];
    /** By {@linkcode nameOf}, the symbols that leave. */
    readonly given: ReadonlySet<string>;
  } {
    const shares = new Map<string, Share>();
    const leaving: Leaving[] = [];
    const given = new Set<string>();
    const keys = new Set<string>();
    /** Whether it leaves; what is told of for the first time is new. */
    const leaves = (key: string, isAsked: boolean): { readonly isNew: boolean } | undefined => {
      const isKnown = this.#leaving.has(key);
      if (!isAsked && !isKnown) return undefined;
      keys.add(key);
      return { isNew: !isKnown };
    };
    const slotOf = new Map(slots.map((slot) => [slot.exchange, slot]));
    const leasesOf = new Map(leases.map((one) => [one.exchange, one]));
    for (const exchange of new Set([...slotOf.keys(), ...leasesOf.keys()])) {
      const slot = slotOf.get(exchange);
      const slotLeaves = slot && leaves(keyOf(exchange, "", slot.epoch), slot.leaving);
      const { symbols = [], epochs = [], leaving: asked = [] } = leasesOf.get(exchange) ?? {};
      const isAsked = new Set(asked);
      const kept = new Map<string, number>();
      const released: SymbolLease[] = [];
      for (const [at, symbol] of symbols.entries()) {
        const epoch = epochs[at]!;
        const isGiven = slotLeaves !== undefined || isAsked.has(symbol);
        const gone = leaves(keyOf(exchange, symbol, epoch), isGiven);
        if (gone !== undefined) given.add(nameOf(exchange, symbol));
        if (gone?.isNew === true) released.push({ exchange, symbol, epoch });
        const mayAsk = slot !== undefined || exchange === LEAD;
        if (gone === undefined && mayAsk) kept.set(symbol, epoch);
      }
      const freed = slot !== undefined && slotLeaves?.isNew === true ? [slot] : [];
      if (freed.length + released.length > 0) {
        leaving.push({ exchange, slots: freed, leases: released });
      }
      const held = slotLeaves === undefined ? slot?.epoch : undefined;
      if (held !== undefined || kept.size > 0) shares.set(exchange, { slot: held, epochs: kept });
    }
    this.#leaving = keys;
    return { shares, leaving, given };
  }
}

function changesOf(
  exchange: string,
  { before, now, causeOf }: {
    readonly before: Share;
    readonly now: Share;
    readonly causeOf: (symbol: string) => LeaseChange["cause"];
  },
): readonly LeaseChange[] {
  // By another lease others may have worked on it meanwhile, although it is held again.
  const isSame = before.slot === now.slot;
  const isKept = (symbol: string): boolean =>
    isSame && before.epochs.get(symbol) === now.epochs.get(symbol);
  const lost = [...before.epochs.keys()].filter((symbol) => !isKept(symbol));
  const gained = [...now.epochs.keys()].filter((symbol) => !isKept(symbol));
  const changes: LeaseChange[] = [...Map.groupBy(lost, causeOf)].map(([cause, symbols]) => ({
    ...{ exchange, gained: [], lost: symbols, cause },
  }));
  if (gained.length > 0) changes.push({ exchange, gained, lost: [] });
  const mayAsk = (share: Share): boolean => share.slot !== undefined;
  if (changes.length === 0 && mayAsk(before) !== mayAsk(now)) {
    changes.push({ exchange, gained: [], lost: [] });
  }
  return changes;
}

function nameOf(exchange: string, symbol: string): string {
  return `${exchange}\n${symbol}`;
}

/** The slot of an exchange has no symbol, and the lead is no slot. */
function keyOf(exchange: string, symbol: string, epoch: number): string {
  return `${exchange}\n${symbol}\n${epoch}`;
}

/** All of them as one. */
export function joined(released: readonly Leaving[]): Released {
  return {
    slots: released.flatMap(({ slots }) => slots),
    leases: released.flatMap(({ leases }) => leases),
  };
}
