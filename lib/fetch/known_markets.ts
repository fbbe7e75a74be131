/** What the archive knows of the markets of an exchange before it loads them. @module */
import type { Archive } from "../archive/archive.ts";
import type { Config } from "../config/config.ts";
import { readCheckpoints } from "../store/ledger.ts";
import { type Listing, readListings } from "../store/listings.ts";
import { readListedElsewhere } from "../store/node_lists.ts";
import type { MarketProof } from "./market_proof.ts";
import type { KnownSeries } from "./series_end.ts";

/** The other inputs that decide which series of an exchange are archived. */
export interface KnownMarkets {
  readonly config: Config;
  /** The series of the exchange that are in the ledger. */
  readonly checkpoints: readonly KnownSeries[];
  /** The newest listing of every symbol of the exchange. */
  readonly listings: readonly Listing[];
  /** The symbols that lists of other nodes have. @default none */
  readonly listedElsewhere?: ReadonlySet<string> | undefined;
  /** What was found out about symbols that mean other markets. @default nothing */
  readonly proof?: MarketProof | undefined;
}

/** @throws StoreError */
export async function readKnown(
  { config, database, leases }: Pick<Archive, "config" | "database" | "leases">,
  exchange: string,
): Promise<KnownMarkets> {
  // A configured series that no exchange ever answered for may be a mistyped one: being registered proves nothing.
  const checkpoints = (await readCheckpoints(database)).filter((
    { series, chosen, covered, endedWhy },
  ) =>
    series.exchange === exchange &&
    (chosen === "top" || covered.length > 0 || endedWhy !== undefined)
  );
  return {
    config,
    checkpoints,
    listings: await readListings(database, exchange),
    listedElsewhere: leases.node === undefined
      ? undefined
      : await readListedElsewhere(database, { exchange, node: leases.node }),
  };
}
