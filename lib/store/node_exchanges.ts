/** What each node knows of the exchanges that it asks, for the node that judges and for people who look. @module */
import type { Database } from "./connection/database.ts";
import { columns } from "./parameters.ts";

/** A row to write. `state` is JSON; its durations are milliseconds before now. */
interface KnownExchange {
  readonly exchange: string;
  readonly egress: string;
  readonly state: unknown;
}

/** A row as it is read. */
export interface NodeExchange {
  readonly node: string;
  readonly exchange: string;
  readonly egress: string;
  readonly state: Readonly<Record<string, unknown>>;
  /** How long ago it was written, by the database's clock. Milliseconds. */
  readonly ageMs: number;
  /** Whether the node lives, and asks this exchange. */
  readonly isAsking: boolean;
}

/** Rows of a node that is gone, or asks an exchange no more, are read for this long: the next one must ask first. */
const GONE_READ = "5 minutes";

/** After that time they are deleted by whoever writes. */
const GONE_KEPT = "1 day";

const KNOWN = columns<KnownExchange>({
  exchange: ["text", ({ exchange }) => exchange],
  egress: ["text", ({ egress }) => egress],
  state: ["text", ({ state }) => JSON.stringify(state)],
});

/** Keeps what a node knows of the exchanges that it asks: all of them, in one statement. @throws StoreError */
export async function writeNodeExchanges(
  database: Database,
  node: string,
  known: readonly KnownExchange[],
): Promise<void> {
  await database.run("keep what this node knows of exchanges", async (sql) => {
    await sql.unsafe(
      `with known as (select exchange, egress, state::jsonb as state from ${KNOWN.rows(2)}),
       gone as (
         delete from node_exchanges where ctid = any (array(
           select ctid from node_exchanges
           where at < clock_timestamp() - interval '${GONE_KEPT}' and node <> $1::uuid for update skip locked))
       ),
       ceased as (
         update node_exchanges set left_at = clock_timestamp()
         where node = $1::uuid and left_at is null and exchange not in (select exchange from known)
       )
       insert into node_exchanges as row (node, exchange, egress, state)
       select $1::uuid, exchange, egress, state from known
       order by exchange
       on conflict (node, exchange) do update
       set egress = excluded.egress, state = excluded.state, at = excluded.at, left_at = null`,
      [node, ...KNOWN.arrays(known)],
      { prepare: true },
    );
  });
}

/** What the nodes know, also those that were there a moment ago. @throws StoreError */
export async function readNodeExchanges(database: Database): Promise<readonly NodeExchange[]> {
  return await database.run("read what the nodes know of exchanges", async (sql) => {
    const rows = await sql<NodeExchangeRow[]>`
      select known.node, exchange, egress, state,
             (extract(epoch from clock_timestamp() - at) * 1000)::float8 as age_ms,
             left_at is null and live.node is not null as is_asking
      from node_exchanges as known
      left join titan10_live_nodes(clock_timestamp()) as live on live.node = known.node
      where live.node is not null and left_at is null
         or coalesce(left_at, at) > clock_timestamp() - ${GONE_READ}::interval
      order by exchange, egress, at desc, known.node`;
    return rows.map((row) => ({
      node: row.node,
      exchange: row.exchange,
      egress: row.egress,
      state: row.state,
      ageMs: Math.max(0, row.age_ms),
      isAsking: row.is_asking,
    }));
  });
}

interface NodeExchangeRow {
  readonly node: string;
  readonly exchange: string;
  readonly egress: string;
  readonly state: Readonly<Record<string, unknown>>;
  readonly age_ms: number;
  readonly is_asking: boolean;
}

/** Which live node asks for which symbol: by exchange and symbol, with a space between them. @throws StoreError */
export async function readHolders(database: Database): Promise<ReadonlyMap<string, string>> {
  return await database.run("read which node asks for which symbols", async (sql) => {
    const rows = await sql<{ readonly name: string; readonly holder: string }[]>`
      select exchange || ' ' || symbol as name, holder
      from leases join titan10_live_nodes(clock_timestamp()) as live on live.node = leases.holder
      where exchange <> ''`;
    return new Map(rows.map(({ name, holder }) => [name, holder]));
  });
}

/** Whether a live node leads. @throws StoreError */
export async function hasLeader(database: Database): Promise<boolean> {
  return await database.run("read which node leads", async (sql) => {
    const [row] = await sql<{ readonly is_led: boolean }[]>`
      select exists (select from leases join titan10_live_nodes(clock_timestamp()) as live on live.node = leases.holder
                     where exchange = '' and symbol = '') as is_led`;
    return row!.is_led;
  });
}
