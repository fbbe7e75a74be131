/** `ohlcv_merged`: one candle a time from several exchanges. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

for (const kind of DATABASE_KINDS) {
  Deno.test(`candles of several exchanges are merged on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const { database } = opened;
    try {
      await migrate(database, await readMigrations());
      await ensureCandleTables(database, [parseTimeframe("1h")]);
      await database.sql.unsafe(`
        insert into ohlcv_1h (time, exchange, symbol, open, high, low, close, volume) values
          ('2024-01-01 00:00Z', 'binance', 'BTC/USDT', 100, 110, 90, 105, 30),
          ('2024-01-01 00:00Z', 'kraken',  'BTC/USDT', 104, 114, 94, 109, 10),
          ('2024-01-01 01:00Z', 'kraken',  'BTC/USDT', 109, 109, 109, 109, 0),
          ('2024-01-01 02:00Z', 'binance', 'BTC/USDT', 105, 106, 104, 106, 5),
          ('2024-01-01 02:00Z', 'okx',     'BTC/USDT', 1, 1, 1, 1, 1),
          ('2024-01-01 02:00Z', 'binance', 'ETH/USDT', 7, 7, 7, 7, 1)`);
      await t.step(
        "the primary exchange is taken where it has a candle, and the next where not",
        async () => {
          assert.deepEqual(await merged(database, "array['kraken', 'binance'], 'primary'"), [
            ["00", "109", "10", "kraken"],
            ["01", "109", "0", "kraken"],
            ["02", "106", "5", "binance"],
          ]);
        },
      );
      await t.step("without a list the exchange that trades most comes first", async () => {
        assert.deepEqual(await merged(database, "null"), [
          ["00", "105", "30", "binance"],
          ["01", "109", "0", "kraken"],
          ["02", "106", "5", "binance"],
        ]);
      });
      await t.step("prices are weighted by volume, and volumes added up", async () => {
        assert.deepEqual(await merged(database, "array['binance', 'kraken'], 'volume'"), [
          ["00", "106", "40", "binance,kraken"],
          ["01", "109", "0", "kraken"],
          ["02", "106", "5", "binance"],
        ]);
      });
      await t.step(
        "it is told what is made of a provisional candle, which can be left out",
        async () => {
          // One that came over a stream, and one that closed only just.
          await database.sql.unsafe(`
          insert into checkpoints (exchange, symbol, timeframe, unsettled, streamed) values
            ('okx', 'BTC/USDT', '1h', '{[2024-01-01 02:00Z,2024-01-01 03:00Z)}', '{[2024-01-01 02:00Z,)}'),
            ('kraken', 'BTC/USDT', '1h', '{[2024-01-01 01:00Z,2024-01-01 02:00Z)}', '{}'),
            ('binance', 'ETH/USDT', '1h', '{[2024-01-01Z,)}', '{[2024-01-01Z,)}')`);
          assert.deepEqual(await marked(database, "null, 'primary', false"), [
            "00 binance false",
            "01 kraken false",
            "02 binance false",
          ]);
          assert.deepEqual(await marked(database, "array['okx', 'kraken'], 'primary', false"), [
            "00 kraken false",
            "01 kraken false",
            "02 okx true",
          ]);
          assert.deepEqual(await marked(database, "null, 'volume', false"), [
            "00 binance,kraken false",
            "01 kraken false",
            "02 binance,okx true",
          ]);
          assert.deepEqual(await marked(database, "null, 'volume', true"), [
            "00 binance,kraken false",
            "02 binance false",
          ]);
          await database.sql`delete from checkpoints`;
          assert.deepEqual(await marked(database, "array['okx'], 'primary', true"), [
            "02 okx false",
          ]);
        },
      );
      await t.step(
        "who may read candles alone can merge them, as before there were marks",
        async () => {
          const reader = `reader_${crypto.randomUUID().replaceAll("-", "")}`;
          const { sql } = database;
          await sql.unsafe(
            `create role ${reader}; grant select on timeframes, ohlcv_1h to ${reader}`,
          );
          const count = (rest: string): Promise<unknown> =>
            sql.unsafe(`set local role ${reader};
            select from ohlcv_merged('1h', 'BTC/USDT', '2024-01-01', '2024-01-02'${rest})`);
          try {
            await count("");
            await count(", null, 'volume'");
            await assert.rejects(count(", null, 'volume', true"), /table checkpoints/);
          } finally {
            await sql.unsafe(`drop owned by ${reader}; drop role ${reader}`);
          }
        },
      );
      await t.step("a method or timeframe that is not there is named", async () => {
        await assert.rejects(merged(database, "null, 'median'"), /expected primary or volume/);
        await assert.rejects(
          database.sql`select * from ohlcv_merged('9x', 'BTC/USDT', now(), now())`,
          /Cannot merge candles of timeframe '9x'/,
        );
      });
    } finally {
      await opened.drop();
    }
  });
}

Deno.test("who alone might merge candles of an older archive still may, and nobody else", async (t) => {
  const opened = await openTestDatabase("postgres", { isUnmigrated: true });
  if (opened === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const { database, drop } = opened;
  const { sql } = database;
  const [reader, other] = ["reader", "other"].map((name) =>
    `${name}_${crypto.randomUUID().replaceAll("-", "")}`
  );
  const migrations = await readMigrations();
  try {
    await migrate(database, migrations.filter(({ version }) => version <= 40));
    await ensureCandleTables(database, [parseTimeframe("1h")]);
    await sql.unsafe(`
      create role ${reader}; create role ${other};
      alter default privileges revoke execute on functions from public;
      revoke execute on all functions in schema public from public;
      grant execute on function ohlcv_merged(text, text, timestamptz, timestamptz, text[], text),
        ohlcv_merged(text, text, timestamptz, timestamptz, text[], text, boolean) to ${reader};
      grant select on timeframes, ohlcv_1h to ${reader}, ${other}`);
    const merge = (role = ""): Promise<unknown> =>
      sql.unsafe(`set local role ${role};
        select from ohlcv_merged('1h', 'BTC/USDT', '2024-01-01', '2024-01-02')`);
    await merge(reader);
    await migrate(database, migrations);
    await merge(reader);
    await assert.rejects(merge(other), /permission denied for function ohlcv_merged/);
  } finally {
    await sql.unsafe(
      `drop owned by ${reader}, ${other}; drop role ${reader}; drop role ${other};
       alter default privileges grant execute on functions to public`,
    );
    await drop();
  }
});

/** Hour, sources and mark of each. */
async function marked({ sql }: Database, rest: string): Promise<readonly string[]> {
  const rows = await sql.unsafe<{ text: string }[]>(`
    select concat_ws(' ', to_char(time at time zone 'UTC', 'HH24'), array_to_string(sources, ','), provisional::text) as text
    from ohlcv_merged('1h', 'BTC/USDT', '2024-01-01', '2024-01-02', ${rest})`);
  return rows.map(({ text }) => text);
}

async function merged({ sql }: Database, rest: string): Promise<readonly (readonly string[])[]> {
  const rows = await sql.unsafe<Record<string, string>[]>(`
    select to_char(time at time zone 'UTC', 'HH24') as hour, trim_scale(close)::text as close,
           trim_scale(volume)::text as volume, array_to_string(sources, ',') as sources
    from ohlcv_merged('1h', 'BTC/USDT', '2024-01-01', '2024-01-02', ${rest})`);
  return rows.map(({ hour, close, volume, sources }) => [hour, close, volume, sources].map(String));
}
