/** The ledger of funding rates: what exchanges have answered for, what is owed, and what is missing in it. @module */
import type { Coverage } from "../market/coverage.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "./connection/database.ts";
import type { Perpetual } from "./funding_rates.ts";
import { heldRows, isHeld } from "./lock_order.ts";
import {
  columns,
  coverageFrom,
  epochMs,
  type Spans,
  spansJson,
  storableText,
} from "./parameters.ts";

/** A perpetual's row in the ledger. Times in milliseconds. */
export interface FundingCheckpoint extends Perpetual {
  readonly covered: Coverage;
  readonly rates: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** The distance between the newest rates; undefined before there are two. */
  readonly intervalMs: number | undefined;
  /** From when on the rates were last wanted; undefined while they are not. */
  readonly wantedSinceMs: number | undefined;
  readonly lastError: string | undefined;
}

/** The rates that are wanted of a perpetual. */
export interface FundingDesire extends Perpetual {
  readonly window: Window;
}

/** The time of a perpetual that is still to be asked for. */
export interface OwedFunding extends Perpetual {
  /** Ascending. */
  readonly owed: Coverage;
}

const ERROR_CHARACTERS_MAX = 1_000;

const DESIRES = columns<FundingDesire>({
  exchange: ["text", ({ exchange }) => exchange],
  symbol: ["text", ({ symbol }) => symbol],
  since_ms: ["float8", ({ window }) => window.sinceMs],
  until_ms: ["float8", ({ window }) => window.untilMs],
});

/**
 * Enters which rates of an exchange are wanted now; of its others none are. What is stored stays.
 *
 * @param node where several nodes share the archive: what another live one asks for is that one's to give up. Its markets or
 * settings may be newer.
 */
export async function noteWantedFunding(
  database: Database,
  exchange: string,
  desires: readonly FundingDesire[],
  node?: string,
): Promise<void> {
  await database.run("note which funding rates are wanted", async (sql) => {
    await sql.unsafe(
      // Of both what is and what is not wanted: two parts of one statement have an order of their own.
      `with wanted as materialized (select * from ${DESIRES.rows(2)}),
      held as materialized (${
        heldRows("funding_checkpoints", { from: "where exchange = $1::text" })
      }),
      unwanted as (
        update funding_checkpoints as known set wanted_since = null
        from held where ${isHeld("funding_checkpoints")} and known.wanted_since is not null
          and not exists (select from wanted where wanted.symbol = known.symbol)
          and not exists (
            select from leases join titan10_live_nodes(clock_timestamp()) as live on live.node = leases.holder
            where (leases.exchange, leases.symbol) = (known.exchange, known.symbol) and leases.holder <> $6::uuid)
      )
      insert into funding_checkpoints as known (exchange, symbol, wanted_since)
      select exchange, symbol, to_timestamp(since_ms / 1000.0) from wanted
      where (select count(*) from held) >= 0 order by exchange, symbol
      on conflict (exchange, symbol) do update set wanted_since = excluded.wanted_since
      where known.wanted_since is distinct from excluded.wanted_since`,
      [exchange, ...DESIRES.arrays(desires), node ?? null],
    );
  });
}

/** The ledger, by exchange and symbol. */
export async function readFundingCheckpoints(
  database: Database,
): Promise<readonly FundingCheckpoint[]> {
  return await database.run("read the ledger of funding rates", async (sql) => {
    const rows = await sql.unsafe<CheckpointRow[]>(
      `select exchange, symbol, rates, first, last, interval_seconds, wanted_since, last_error,
              ${spansJson("covered")} as covered
       from funding_checkpoints order by exchange, symbol`,
    );
    return rows.map((row) => ({
      exchange: row.exchange,
      symbol: row.symbol,
      covered: coverageFrom(row.covered),
      rates: Number(row.rates),
      firstMs: epochMs(row.first),
      lastMs: epochMs(row.last),
      intervalMs: row.interval_seconds === null ? undefined : row.interval_seconds * 1000,
      wantedSinceMs: epochMs(row.wanted_since),
      lastError: row.last_error ?? undefined,
    }));
  });
}

/**
 * What is owed: desired − covered, not before the reach of the exchange or the market that the symbol means now, and not after
 * its end. If coverage begins earlier than desired, everything from there on is desired, too. Perpetuals of which nothing is
 * owed are left out.
 */
export async function readOwedFunding(
  database: Database,
  desires: readonly FundingDesire[],
): Promise<readonly OwedFunding[]> {
  return await database.run("read which funding rates are owed", async (sql) => {
    const rows = await sql.unsafe<(Perpetual & { readonly owed: Spans })[]>(
      `with wanted as (
        select exchange, symbol, coalesce(covered, '{}') as covered,
               greatest(reach_from, market.since) as oldest,
               least(to_timestamp(since_ms / 1000.0), lower(covered)) as since,
               least(to_timestamp(until_ms / 1000.0), ended.at) as until
        from ${DESIRES.rows(1)}
        left join funding_checkpoints using (exchange, symbol)
        left join lateral (select max(since) as since from listings
                           where listings.exchange = row.exchange and noticed_at is not null
                             and listings.symbol = titan10_funding_listing(row.exchange, row.symbol)) as market on true
        left join lateral (select case when bool_and(ended_at is not null) then max(ended_at) end as at,
                                  bool_and(coalesce(ended_why <> 'suspended', false)) as is_gone
                           from checkpoints
                           where checkpoints.exchange = row.exchange and checkpoints.symbol = row.symbol) as ended on true
        where ended.is_gone is not true
      ),
      owing as (
        select exchange, symbol,
               tstzmultirange(tstzrange(least(greatest(since, oldest), until), until)) - covered as owed
        from wanted
      )
      select exchange, symbol, ${spansJson("owed")} as owed from owing
      where not isempty(owed) order by exchange, symbol`,
      [...DESIRES.arrays(desires)],
    );
    return rows.map(({ exchange, symbol, owed }) => ({
      exchange,
      symbol,
      owed: coverageFrom(owed),
    }));
  });
}

/** Stores why rates of a perpetual could not be fetched. The next answer clears it. */
export async function noteFundingError(
  database: Database,
  { exchange, symbol }: Perpetual,
  message: string,
): Promise<void> {
  await database.run(`note an error of ${exchange} ${symbol}`, async (sql) => {
    await sql`
      update funding_checkpoints set last_error = ${storableText(message, ERROR_CHARACTERS_MAX)}
      where exchange = ${exchange} and symbol = ${symbol}`;
  });
}

/** Looks for holes of an exchange in what came since the last look. Those that were filled are no holes any more. */
export async function scanFundingHoles(database: Database, exchange: string): Promise<void> {
  await database.run("look for missing funding rates", async (sql) => {
    await sql`
      select titan10_find_funding_holes(exchange, symbol) from (
        select exchange, symbol from funding_checkpoints where exchange = ${exchange} and not is_scanned
        order by exchange, symbol) as unscanned`;
  });
}

/** Looks for holes, and returns those of an exchange that are to be asked for again. */
export async function findFundingHoles(
  database: Database,
  exchange: string,
  { holesMax }: { readonly holesMax: number },
): Promise<readonly FundingDesire[]> {
  await scanFundingHoles(database, exchange);
  return await database.run("read which funding rates to ask for again", async (sql) => {
    const rows = await sql<(Perpetual & { readonly since: Date; readonly until: Date })[]>`
      select exchange, symbol, since, until from funding_holes as hole
      where exchange = ${exchange} and state = 'suspected'
        and exists (select from funding_checkpoints as known
                    where known.exchange = hole.exchange and known.symbol = hole.symbol and wanted_since is not null)
      order by exchange, symbol, since desc limit ${holesMax}`;
    return rows.map(({ exchange, symbol, since, until }) => ({
      exchange,
      symbol,
      window: { sinceMs: since.getTime(), untilMs: until.getTime() },
    }));
  });
}

/** A hole was asked for again, and nothing came. */
export async function explainFundingHole(
  database: Database,
  { exchange, symbol, window }: FundingDesire,
  nowMs: number,
): Promise<void> {
  await database.run(`explain missing funding rates of ${exchange} ${symbol}`, async (sql) => {
    await sql`
      update funding_holes set state = 'empty', last_try = to_timestamp(${nowMs}::float8 / 1000.0)
      where exchange = ${exchange} and symbol = ${symbol}
        and since = to_timestamp(${window.sinceMs}::float8 / 1000.0) and state = 'suspected'`;
  });
}

/** A span in which rates are missing, and why. */
export interface FundingGap extends Perpetual {
  readonly window: Window;
  readonly missing: number;
  readonly state: string;
  readonly reason: string;
}

/** All of them, by exchange, symbol and time; at most `gapsMax`, after the gap `after`. */
export async function readFundingGaps(
  database: Database,
  { gapsMax, after }: { readonly gapsMax: number; readonly after?: FundingGap | undefined },
): Promise<readonly FundingGap[]> {
  return await database.run("read where funding rates are missing", async (sql) => {
    const rows = await sql<GapRow[]>`
      select exchange, symbol, since, until, missing, state, reason from funding_gaps
      where (exchange, symbol, since) > (${after?.exchange ?? ""}, ${after?.symbol ?? ""},
             to_timestamp(${(after?.window.sinceMs ?? 0) + 0.5}::float8 / 1000.0))
      order by exchange, symbol, since limit ${gapsMax}`;
    return rows.map(({ exchange, symbol, since, until, missing, state, reason }) => ({
      exchange,
      symbol,
      window: { sinceMs: since.getTime(), untilMs: until.getTime() },
      missing,
      state,
      reason,
    }));
  });
}

/** How many rates are missing, by perpetual: those that will be asked for again, and those that have a reason. */
export async function readFundingMissing(
  database: Database,
): Promise<
  readonly (Perpetual & { readonly missing: number; readonly explained: number })[]
> {
  return await database.run("count missing funding rates", async (sql) => {
    const rows = await sql<
      (Perpetual & { readonly missing: string; readonly explained: string })[]
    >`
      select exchange, symbol, coalesce(sum(missing) filter (where state = 'suspected'), 0) as missing,
             coalesce(sum(missing) filter (where state <> 'suspected'), 0) as explained
      from funding_gaps group by exchange, symbol order by exchange, symbol`;
    return rows.map((row) => ({
      exchange: row.exchange,
      symbol: row.symbol,
      missing: Number(row.missing),
      explained: Number(row.explained),
    }));
  });
}

interface CheckpointRow extends Perpetual {
  readonly covered: Spans;
  readonly rates: string;
  readonly first: Date | null;
  readonly last: Date | null;
  readonly interval_seconds: number | null;
  readonly wanted_since: Date | null;
  readonly last_error: string | null;
}

interface GapRow extends Perpetual {
  readonly since: Date;
  readonly until: Date;
  readonly missing: number;
  readonly state: string;
  readonly reason: string;
}
