/** Statements that lock several rows take them in the order of their keys: two never wait for each other. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { beginAlerts, endAlerts } from "../../lib/store/alerts.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { expireCandles } from "../../lib/store/expiry.ts";
import { findFundingHoles, noteWantedFunding } from "../../lib/store/funding_ledger.ts";
import { markRefetching, postponeGaps, scanGaps } from "../../lib/store/gaps.ts";
import { forgetListing, noteListings, registerSeries } from "../../lib/store/ledger.ts";
import { noteMarkets, noteMissing } from "../../lib/store/listing_facts.ts";
import {
  beginListings,
  endListing,
  noteAbsent,
  replaceListings,
} from "../../lib/store/listings.ts";
import { PRUNED_TABLES, pruneRows } from "../../lib/store/pruning.ts";
import { noteRejected } from "../../lib/store/rejected_gaps.ts";
import {
  forgetWanted,
  keepFollowed,
  noteFollowed,
  noteWanted,
} from "../../lib/store/series_bounds.ts";
import { withdrawReach } from "../../lib/store/series_reach.ts";
import { dropUnsentNews } from "../../lib/store/unsent_news.ts";
import { holdRows, untilWaiting } from "../support/row_locks.ts";
import { started } from "../support/started.ts";
import { openTestDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const START_MS = Date.UTC(2024, 0, 1);
const END_MS = START_MS + 24 * HOUR_MS;
const HOUR = parseTimeframe("1h");
const EXCHANGE = "binance";

/** Against the order of their keys, as they lie in the tables, too. */
const SYMBOLS = ["C/USDT", "B/USDT", "A/USDT"] as const;
const SERIES = SYMBOLS.flatMap((symbol) =>
  ["1m", "1h"].map((text) => ({ exchange: EXCHANGE, symbol, timeframe: parseTimeframe(text) }))
);
/** The first of all, by its key. */
const FIRST = SERIES.at(-1)!;
const GAP_HOURS = [3, 2, 1] as const;

const TERMS = {
  kind: "spot",
  settle: undefined,
  contractSize: undefined,
  volumeUnit: "base",
} as const;
const WANTED = SERIES.map((series) => ({
  series,
  wantedSinceMs: START_MS + HOUR_MS,
  wantedUntilMs: END_MS,
  wantedEndsMs: undefined,
  keptSinceMs: START_MS + 12 * HOUR_MS,
}));
const NEW_LISTINGS = SYMBOLS.map((symbol) => ({ symbol, marketId: `new ${symbol}` }));
const CONDITIONS = SYMBOLS.map((symbol) => ({
  ...{ exchange: EXCHANGE, symbol, timeframe: "1m" },
  ...{ value: 1, threshold: 1, summary: "" },
}));

const KEYS = {
  checkpoints: "exchange, symbol, timeframe",
  gaps: "exchange, symbol, timeframe, since",
  listings: "exchange, symbol, since",
  alerts: "id",
  funding_checkpoints: "exchange, symbol",
} as const;

interface Case {
  readonly table: keyof typeof KEYS;
  readonly prepare?: string;
  readonly run: (database: Database) => Promise<unknown>;
}

const CASES: Readonly<Record<string, Case>> = {
  "series that are registered": {
    table: "checkpoints",
    run: (database) => registerSeries(database, SERIES, "top"),
  },
  "where series begin": {
    table: "checkpoints",
    run: (database) =>
      noteListings(database, SERIES.map((series) => ({ series, fromMs: START_MS + HOUR_MS }))),
  },
  "where a symbol begins, forgotten": {
    table: "checkpoints",
    run: (database) => forgetListing(database, FIRST),
  },
  "what is wanted": { table: "checkpoints", run: (database) => noteWanted(database, WANTED) },
  "since when series are followed": {
    table: "checkpoints",
    run: (database) => keepFollowed(database, SERIES),
  },
  "where polls of series begin": {
    table: "checkpoints",
    prepare: "update checkpoints set followed_from = 'infinity'",
    run: (database) =>
      noteFollowed(database, SERIES.map((series) => ({ series, fromMs: START_MS + HOUR_MS }))),
  },
  "what is not wanted any more": {
    table: "checkpoints",
    run: (database) => forgetWanted(database, []),
  },
  "listings that begin": {
    table: "checkpoints",
    run: (database) =>
      beginListings(database, EXCHANGE, {
        symbols: [],
        series: SERIES.map((series) => ({ series, fromMs: END_MS })),
        nowMs: END_MS,
      }),
  },
  "listings that are replaced": {
    table: "checkpoints",
    run: (database) =>
      replaceListings(database, EXCHANGE, {
        replacements: NEW_LISTINGS.map((listing) => ({
          ...{ ...listing, terms: TERMS, fromMs: END_MS, successor: undefined },
        })),
        nowMs: END_MS,
      }),
  },
  "a listing that ends": {
    table: "checkpoints",
    run: (database) =>
      endListing(database, EXCHANGE, {
        ...{ symbol: FIRST.symbol, atMs: END_MS, why: "delisted", successor: undefined },
        series: SERIES.map((series) => ({ series, untilMs: END_MS })),
      }),
  },
  "a scan for gaps": {
    table: "checkpoints",
    prepare: "update checkpoints set rows_from = lower(covered)",
    run: (database) => scanGaps(database, HOUR, END_MS),
  },
  "candles that are dropped": {
    table: "checkpoints",
    run: (database) => expireCandles(database, HOUR, { untilMs: END_MS }),
  },
  "what waits to be final and was dropped": {
    table: "checkpoints",
    prepare: `update checkpoints set covered = '{}', rows_from = lower(covered),
                expired_until = upper(covered)`,
    run: (database) => expireCandles(database, HOUR, { untilMs: END_MS }),
  },
  "gaps that are asked for": {
    table: "gaps",
    run: (database) =>
      markRefetching(database, FIRST, {
        sincesMs: GAP_HOURS.map((hours) => START_MS + hours * HOUR_MS),
        isAsking: true,
        nextTryMs: END_MS,
      }),
  },
  "gaps that wait": { table: "gaps", run: (database) => postponeGaps(database, FIRST, END_MS) },
  "gaps that the exchange no longer keeps": {
    table: "gaps",
    run: (database) => noteWanted(database, WANTED),
  },
  "gaps that are owed again": {
    table: "gaps",
    prepare: `update gaps set state = 'retention';
              update checkpoints set reach_from = upper(covered)`,
    run: (database) => withdrawReach(database, FIRST, END_MS),
  },
  "gaps of candles that were rejected": {
    table: "gaps",
    prepare: "update gaps set state = 'filled'",
    run: (database) =>
      noteRejected(database, FIRST, {
        spans: GAP_HOURS.map((hours) => ({
          sinceMs: START_MS + hours * HOUR_MS,
          untilMs: START_MS + (hours + 1) * HOUR_MS,
          candles: 1,
        })),
        nowMs: END_MS,
      }),
  },
  "gaps of candles that are dropped": {
    table: "gaps",
    run: (database) =>
      expireCandles(database, HOUR, { untilMs: START_MS + 3 * HOUR_MS + HOUR_MS / 2 }),
  },
  "markets of listings": {
    table: "listings",
    run: (database) =>
      noteMarkets(
        database,
        EXCHANGE,
        NEW_LISTINGS.map((listing) => ({ ...listing, ...TERMS, formerId: undefined })),
      ),
  },
  "listings that are missing": {
    table: "listings",
    run: (database) =>
      noteMissing(database, EXCHANGE, { symbols: SYMBOLS, judged: SYMBOLS, nowMs: END_MS }),
  },
  "listings that stay away": {
    table: "listings",
    prepare: "update listings set until = since, why = 'delisted'",
    run: (database) => noteAbsent(database, EXCHANGE, { symbols: SYMBOLS, nowMs: END_MS }),
  },
  // Of three symbols the first is not wanted any more.
  "which funding rates are wanted": {
    table: "funding_checkpoints",
    run: (database) =>
      noteWantedFunding(
        database,
        EXCHANGE,
        ["B/USDT", "C/USDT"].map((symbol) => ({
          ...{ exchange: EXCHANGE, symbol, window: { sinceMs: START_MS, untilMs: END_MS } },
        })),
      ),
  },
  "holes of funding rates": {
    table: "funding_checkpoints",
    run: (database) => findFundingHoles(database, EXCHANGE, { holesMax: 10 }),
  },
  "alerts that end": {
    table: "alerts",
    run: (database) => endAlerts(database, [1000, 999, 998], { nowMs: END_MS }),
  },
  "alerts that are not to be sent": {
    table: "alerts",
    run: (database) => dropUnsentNews(database),
  },
};

Deno.test("a statement meets another one that locks the same rows, in order, and neither is ended", async (t) => {
  const opened = await openTestDatabase("postgres");
  if (opened === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const { database, drop } = opened;
  try {
    await migrate(database, await readMigrations());
    await ensureCandleTables(database, [HOUR, parseTimeframe("1m")]);
    for (const [name, { table, prepare = "select", run }] of Object.entries(CASES)) {
      await t.step(name, async () => {
        await fill(database, prepare);
        const rows = `select from ${table} order by ${KEYS[table]}`;
        await meet(database, [`${rows} limit 1 for update`, `${rows} for update`], run);
      });
    }
    for (const [name, { insert, prepare = "select", run }] of Object.entries(INSERTS)) {
      await t.step(name, async () => {
        await fill(database, prepare);
        await meet(database, [insert("A/USDT"), insert("C/USDT")], run);
      });
    }
    for (const table of PRUNED_TABLES) {
      await t.step(`what is pruned of ${table} waits for nothing`, async () => {
        await fill(
          database,
          `update alerts set ended = began;
           update gaps set state = 'filled', first_seen = '2020-01-01';
           update checkpoints set expired_until = lower(covered)`,
        );
        const holder = await holdRows(database, table);
        const pruning = pruneRows(database, table, { beforeMs: END_MS, rowsMax: 100 });
        const came = await waitsOrEnds(database, pruning);
        await holder.release();
        assert.deepEqual([came, await pruning], ["ends", 0]);
        assert(await pruneRows(database, table, { beforeMs: Infinity, rowsMax: 100 }) >= 3);
      });
    }
    await t.step(
      "what is wanted, noted while a first poll begins, keeps where polls begin",
      () => wantedMeetsFirstPoll(database),
    );
    await t.step(
      "a scan reads no candles while RETENTION drops them",
      () => scanMeetsRetention(database),
    );
  } finally {
    await drop();
  }
});

/** What two programs enter at once. */
const INSERTS: Readonly<
  Record<string, Omit<Case, "table"> & { insert: (symbol: string) => string }>
> = {
  "listings that two find": {
    // None begins while one goes on.
    prepare: "update listings set until = since",
    insert: (symbol) =>
      `insert into listings (exchange, symbol, since)
       values ('${EXCHANGE}', '${symbol}', to_timestamp(${END_MS / 1000}))`,
    run: (database) =>
      beginListings(database, EXCHANGE, { symbols: NEW_LISTINGS, series: [], nowMs: END_MS }),
  },
  "alerts that two find": {
    insert: (symbol) =>
      `insert into alerts (alert, exchange, symbol, timeframe, value, threshold, summary, began)
       values ('stale', '${EXCHANGE}', '${symbol}', '1m', 1, 1, '', now())`,
    run: (database) => beginAlerts(database, "stale", { conditions: CONDITIONS, nowMs: END_MS }),
  },
};

/** Another session does the first, and when the statement waits for it the second. */
async function meet(
  database: Database,
  [first, second]: readonly [string, string],
  run: Case["run"],
): Promise<void> {
  let running: Promise<unknown> = Promise.resolve();
  const other = database.sql.begin(async (tx) => {
    await tx.unsafe(first);
    running = run(database);
    assert.equal(await waitsOrEnds(database, running), "waits");
    await tx.unsafe(second);
  });
  // PostgreSQL ends either of two that wait for each other.
  const ends = await Promise.allSettled([other, other.catch(() => {}).then(() => running)]);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

async function waitsOrEnds(
  { sql }: Database,
  running: Promise<unknown>,
): Promise<"waits" | "ends"> {
  let hasEnded = false;
  running.catch(() => {}).then(() => hasEnded = true);
  let isWaiting = false;
  await until("a statement that waits for a lock, or ends", async () => {
    const waiting = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    isWaiting = waiting.length > 0;
    return isWaiting || hasEnded;
  });
  return isWaiting ? "waits" : "ends";
}

/**
 * RETENTION drops chunks, which nothing may read meanwhile, when it has the series already. A scan must not wait for these
 * after it has begun to read candles.
 */
async function scanMeetsRetention(database: Database): Promise<void> {
  await fill(database, "update checkpoints set rows_from = lower(covered)");
  const holder = await holdRows(database, "gaps");
  const expiring = started(expireCandles(database, HOUR, { untilMs: END_MS }));
  await untilWaiting(database, 1);
  const scanning = started(scanGaps(database, HOUR, END_MS));
  await untilWaiting(database, 2);
  const reading = await database.sql<{ mode: string }[]>`
    select mode from pg_locks join pg_stat_activity using (pid)
    where relation = 'ohlcv_1h'::regclass and granted and query like '%titan10_scan_gaps(%' and wait_event_type = 'Lock'`;
  await holder.release();
  await Promise.all([expiring, scanning]);
  assert.deepEqual([...reading], []);
}

async function wantedMeetsFirstPoll(database: Database): Promise<void> {
  await fill(
    database,
    "update checkpoints set covered = '{}', unsettled = '{}', followed_from = 'infinity'",
  );
  let running: Promise<unknown> = Promise.resolve();
  await database.sql.begin(async (tx) => {
    await tx`update checkpoints set followed_from = to_timestamp(${END_MS / 1000})`;
    const wanted = WANTED.map((one) => ({ ...one, wantedEndsMs: START_MS + 2 * HOUR_MS }));
    running = started(noteWanted(database, wanted));
    assert.equal(await waitsOrEnds(database, running), "waits");
  });
  await running;
  const rows = await database.sql<{ followed: Date; ends: Date }[]>`
    select distinct followed_from as followed, wanted_ends as ends from checkpoints`;
  assert.deepEqual(rows.map(({ followed, ends }) => [followed.getTime(), ends.getTime()]), [
    [END_MS, START_MS + 2 * HOUR_MS],
  ]);
}

async function fill({ sql }: Database, prepare = "select"): Promise<void> {
  await sql`truncate checkpoints, gaps, listings, alerts, rejected_candles, candle_revisions, ohlcv_1h,
    funding_checkpoints`;
  for (const { exchange, symbol, timeframe: { text } } of SERIES) {
    await sql.unsafe(
      `insert into checkpoints (exchange, symbol, timeframe, covered, unsettled, wanted_since, listed_from)
       select $1, $2, $3, range, range, lower(range), lower(range)
       from (select tstzmultirange(tstzrange(to_timestamp($4), to_timestamp($5))) as range) as span`,
      [exchange, symbol, text, START_MS / 1000, END_MS / 1000],
    );
    for (const hours of GAP_HOURS) {
      await sql`
        insert into gaps (exchange, symbol, timeframe, since, until, missing, next_try)
        select ${exchange}, ${symbol}, ${text}, since, since + interval '1 hour', 1, '2020-01-01'
        from to_timestamp(${START_MS / 1000 + hours * 3600}::float8) as since`;
    }
    await sql`
      insert into rejected_candles (exchange, symbol, timeframe, answered, reason, time, last_seen)
      values (${exchange}, ${symbol}, ${text}, '[]', 'low_above_open', to_timestamp(${
      START_MS / 1000
    }), '2020-01-01')`;
    await sql`
      insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume)
      values (${exchange}, ${symbol}, ${text}, '2020-01-01', 1, 1, 1, 1, 1)`;
  }
  for (const [at, symbol] of SYMBOLS.entries()) {
    await sql`
      insert into listings (exchange, symbol, since) values (${EXCHANGE}, ${symbol}, '2020-01-01')`;
    await sql`
      insert into alerts (id, alert, exchange, symbol, timeframe, value, threshold, summary, began)
      overriding system value
      values (${1000 - at}, 'gap_percent', ${EXCHANGE}, ${symbol}, '1m', 1, 1, '', '2020-01-01')`;
    await sql`
      insert into funding_checkpoints (exchange, symbol, wanted_since)
      values (${EXCHANGE}, ${symbol}, '2020-01-01')`;
  }
  await sql.unsafe(prepare).simple();
  // So small a table is read as it lies.
  await sql`analyze checkpoints, gaps, listings, alerts, rejected_candles, funding_checkpoints`;
}
