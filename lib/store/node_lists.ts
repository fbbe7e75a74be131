/** Which symbols the lists of other nodes have: an exchange may list less for one country than for another. @module */
import type { Database } from "./connection/database.ts";

/**
 * The archived symbols whose market is traded by the list of another node. Only of nodes that may ask the exchange now: what
 * the others know of it gets old.
 *
 * @throws StoreError
 */
export async function readListedElsewhere(
  database: Database,
  { exchange, node }: { readonly exchange: string; readonly node: string },
): Promise<ReadonlySet<string>> {
  return await database.run(`read what other nodes see listed at ${exchange}`, async (sql) => {
    const rows = await sql<{ readonly symbol: string }[]>`
      select distinct one.symbol
      from node_symbols as wanted
      join titan10_live_nodes(clock_timestamp()) as live using (node)
      join egress_leases as slot
        on slot.exchange = wanted.exchange and slot.egress = wanted.egress and slot.holder = wanted.node
      cross join lateral unnest(wanted.symbols) as one (symbol)
      where wanted.exchange = ${exchange} and wanted.node <> ${node}::uuid and one.symbol <> all (wanted.lacked)
        -- It loads no list any more.
        and not exists (
          select from exchange_egress as said
          where said.exchange = slot.exchange and said.egress = slot.egress and said.denied_until > clock_timestamp())`;
    return new Set(rows.map(({ symbol }) => symbol));
  });
}
