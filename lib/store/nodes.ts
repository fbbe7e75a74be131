/** Nodes and their leases: one statement says that a node lives, claims and releases. Decided by the database alone. @module */
import type { Database } from "./connection/database.ts";
import { storableText } from "./parameters.ts";

export type NodeKind = "daemon" | "backfill";

/** What a node tells of itself. */
export interface NodeEntry {
  /** For people. */
  readonly name: string;
  readonly kind: NodeKind;
  /** Host and port that only one process can have. Undefined where it has none. */
  readonly place: string | undefined;
  readonly version: string;
  /** Equal where nodes would do alike what is done once for all. */
  readonly settingsHash: string;
  /** By variable what is in force, without secrets. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Whether the nodes of the same place before this one are known to have ended. */
  readonly succeeds: boolean;
}

/** What a node would ask an exchange for. */
export interface WantedSymbols {
  /** By which address it reaches the exchange. */
  readonly egress: string;
  readonly symbols: readonly string[];
  /** Those of `symbols` that the list of its markets lacks. @default none */
  readonly lacked?: readonly string[];
}

/** The right to send requests to an exchange from an egress. */
interface SlotLease {
  readonly exchange: string;
  readonly egress: string;
  readonly epoch: number;
  /** Whether another node is to have it. */
  readonly leaving: boolean;
}

/** The right to ask for a symbol. */
export interface SymbolLease {
  readonly exchange: string;
  readonly symbol: string;
  readonly epoch: number;
}

/** What a node's work has ended for. */
export interface Released {
  readonly slots: readonly Omit<SlotLease, "leaving">[];
  readonly leases: readonly SymbolLease[];
}

/** Leases of one exchange; of the exchange "" it is the lead, of the symbol "". */
interface ExchangeLeases {
  readonly exchange: string;
  readonly symbols: readonly string[];
  /** Those of `symbols`, in their order. */
  readonly epochs: readonly number[];
  /** Those of `symbols` that another node is to have. */
  readonly leaving: readonly string[];
}

/** All that a node holds. */
export interface NodeHoldings {
  readonly slots: readonly SlotLease[];
  readonly leases: readonly ExchangeLeases[];
  /** Whether it is to have what others still work on. */
  readonly isWaiting: boolean;
  /** The highest count of the calls that the database knew of before this one; undefined at the first. */
  readonly knownCount?: number | undefined;
}

interface BeatOptions {
  readonly node: string;
  /** Rises with each call of a node. One that comes after a later one changes nothing of what the node wants. */
  readonly count: number;
  /** How long it counts as alive after this. */
  readonly leaseMs: number;
  /** With the first call of a node, and when its settings have changed. */
  readonly entry?: NodeEntry | undefined;
  /** By exchange. With the first call of a node, and when it has changed. */
  readonly wanted?: ReadonlyMap<string, WantedSymbols> | undefined;
  readonly released?: Released | undefined;
}

const NAME_CHARACTERS_MAX = 200;

/**
 * Says that a node lives, and shares exchanges and symbols anew where that is needed.
 *
 * @returns what it holds; undefined where the node is not known any more. Then it takes another id.
 * @throws StoreError
 */
export async function beat(
  database: Pick<Database, "run">,
  { node, count, leaseMs, entry, wanted, released }: BeatOptions,
): Promise<NodeHoldings | undefined> {
  return await database.run("tell that this node lives", async (sql) => {
    const [row] = await sql.unsafe<{ held: HeldRow | null }[]>(
      `select titan10_heartbeat($1::uuid, $2::bigint, $3::float8, $4::text::jsonb, $5::text::jsonb, $6::text::jsonb) as held`,
      [
        node,
        count,
        leaseMs / 1000,
        jsonOf(entry && entryRow(entry)),
        jsonOf(wanted && Object.fromEntries(wanted)),
        jsonOf(released),
      ],
      { prepare: true },
    );
    const held = row?.held ?? undefined;
    return held && {
      ...{ slots: held.slots, leases: held.leases, isWaiting: held.is_waiting },
      knownCount: held.known_beats ?? undefined,
    };
  });
}

/** Ends a node: others have what it held from now on. @throws StoreError */
export async function releaseNode(database: Pick<Database, "run">, node: string): Promise<void> {
  await database.run("release what this node holds", async (sql) => {
    await sql`select titan10_release(${node}::uuid)`;
  });
}

function entryRow(entry: NodeEntry): unknown {
  const { name, kind, place, version, settingsHash, settings, succeeds } = entry;
  return {
    name: storableText(name, NAME_CHARACTERS_MAX),
    kind,
    place: place === undefined ? null : storableText(place, NAME_CHARACTERS_MAX),
    version,
    settings_hash: settingsHash,
    settings,
    succeeds,
  };
}

function jsonOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

interface HeldRow {
  readonly slots: readonly SlotLease[];
  readonly leases: readonly ExchangeLeases[];
  readonly is_waiting: boolean;
  readonly known_beats: number | null;
}
