/** Reads which nodes hold what, for a command that works beside them. @module */
import type { Database } from "./connection/database.ts";
import { epochMs } from "./parameters.ts";

/** A node that may send requests to an exchange from an egress. */
interface SlotHolder {
  readonly exchange: string;
  readonly egress: string;
  readonly node: string;
  /** For people. */
  readonly name: string;
  /** When it last said that it lives, by the database's clock. Milliseconds. */
  readonly seenMs: number;
}

/** @throws StoreError */
export async function readSlotHolders(database: Database): Promise<readonly SlotHolder[]> {
  return await database.run("read which nodes ask exchanges", async (sql) => {
    const rows = await sql<
      { exchange: string; egress: string; node: string; name: string; seen: Date }[]
    >`
      select lease.exchange, lease.egress, nodes.node, nodes.name, nodes.seen
      from egress_leases as lease join nodes on nodes.node = lease.holder
      where lease.holder in (select node from titan10_live_nodes(clock_timestamp()))`;
    return rows.map(({ seen, ...row }) => ({ ...row, seenMs: epochMs(seen) ?? 0 }));
  });
}

/** The names of the nodes that hold symbols of an exchange, by symbol. @throws StoreError */
export async function readSymbolHolders(
  database: Database,
  exchange: string,
): Promise<ReadonlyMap<string, string>> {
  return await database.run("read which nodes ask for symbols", async (sql) => {
    const rows = await sql<{ symbol: string; name: string }[]>`
      select lease.symbol, nodes.name from leases as lease join nodes on nodes.node = lease.holder
      where lease.exchange = ${exchange}
        and lease.holder in (select node from titan10_live_nodes(clock_timestamp()))`;
    return new Map(rows.map(({ symbol, name }) => [symbol, name]));
  });
}

/** The names of the nodes that want a symbol. @throws StoreError */
export async function readWanting(
  database: Database,
  { exchange, symbol }: { readonly exchange: string; readonly symbol: string },
): Promise<readonly string[]> {
  return await database.run("read which nodes want a symbol", async (sql) => {
    // An archive that a newer daemon has not opened yet has no nodes.
    const [known] = await sql<
      { has: boolean }[]
    >`select to_regclass('node_symbols') is not null as has`;
    if (known?.has !== true) return [];
    const rows = await sql<{ name: string }[]>`
      select nodes.name from node_symbols as wanted join nodes using (node)
      where wanted.exchange = ${exchange} and ${symbol} = any (wanted.symbols)
        and node in (select node from titan10_live_nodes(clock_timestamp()))
      order by 1`;
    return rows.map(({ name }) => name);
  });
}

/** Whether a daemon works on the archive, or has until a moment ago. @throws StoreError */
export async function hasLiveDaemon(database: Database): Promise<boolean> {
  return await database.run("read whether a daemon lives", async (sql) => {
    const [row] = await sql<{ lives: boolean }[]>`
      select exists (select from titan10_live_nodes(clock_timestamp()) where kind = 'daemon') as lives`;
    return row?.lives === true;
  });
}

/** A node that says that it lives, and where it listens. */
interface NodePlace {
  readonly node: string;
  /** Host and port. */
  readonly address: string;
}

/** The nodes of a machine. @throws StoreError */
export async function readNodePlaces(
  database: Database,
  machine: string,
): Promise<readonly NodePlace[]> {
  return await database.run("read the nodes of this machine", async (sql) => {
    return await sql<NodePlace[]>`
      select node, substr(place, length(${machine}) + 2) as address from nodes
      where starts_with(place, ${`${machine} `})
        and node in (select node from titan10_live_nodes(clock_timestamp()))`;
  });
}
