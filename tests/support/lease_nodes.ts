/** Nodes that share an archive by calls to the database, without a program around them: as many, and as sick, as a test wants. @module */
import type { Database } from "../../lib/store/connection/database.ts";
import { beat, type NodeHoldings, type NodeKind, releaseNode } from "../../lib/store/nodes.ts";

export interface NodeOptions {
  readonly egress: string;
  readonly kind?: NodeKind;
  readonly place?: string | undefined;
  readonly settingsHash?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** By exchange. */
  readonly wanted: Readonly<Record<string, readonly string[]>>;
  readonly leaseMs?: number;
}

/** Long, so that a test alone says when a node is dead. */
const LEASE_MS = 60 * 60_000;

export class LeaseNode {
  readonly id = crypto.randomUUID();
  readonly #database: Database;
  options: NodeOptions;
  #count = 0;
  #isKnown = false;
  #told = "";

  constructor(database: Database, options: NodeOptions) {
    this.#database = database;
    this.options = options;
  }

  /** One call. What others are to have is released by the next one. */
  async beat(released?: NodeHoldings): Promise<NodeHoldings | undefined> {
    const {
      egress,
      kind = "daemon",
      place,
      settingsHash = "",
      settings = {},
      wanted,
      leaseMs = LEASE_MS,
    } = this.options;
    const text = JSON.stringify(wanted);
    const holdings = await beat(this.#database, {
      node: this.id,
      count: ++this.#count,
      leaseMs,
      entry: this.#isKnown ? undefined : {
        ...{ name: this.id, kind, place, version: "1", settingsHash, settings },
        succeeds: true,
      },
      wanted: text === this.#told ? undefined : new Map(
        Object.entries(wanted).map(([exchange, symbols]) => [exchange, { egress, symbols }]),
      ),
      released: released && leavingOf(released),
    });
    this.#isKnown = holdings !== undefined;
    this.#told = holdings === undefined ? "" : text;
    return holdings;
  }

  /** As many calls as it takes until it has nothing more that others are to have. */
  async settle(): Promise<NodeHoldings> {
    let holdings = await this.beat();
    while (holdings === undefined || isLeaving(holdings)) holdings = await this.beat(holdings);
    return holdings;
  }

  /** Does not live any more, by the database's clock, and does not know it. */
  async expire(): Promise<void> {
    await this.#database.sql`
      update nodes set until = clock_timestamp() - interval '1 s' where node = ${this.id}::uuid`;
  }

  async end(): Promise<void> {
    await releaseNode(this.#database, this.id);
    this.#isKnown = false;
  }
}

export function isLeaving({ slots, leases }: NodeHoldings): boolean {
  return slots.some(({ leaving }) => leaving) || leases.some(({ leaving }) => leaving.length > 0);
}

/** What others are to have: single symbols, and all of an exchange whose slot is given away. */
function leavingOf({ slots, leases }: NodeHoldings): Parameters<typeof beat>[1]["released"] {
  const gone = slots.filter(({ leaving }) => leaving);
  return {
    slots: gone,
    leases: leases.flatMap(({ exchange, symbols, epochs, leaving }) =>
      symbols.map((symbol, at) => ({ exchange, symbol, epoch: epochs[at]! }))
        .filter(({ symbol }) =>
          leaving.includes(symbol) || gone.some((slot) => slot.exchange === exchange)
        )
    ),
  };
}
