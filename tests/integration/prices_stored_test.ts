/** Candles of other prices than trades in the tables: an archive made before them, and rows that must not come in. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { type PageWrite, writePage } from "../../lib/store/page_write.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const MINUTE = parseTimeframe("1m");
const SINCE_MS = Date.UTC(2024, 0, 4);
const SINCE = new Date(SINCE_MS);
const MARKET = { exchange: "binance", symbol: "BTC/USDT:USDT", timeframe: MINUTE } as const;
const MARK = { ...MARKET, symbol: "BTC/USDT:USDT@mark" } as const;
const PREMIUM = { ...MARKET, symbol: "BTC/USDT:USDT@premium" } as const;

/** The migration before these prices. */
const BEFORE = 43;

for (const kind of DATABASE_KINDS) {
  Deno.test(`an archive that is older than its prices takes them in, on ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind, { isUnmigrated: true });
    if (opened === undefined) return;
    const { database, drop } = opened;
    try {
      const migrations = await readMigrations();
      await migrate(database, migrations.filter(({ version }) => version <= BEFORE));
      await fillFormerArchive(database);
      await t.step("and refused them before", async () => {
        await assert.rejects(insert(database, MARK.symbol, "1", "2", "1", "2", null));
        await assert.rejects(insert(database, PREMIUM.symbol, "0", "0", "0", "0", "0"));
      });
      await migrate(database, migrations);
      await t.step("with all that it had", async () => {
        assert.equal((await database.sql`select from ohlcv_1m`).length, 100);
        await writePage(database, MARKET, page("7", "9"));
        assert.equal((await database.sql`select from ohlcv_1m where volume = 9`).length, 100);
        assert.equal((await database.sql`select from candle_revisions`).length, 100);
      });
      for (const [name, test] of Object.entries(TESTS)) {
        await t.step(name, () => test(database));
      }
    } finally {
      await drop();
    }
  });
}

/** A series whose chunk is compressed where there are chunks, checks with other names, and one of the user's own. */
async function fillFormerArchive(database: Database): Promise<void> {
  const { sql } = database;
  await ensureCandleTables(database, [MINUTE]);
  await sql.unsafe(`
    alter table ohlcv_1m rename constraint ohlcv_1m_volume_check to "renamed by a restore";
    alter table ohlcv_1m add constraint own_rule check (volume < 1000000)`);
  // The program's own statement needs what later migrations bring.
  await sql`
    with page as (
      insert into ohlcv_1m (time, exchange, symbol, open, high, low, close, volume)
      select time, ${MARKET.exchange}, ${MARKET.symbol}, 5, 5, 5, 5, 6
      from generate_series(${SINCE}, ${SINCE}::timestamptz + interval '99 minutes', interval '1 minute') as time
    )
    insert into checkpoints (exchange, symbol, timeframe, covered, candles, first, last)
    values (${MARKET.exchange}, ${MARKET.symbol}, '1m',
            tstzmultirange(tstzrange(${SINCE}, ${SINCE}::timestamptz + interval '100 minutes')), 100,
            ${SINCE}, ${SINCE}::timestamptz + interval '99 minutes')`;
  const [hypertable] = await sql`select titan10_is_hypertable('ohlcv_1m') as yes`;
  if (hypertable?.["yes"] === true) await sql`select compress_chunk(show_chunks('ohlcv_1m'))`;
}

const TESTS: Readonly<Record<string, (database: Database) => Promise<void>>> = {
  "a timeframe that is added later has the same checks": async (database) => {
    await ensureCandleTables(database, [parseTimeframe("1h")]);
    const checks = await database.sql<{ table: string; checks: string[] }[]>`
      select conrelid::regclass::text as table,
             json_agg(pg_get_constraintdef(oid) order by pg_get_constraintdef(oid)) as checks
      from pg_constraint
      where contype = 'c' and conrelid in ('ohlcv_1m'::regclass, 'ohlcv_1h'::regclass)
        and conname <> 'own_rule' and pg_get_constraintdef(oid) not like '%date_bin%'
      group by conrelid order by 1`;
    assert.equal(checks.length, 2);
    assert.equal(checks[0]?.checks.length, 5);
    assert.deepEqual(checks[0]?.checks, checks[1]?.checks);
  },

  "the user's own check stays": async (database) => {
    await assert.rejects(
      insert(database, "ETH/USDT:USDT", "1", "1", "1", "1", "1000000"),
      /own_rule/,
    );
  },

  "a candle of trades without volume, or with a price of zero, is refused": async (database) => {
    const { symbol } = MARKET;
    await assert.rejects(insert(database, symbol, "1", "2", "1", "2", null), /violates check/);
    await assert.rejects(insert(database, symbol, "0", "2", "0", "2", "1"), /violates check/);
    await assert.rejects(insert(database, symbol, "1", "2", "1", "2", "-1"), /violates check/);
    await assert.rejects(insert(database, symbol, "1", "2", "1", "2", "NaN"), /violates check/);
  },

  "a mark price of zero or below is refused, and so is a premium that is no number": async (
    database,
  ) => {
    await assert.rejects(
      insert(database, MARK.symbol, "-1", "2", "-1", "2", null),
      /violates check/,
    );
    for (const odd of ["NaN", "Infinity", "-Infinity"]) {
      await assert.rejects(
        insert(database, PREMIUM.symbol, odd, odd, odd, odd, null),
        /violates check/,
        odd,
      );
    }
    await assert.rejects(
      insert(database, PREMIUM.symbol, "0.1", "0.05", "-0.1", "0.06", null),
      /violates check/,
      "its high lies below its close",
    );
  },

  "several exchanges are merged by the plain mean, whatever the method says, and without volume":
    async (
      database,
    ) => {
      const { sql } = database;
      const bybit = { ...MARK, exchange: "bybit" };
      await writePage(database, MARK, page("10", null));
      await writePage(database, bybit, page("20", null));
      for (const [method, expected] of [["volume", "15"], ["primary", "10"]] as const) {
        const rows = await sql`
        select distinct trim_scale(open)::text as open, volume, volume_base
        from ohlcv_merged('1m', ${MARK.symbol}, ${new Date(SINCE_MS)}, ${new Date(
          SINCE_MS + 100 * MINUTE_MS,
        )}, null, ${method})`;
        assert.deepEqual(rows.map((row) => ({ ...row })), [
          { open: expected, volume: null, volume_base: null },
        ]);
      }
    },

  "a hole of a mark price is not explained by trades, nor one of trades by a mark price": async (
    database,
  ) => {
    const { sql } = database;
    const slotsOf = async (symbol: string): Promise<unknown> => {
      const [row] = await sql`
        select bool_or(traded) as traded from titan10_gap_slots('1m', 'binance', ${symbol},
          array[${new Date(SINCE_MS)}::timestamptz], array[${new Date(
        SINCE_MS + 10 * MINUTE_MS,
      )}::timestamptz], array[true])`;
      return row?.["traded"];
    };
    // Both have candles then, of one market each.
    assert.equal(await slotsOf("ETH/USDT:USDT"), true);
    assert.equal(await slotsOf("ETH/USDT:USDT@mark"), true);
    await sql`delete from ohlcv_1m where symbol = ${MARK.symbol} and exchange = 'binance'`;
    assert.equal(await slotsOf("ETH/USDT:USDT"), true);
    assert.equal(await slotsOf("ETH/USDT:USDT@mark"), false);
    await writePage(database, MARK, page("10", null));
    await sql`delete from ohlcv_1m where symbol = ${MARKET.symbol}`;
    assert.equal(await slotsOf("ETH/USDT:USDT"), false);
  },

  "a page of them is stored, and revised like any other": async (database) => {
    const first = await writePage(database, PREMIUM, page("-0.0001", null));
    const again = await writePage(database, PREMIUM, page("0", null));
    const same = await writePage(database, PREMIUM, page("0.0", null));
    assert.deepEqual([first.added, again.revised, same.revised], [100, 100, 0]);
    const [row] = await database.sql`
      select min(open)::text as open, count(volume)::int as volumes, count(*)::int as candles,
             (select count(*)::int from candle_revisions
              where symbol = ${PREMIUM.symbol} and volume is null and volume_by is null
                and open_by = 0.0001) as revisions
      from ohlcv where timeframe = '1m' and symbol = ${PREMIUM.symbol}`;
    assert.deepEqual({ ...row }, { open: "0", volumes: 0, candles: 100, revisions: 100 });
  },
};

function page(price: string, volume: string | null): PageWrite {
  const candles = Array.from({ length: 100 }, (_, n) => ({
    openTimeMs: SINCE_MS + n * MINUTE_MS,
    ...{ open: price, high: price, low: price, close: price, volume },
  }));
  const answered = { sinceMs: SINCE_MS, untilMs: SINCE_MS + 100 * MINUTE_MS };
  return { candles, rejected: [], answered, reachFromMs: undefined };
}

async function insert(
  { sql }: Database,
  symbol: string,
  ...[open, high, low, close, volume]: readonly (string | null)[]
): Promise<void> {
  await sql`insert into ohlcv_1m values (${new Date(SINCE_MS - MINUTE_MS)}, 'binance', ${symbol},
    ${open!}, ${high!}, ${low!}, ${close!}, ${volume ?? null})`;
}
