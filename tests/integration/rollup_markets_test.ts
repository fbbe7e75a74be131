/** No candle of a rollup is of two markets. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { nominalMs, parseTimeframe } from "../../lib/market/timeframe.ts";
import { planRollups } from "../../lib/market/rollup.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { readTimescale } from "../../lib/store/connection/timescale.ts";
import {
  arrangeRollups,
  keepRollupFresh,
  readRollups,
  refreshRollup,
} from "../../lib/store/rollups.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { writeStreamed } from "../../lib/store/streamed_write.ts";
import { rollUp } from "../../lib/upkeep/upkeep.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { TestClock } from "../support/test_clock.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";
import { withTwinMarkets } from "../support/twin_markets.ts";

const MINUTE_MS = 60_000;
const MINUTE = parseTimeframe("1m");
const ROLLUPS = ["5m", "1h", "1d"] as const;

for (const kind of DATABASE_KINDS) {
  Deno.test(`a rollup leaves out where a symbol became another market on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const { database } = opened;
    const clock = new TestClock();
    try {
      await emptyDatabase(database);
      await withTwinMarkets(() => clock.now(), async (twins) => {
        const fill = async (): Promise<void> => {
          const archive = await openTestArchive(database, {
            EXCHANGES: "kraken",
            SYMBOLS: "REP/USD,BTC/USD",
            TIMEFRAMES: "1m",
            BACKFILL: "1m:12h",
            ROLLUPS: ROLLUPS.join(","),
            EXCHANGE_PROXY_URL: twins.proxyUrl,
            EXCHANGE_KRAKEN: JSON.stringify({ rateLimit: 1 }),
          }, clock);
          await backfill(archive, { patient: false });
          await rollUp(archive);
        };
        clock.pass(2 * MINUTE_MS);
        await fill();
        assert.deepEqual(await leftOut(database), [0, 0, 0]);
        twins.delisted.add("REPV2USD");
        await fill();
        // First worked out when they are asked for, then held.
        for (const passMs of [10 * MINUTE_MS, 100 * MINUTE_MS]) {
          clock.pass(passMs);
          await fill();
          // Half past twelve: five minutes, an hour and a day have candles of both.
          assert.deepEqual(await leftOut(database), [1, 1, 1]);
        }
      });
    } finally {
      await opened.drop();
    }
  });
}

for (const kind of DATABASE_KINDS) {
  Deno.test(`rollups of an older version stay and are kept fresh on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind, { isUnmigrated: true });
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const { database } = opened;
    try {
      const migrations = await readMigrations();
      const older = migrations.filter(({ name }) => name < "0021");
      assert(older.length < migrations.length);
      await migrate(database, older);
      const timescale = await readTimescale(database);
      if (timescale?.isLicensed === false) {
        // That version could make no tables under the Apache licence.
        await t.step({ name: "needs TimescaleDB's own licence", ignore: true, fn: () => {} });
        return;
      }
      await ensureCandleTables(database, [MINUTE]);
      await database.sql`
        insert into ohlcv_1m select time, 'kraken', 'REP/USD', 1, 3, 1, 2, 1
        from generate_series(timestamptz '2024-03-14', '2024-03-14 01:59', '1 minute') as time`;
      await database
        .sql`select titan10_add_rollup('5m', 'ohlcv_rollup_5m', null, '1m', '5 minutes', 5)`;
      await database
        .sql`select titan10_add_rollup('1h', 'ohlcv_rollup_1h', '5m', '1m', '1 hour', 60)`;
      const isTimescale = timescale !== undefined;
      for (const view of isTimescale ? ["ohlcv_rollup_5m", "ohlcv_rollup_1h"] : []) {
        await database.sql.unsafe(`call refresh_continuous_aggregate('${view}', null, null)`);
      }
      // What users make of them.
      await database.sql.unsafe(`
        create view of_users as select * from ohlcv_rollup_5m;
        create view merged_of_users as
          select * from ohlcv_merged('1m', 'REP/USD', '2024-03-14', '2024-03-15', array['kraken']);
        create view states_of_users as
          select * from ohlcv_explained('1m', 'kraken', 'REP/USD', '2024-03-14', '2024-03-14 02:00')`);
      await database.sql`
        insert into checkpoints (exchange, symbol, timeframe, candles, first, last, covered, unsettled)
        values ('kraken', 'REP/USD', '1m', 120, '2024-03-14Z', '2024-03-14 01:59Z',
                '{[2024-03-14Z, 2024-03-14 01:59Z)}', '{[2024-03-14 01:59Z, 2024-03-14 02:00Z)}')`;
      const of = "time, exchange, symbol, open, high, low, close, volume, candles, complete";
      const read = async (): Promise<readonly unknown[]> => [
        ...await database.sql.unsafe(`select ${of} from ohlcv_rollup_5m order by time`),
        ...await database.sql.unsafe(`select ${of} from ohlcv_rollup_1h order by time`),
        ...await database.sql`select * from of_users order by time`,
        ...await database.sql`select * from merged_of_users`,
        ...await database.sql`select * from states_of_users`,
      ];
      const reader = `reader_${crypto.randomUUID().slice(0, 8)}`;
      await database.sql.unsafe(`
        create role ${reader}; grant select on ohlcv_rollup_5m to ${reader} with grant option;
        grant select, insert on ohlcv_rollup_5m to public;
        grant select (time, close) on ohlcv_rollup_1h to ${reader};
        grant select (volume) on ohlcv_rollup_1h to ${reader} with grant option;
        revoke execute on function ohlcv_merged from public;
        grant execute on function ohlcv_merged to ${reader}`);
      const grants = async (): Promise<readonly unknown[]> => [
        ...await database.sql`
          select grantee, column_name, privilege_type, is_grantable from information_schema.column_privileges
          where table_name in ('ohlcv_rollup_5m', 'ohlcv_rollup_1h') and grantee in (${reader}, 'PUBLIC')
          order by 1, 2, 3, table_name`,
      ];
      const granted = await grants();
      assert.equal(granted.length, 10 + 2 * 10 + 3);
      const before = await read();
      assert.equal(before.length, 24 + 2 + 24 + 120 + 1);
      await migrate(database, migrations);
      assert.deepEqual(await read(), before);
      // Who may read a whole view may read its new columns, too.
      const isNew = (grant: unknown): boolean =>
        ["provisional", "volume_base"].includes(
          (grant as { readonly column_name: string }).column_name,
        );
      const now = await grants();
      assert.deepEqual(now.filter((grant) => !isNew(grant)), granted);
      assert.equal(now.filter(isNew).length, 2 * 3);
      // Who may merge candles may still: by a function that calls another one.
      const callers = await database.sql`
        select oid::regprocedure::text as name from pg_proc
        where proname = 'ohlcv_merged' and has_function_privilege(${reader}, oid, 'execute')
          and not exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) where grantee = 0)`;
      assert.equal(callers.length, 2);
      await streams(database);
      await database.sql`drop view of_users`;
      await database.sql.unsafe(`drop owned by ${reader}; drop role ${reader}`);

      const { rollups } = planRollups(["5m", "1h"].map(parseTimeframe), [MINUTE]);
      const { added, dropped } = await arrangeRollups(database, rollups);
      assert.deepEqual([added, dropped], [[], []]);
      await database.sql`
        insert into ohlcv_1m select time, exchange, symbol, open, 4, low, close, volume from ohlcv_1m
        where time = '2024-03-14' on conflict (exchange, symbol, time) do update set high = excluded.high`;
      for (const rollup of isTimescale ? await readRollups(database) : []) {
        const [sinceMs, untilMs] = [Date.UTC(2024, 2, 14), Date.UTC(2024, 2, 14, 2)];
        await refreshRollup(database, rollup, { sinceMs, untilMs });
        await keepRollupFresh(database, rollup);
      }
      const highs = await database.sql`
        select high::int from ohlcv_rollup_5m where time = '2024-03-14'
        union all select high::int from ohlcv_rollup_1h where time = '2024-03-14'`;
      assert.deepEqual(highs.map(({ high }) => high), [4, 4]);
      await arrangeRollups(database, []);
      const left = await database.sql`select from pg_class where relname ~ 'rollup_(5m|1h)$'`;
      assert.equal(left.length, 0);
    } finally {
      await opened.drop();
    }
  });
}

/** An archive of an older version takes streamed candles, and marks nothing that it had. */
async function streams(database: Database): Promise<void> {
  const marked = async (): Promise<readonly string[]> => {
    const rows = await database.sql<{ text: string }[]>`
      select '5m ' || to_char(time at time zone 'UTC', 'HH24:MI') as text from ohlcv_rollup_5m where provisional
      union all
      select '1h ' || to_char(time at time zone 'UTC', 'HH24:MI') from ohlcv_rollup_1h where provisional`;
    return rows.map(({ text }) => text);
  };
  assert.deepEqual(await marked(), []);
  const streamed = {
    series: { exchange: "kraken", symbol: "REP/USD", timeframe: MINUTE },
    candle: {
      ...{ openTimeMs: Date.UTC(2024, 2, 14, 2), open: "1", high: "1", low: "1", close: "1" },
      volume: "1",
    },
    marketId: undefined,
  };
  assert.deepEqual(await writeStreamed(database, [streamed]), ["stored"]);
  assert.deepEqual(await marked(), ["5m 02:00", "1h 02:00"]);
  const plan = await database
    .sql`explain select time, close from ohlcv_rollup_5m where symbol = 'REP/USD'`;
  assert.doesNotMatch(
    JSON.stringify(plan),
    /checkpoints/,
    "what does not read the mark pays for it",
  );
  const { candle } = streamed;
  const nextMs = candle.openTimeMs + MINUTE_MS;
  const page = {
    candles: [{ ...candle, openTimeMs: nextMs }],
    rejected: [],
    answered: { sinceMs: candle.openTimeMs, untilMs: nextMs + MINUTE_MS },
    reachFromMs: undefined,
  };
  // The answer has the next one, and not this one: it is taken back.
  assert.equal((await writePage(database, streamed.series, page)).streamed.withdrawn, 1);
  assert.deepEqual(await marked(), []);
}

/** How many candles each rollup leaves out: those in whose time a symbol became another market, and no others. */
async function leftOut({ sql }: Database): Promise<readonly number[]> {
  const candles = await sql<Row[]>`
    select symbol, (extract(epoch from time) * 1000)::float8 as time_ms, trim_scale(low)::text as low,
           trim_scale(high)::text as high from ohlcv_1m order by symbol, time`;
  const changes = await sql<{ symbol: string; time_ms: number }[]>`
    select symbol, (extract(epoch from since) * 1000)::float8 as time_ms from listings where noticed_at is not null`;
  const counts: number[] = [];
  for (const text of ROLLUPS) {
    const stepMs = nominalMs(parseTimeframe(text));
    const buckets = Map.groupBy(
      candles,
      ({ symbol, time_ms }) => `${symbol} ${Math.floor(time_ms / stepMs) * stepMs}`,
    );
    const changed = new Set(
      changes.map(({ symbol, time_ms }) => `${symbol} ${Math.floor(time_ms / stepMs) * stepMs}`),
    );
    const expected = [...buckets].flatMap(([name, [first, ...others]]) => {
      if (changed.has(name)) return [];
      assert(others.every(({ low }) => low === first!.low), `${name} is of one market`);
      return [`${name} ${first!.low} ${first!.high} ${others.length + 1}`];
    });
    const rows = await sql.unsafe<(Row & { candles: number })[]>(
      `select symbol, (extract(epoch from time) * 1000)::float8 as time_ms, trim_scale(low)::text as low,
              trim_scale(high)::text as high, candles::int from ohlcv_rollup_${text} order by symbol, time`,
    );
    const there = rows.map(({ symbol, time_ms, low, high, candles }) =>
      `${symbol} ${time_ms} ${low} ${high} ${candles}`
    );
    assert.deepEqual(there, expected, text);
    counts.push(buckets.size - there.length);
  }
  return counts;
}

interface Row {
  readonly symbol: string;
  readonly time_ms: number;
  readonly low: string;
  readonly high: string;
}
