/** What was learned about an exchange from its answers, stored so that a restart does not lose it. @module */
import { SETTLE_MS } from "../market/answer.ts";
import type { MarketClass } from "../market/market_class.ts";
import type { Database } from "./connection/database.ts";
import { epochMs } from "./parameters.ts";

/** One row per exchange, class of markets and timeframe. Undefined: no answer has shown it yet. */
export interface CapabilityRow {
  readonly exchange: string;
  readonly marketKind: MarketClass;
  /** The timeframe in CCXT's spelling. */
  readonly timeframe: string;
  readonly pageRows: number;
  readonly pageRowsSource: "table" | "ccxt" | "default" | "answers";
  readonly rowsSeen: number;
  readonly isSinceHonoured: boolean | undefined;
  readonly isUntilNeeded: boolean;
  readonly newestCandles: number | undefined;
  readonly omitsSilent: boolean | undefined;
  /** How long after their close candles were seen to change. Whole seconds. */
  readonly settleSeconds: number | undefined;
  /** When candles last changed so late. Milliseconds; undefined if none has. */
  readonly settleNeededMs: number | undefined;
  /** Milliseconds. */
  readonly learnedAtMs: number;
}

/** A settling time counts for so long after it was last needed: exchanges get better, too. */
export const SETTLE_KEPT_MS = 7 * 24 * 60 * 60_000;

/** The rows of all exchanges that have answered at least once. */
export async function readCapabilities(database: Database): Promise<readonly CapabilityRow[]> {
  return await database.run("read the capabilities of the exchanges", async (sql) => {
    const rows = await sql<StoredRow[]>`
      select exchange, market_kind, timeframe, page_rows, page_rows_source, rows_seen, since_honoured,
             until_needed, newest_candles, omits_silent, settle_seconds, settle_needed_at, learned_at
      from capabilities order by exchange, market_kind, timeframe`;
    return rows.map((row) => ({
      exchange: row.exchange,
      marketKind: row.market_kind,
      timeframe: row.timeframe,
      pageRows: row.page_rows,
      pageRowsSource: row.page_rows_source,
      rowsSeen: row.rows_seen,
      isSinceHonoured: row.since_honoured ?? undefined,
      isUntilNeeded: row.until_needed,
      newestCandles: row.newest_candles === null ? undefined : Number(row.newest_candles),
      omitsSilent: row.omits_silent ?? undefined,
      settleSeconds: row.settle_seconds ?? undefined,
      settleNeededMs: epochMs(row.settle_needed_at),
      learnedAtMs: row.learned_at.getTime(),
    }));
  });
}

/** How long after its close a candle of an exchange may still change. Milliseconds. */
export type Settling = (exchange: string) => number;

/** How long after their close candles were seen to change; of exchanges that have taught nothing, {@linkcode SETTLE_MS}. */
export async function readSettling(database: Database, nowMs: number): Promise<Settling> {
  return await database.run("read how long candles may change", async (sql) => {
    const rows = await sql<{ exchange: string; seconds: number }[]>`
      select exchange, max(settle_seconds) as seconds from capabilities
      where settle_seconds is not null and settle_needed_at > to_timestamp(${
      nowMs - SETTLE_KEPT_MS
    }::float8 / 1000.0) group by exchange`;
    const known = new Map(rows.map(({ exchange, seconds }) => [exchange, 1000 * seconds]));
    return (exchange) => known.get(exchange) ?? SETTLE_MS;
  });
}

/**
 * Stores a row. It replaces an older one, but a longer settling time stays while it counts: another node may have learned it,
 * of markets that this one does not ask for.
 */
export async function writeCapability(database: Database, row: CapabilityRow): Promise<void> {
  const { exchange, marketKind, timeframe } = row;
  await database.run(
    `keep the capabilities of ${exchange} ${marketKind} ${timeframe}`,
    async (sql) => {
      await sql`
      insert into capabilities as known (exchange, market_kind, timeframe, page_rows, page_rows_source, rows_seen, since_honoured,
                                until_needed, newest_candles, omits_silent, settle_seconds, settle_needed_at, learned_at)
      values (${exchange}, ${marketKind}, ${timeframe}, ${row.pageRows}, ${row.pageRowsSource}, ${row.rowsSeen},
              ${row.isSinceHonoured ?? null}, ${row.isUntilNeeded}, ${row.newestCandles ?? null}, ${
        row.omitsSilent ?? null
      }, ${row.settleSeconds ?? null}, to_timestamp(${row.settleNeededMs ?? null}::float8 / 1000.0),
              to_timestamp(${row.learnedAtMs}::float8 / 1000.0))
      on conflict (exchange, market_kind, timeframe) do update
      set page_rows = excluded.page_rows, page_rows_source = excluded.page_rows_source,
          rows_seen = excluded.rows_seen, since_honoured = excluded.since_honoured,
          until_needed = excluded.until_needed, newest_candles = excluded.newest_candles,
          omits_silent = excluded.omits_silent, learned_at = excluded.learned_at,
          settle_needed_at = greatest(known.settle_needed_at, excluded.settle_needed_at),
          settle_seconds = case
            when known.settle_needed_at > excluded.learned_at - make_interval(secs => ${
        SETTLE_KEPT_MS / 1000
      })
            then greatest(known.settle_seconds, excluded.settle_seconds) else excluded.settle_seconds end`;
    },
  );
}

interface StoredRow {
  readonly exchange: string;
  readonly market_kind: MarketClass;
  readonly timeframe: string;
  readonly page_rows: number;
  readonly page_rows_source: CapabilityRow["pageRowsSource"];
  readonly rows_seen: number;
  readonly since_honoured: boolean | null;
  readonly until_needed: boolean;
  readonly newest_candles: string | null;
  readonly omits_silent: boolean | null;
  readonly settle_seconds: number | null;
  readonly settle_needed_at: Date | null;
  readonly learned_at: Date;
}
