/** What is known of the market of a listing, and since when it is missing. @module */
import type { MarketTerms, NamedMarket } from "../market/terms.ts";
import type { Database } from "./connection/database.ts";
import { heldRows, isHeld } from "./lock_order.ts";
import { columns, textArray } from "./parameters.ts";

/** A market as it is listed now. */
export interface NotedMarket extends NamedMarket {
  readonly symbol: string;
  /** The id under which it was known. */
  readonly formerId: string | undefined;
  /** When the dated future expires; undefined of other markets. Milliseconds. */
  readonly expiresMs?: number | undefined;
}

const MARKETS = columns<NotedMarket>({
  symbol: ["text", ({ symbol }) => symbol],
  former_id: ["text", ({ formerId }) => formerId],
  market_id: ["text", ({ marketId }) => marketId],
  kind: ["text", ({ kind }) => kind],
  settle: ["text", ({ settle }) => settle],
  contract_size: ["numeric", ({ contractSize }) => contractSize],
  volume_unit: ["text", ({ volumeUnit }) => volumeUnit],
  expires_ms: ["float8", ({ expiresMs }) => expiresMs],
});

/**
 * Records ids of markets, and what their numbers mean, where listings have none yet or the id is only spelled anew. Leaves
 * listings alone that another program has given to another market meanwhile.
 */
export async function noteMarkets(
  database: Database,
  exchange: string,
  markets: readonly NotedMarket[],
): Promise<void> {
  await database.run(`note the markets of ${exchange}`, async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("listings", {
          columns: [
            ...["row.market_id", "row.kind", "row.settle", "row.contract_size", "row.volume_unit"],
            "to_timestamp(row.expires_ms / 1000.0) as expires_at",
          ],
          from: `join ${MARKETS.rows(2)} using (symbol)
                 where known.exchange = $1::text
                   and (known.market_id is null or known.market_id in (row.former_id, row.market_id))
                   and known.since = (select max(since) from listings where exchange = $1::text and symbol = row.symbol)`,
        })
      })
       update listings as known
       set market_id = coalesce(held.market_id, known.market_id), kind = coalesce(held.kind, known.kind),
           settle = coalesce(held.settle, known.settle),
           contract_size = coalesce(held.contract_size, known.contract_size),
           volume_unit = coalesce(held.volume_unit, known.volume_unit),
           expires_at = coalesce(held.expires_at, known.expires_at)
       from held where ${isHeld("listings")}`,
      [exchange, ...MARKETS.arrays(markets)],
    );
  });
}

const UNITS = columns<Pick<MarketTerms, "kind" | "volumeUnit">>({
  kind: ["text", ({ kind }) => kind],
  volume_unit: ["text", ({ volumeUnit }) => volumeUnit],
});

/**
 * Records what volumes count where listings do not say it yet: those that have ended were entered by a version that did not
 * know, and no list has their symbols any more. A symbol without a settling coin is of a spot market. Prices that nobody
 * trades have no volume.
 */
export async function noteVolumeUnits(
  database: Database,
  exchange: string,
  units: readonly Pick<MarketTerms, "kind" | "volumeUnit">[],
): Promise<void> {
  await database.run(`note what volumes of ${exchange} count`, async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("listings", {
          columns: ["row.volume_unit"],
          from: `join ${UNITS.rows(2)}
                   on row.kind = coalesce(known.kind, case when position(':' in known.symbol) = 0 then 'spot' end)
                 where known.exchange = $1::text and known.volume_unit is null
                   and titan10_price_of(known.symbol) = 'trade'`,
        })
      })
       update listings as known set volume_unit = held.volume_unit
       from held where ${isHeld("listings")}`,
      [exchange, ...UNITS.arrays(units)],
    );
  });
}

/** Records which of the judged symbols are missing while their listings go on: `symbols`, and of the others none. */
export async function noteMissing(
  database: Database,
  exchange: string,
  { symbols, judged, nowMs }: {
    readonly symbols: readonly string[];
    readonly judged: readonly string[];
    readonly nowMs: number;
  },
): Promise<void> {
  await database.run(`note which symbols ${exchange} does not list`, async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("listings", {
          from: `where exchange = $1 and until is null and symbol = any ($3::text[])
                   and (missing_since is not null or symbol = any ($2::text[]))`,
        })
      })
       update listings as known
       set missing_since = case when known.symbol = any ($2::text[])
                           then least(known.missing_since, to_timestamp($4::float8 / 1000.0)) end
       from held where ${isHeld("listings")}`,
      [exchange, textArray(symbols), textArray(judged), nowMs],
    );
  });
}
