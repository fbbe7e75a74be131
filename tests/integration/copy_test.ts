/** `titan10 copy`: what arrives is what was there, all of it, once. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { LEDGER_TABLES } from "../../lib/store/ledger_tables.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { copyTemplate } from "../support/embedded_template.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { seed } from "../support/seeded.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";

const SINCE = "2024-01-01T00:00:00Z";

/** Told of a copy that takes long. */
const PROGRESS = /^[\d,]+ of [\d,]+ candles$/gm;

/** Tables that are not copied, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  titan10_migrations: "the target's own",
  archive: "the target's own",
  copied_series: "the copy itself",
  recent_pages: "only of use while requests are under way",
  timeframes: "made with the tables, and completed",
  policy_runs: "of the embedded server's policies",
  rollups: "worked out anew",
  nodes: "processes that work on the other one",
  node_symbols: "of those processes",
  egress_leases: "of those processes",
  leases: "of those processes",
  node_exchanges: "of those processes",
  alert_holds: "of the last minutes, by the node that leads there",
};

Deno.test("an embedded archive is carried to a server", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "titan10-copy-" });
  const server = await startPostgres();
  try {
    if (server === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const env = {
      DATA_DIR: `${folder}/data`,
      EXCHANGES: "binance",
      TIMEFRAMES: "1h",
      BACKFILL: "off",
      HTTP_PORT: "0",
    };
    const admin = await open(server.url);
    await copyTemplate(env.DATA_DIR);
    await withDatabase(undefined, env.DATA_DIR, fill);
    const databaseUrl = async (name: string): Promise<string> => {
      await admin.sql.unsafe(`create database ${name}`);
      return server.url.replace(/postgres$/, name);
    };
    try {
      await steps(t, { env, databaseUrl });
    } finally {
      await admin.close();
    }
  } finally {
    await server?.stop();
    await Deno.remove(folder, { recursive: true });
  }
});

interface Tools {
  readonly env: Readonly<Record<string, string>> & { readonly DATA_DIR: string };
  readonly databaseUrl: (name: string) => Promise<string>;
}

/** What an archive holds that is none of ours. */
const OTHER_ARCHIVE = [
  { exchange: "okx", symbol: "BTC/USDT", timeframe: "1h", since: SINCE, candles: 2 },
];

async function steps(t: Deno.TestContext, { env, databaseUrl }: Tools): Promise<void> {
  const copied = (to: string, ...args: string[]): Promise<CommandResult> =>
    runInProcess(["copy", "--to", to, ...args], env);
  const whole = await databaseUrl("whole");
  await t.step("no table is forgotten", async () => {
    await withDatabase(undefined, env.DATA_DIR, async ({ sql }) => {
      const tables = await sql<{ name: string }[]>`
        select table_name as name from information_schema.tables
        where table_schema = 'public' and table_type = 'BASE TABLE'
          and table_name not in (select table_name from timeframes)`;
      assert.deepEqual(
        tables.map(({ name }) => name).sort(),
        [...Object.keys(LEDGER_TABLES), ...Object.keys(LEFT_OUT)].sort(),
      );
    });
  });
  await t.step("every candle and every row of the ledger arrives", async () => {
    const { code, stdout, stderr } = await copied(whole);
    assert.deepEqual([code, stderr.replaceAll(PROGRESS, "").trim()], [0, ""]);
    assert.match(stdout, /^25,006 candles of 4 series copied\n/);
    assert.match(stdout, /\n {2}checkpoints +4 rows\n/);
    assert.deepEqual(await contentOf(whole, ""), await contentOf(undefined, env.DATA_DIR));
    await withDatabase(whole, "", async ({ sql }) => {
      const streamed = await sql`select exchange, timeframe from streamed_candles`;
      assert.deepEqual(streamed.map((row) => Object.values(row)), [["binance", "1h"]]);
      const [next] =
        await sql`insert into alerts (alert, exchange, value, threshold, summary, began)
        values ('breaker_open', 'kraken', 1, 1, 'later', now()) returning id`;
      assert.equal(next?.["id"], "8");
      const [told] = await sql`select text, candles::int from events where kind = 'copied'`;
      assert.deepEqual({ ...told }, {
        text: "An embedded archive of 4 series was copied here",
        candles: 25_006,
      });
    });
  });
  await t.step("a copy is not made twice, nor into another archive", async () => {
    const again = await copied(whole);
    assert.equal(again.code, 1);
    assert.match(
      again.stderr,
      /^Cannot copy to postgres:\/\/127\.0\.0\.1:\d+\/whole: this archive was copied there on 20/,
    );
    const other = await databaseUrl("other");
    await withDatabase(other, "", (database) => seed(database, OTHER_ARCHIVE));
    const before = await contentOf(other, "");
    const mixed = await copied(other);
    assert.equal(mixed.code, 1);
    assert.match(
      mixed.stderr,
      /: it holds another archive, of 1 series, and archives are not mixed/,
    );
    assert.deepEqual(await contentOf(other, ""), before);
  });
  await t.step("into a schema beside another archive, which stays as it is", async () => {
    const shared = await databaseUrl("shared");
    await withDatabase(shared, "", (database) => seed(database, OTHER_ARCHIVE));
    const before = await contentOf(shared, "");
    await withDatabase(shared, "", ({ sql }) => sql`create schema mine`);
    const mine = `${shared}?search_path=mine,public`;
    const { code, stderr } = await copied(mine);
    assert.deepEqual([code, stderr.replaceAll(PROGRESS, "").trim()], [0, ""]);
    assert.deepEqual(await contentOf(mine, ""), await contentOf(undefined, env.DATA_DIR));
    assert.deepEqual(await contentOf(shared, ""), before);
  });
  await t.step(
    "stopped half way, it goes on, also when the archive has changed since",
    async () => {
      const half = await databaseUrl("half");
      // The last of four series meets a table that refuses it.
      await withDatabase(half, "", async (database) => {
        await migrate(database, await readMigrations());
        await database
          .sql`select titan10_add_timeframe('1h', 'ohlcv_1h', '420 days', '1 hour', '1970-01-01Z')`;
        await database.sql.unsafe(`
          create function full_disk() returns trigger language plpgsql as
            'begin raise exception ''full_disk''; end';
          create trigger full_disk before insert on ohlcv_1h for each row
            when (new.time >= '2026-01-01') execute function full_disk()`);
      });
      const stopped = await copied(half);
      assert.deepEqual([stopped.code, /full_disk/.test(stopped.stderr)], [1, true], stopped.stderr);
      await withDatabase(half, "", async ({ sql }) => {
        const [row] = await sql`select (select count(*)::int from ohlcv_1h) as candles,
        (select count(*)::int from copied_series) as series, (select count(*)::int from checkpoints) as ledger`;
        assert.ok(row?.["candles"] > 10_000 && row?.["candles"] < 20_000, Deno.inspect(row));
        assert.deepEqual([row?.["series"], row?.["ledger"]], [3, 0]);
        await sql`drop function full_disk cascade`;
      });
      for (const args of [["run"], ["backfill"], ["gaps"]]) {
        const refused = await runInProcess(args, { ...env, DATABASE_URL: half });
        assert.equal(refused.code, 1, args[0]);
        assert.match(refused.stderr, /a copy to it is not complete/);
      }
      await withDatabase(undefined, env.DATA_DIR, async ({ sql }) => {
        await sql`update ohlcv_1h set close = 39999.99 where exchange = 'kraken'`;
        await sql`delete from ohlcv_1h where exchange = 'binance' and time < '2024-01-02'`;
        await sql`update checkpoints set first = '2024-01-02', candles = candles - 24 where exchange = 'binance'`;
        await sql`delete from gaps where since = '2024-02-01'`;
        // A streamed candle is taken back where an answer brings its neighbour: as many as before.
        await sql`update ohlcv_1mo set time = '2024-03-01Z' where symbol = 'ETH/USD' and time = '2024-02-01Z'`;
        await sql`delete from candle_revisions where symbol = 'ETH/USD'`;
        await sql`update checkpoints set unsettled = '{}', streamed = '{}' where symbol = 'ETH/USD'`;
      });
      const finished = await copied(half, "--json");
      assert.equal(finished.code, 0, finished.stderr);
      const { candles, found } = JSON.parse(finished.stdout);
      assert.deepEqual([candles, found], [24_982, 1]);
      assert.deepEqual(await contentOf(half, ""), await contentOf(undefined, env.DATA_DIR));
    },
  );
  await t.step("what cannot be copied is said, without secrets", async () => {
    const away = await copied("postgres://u:hunter2@127.0.0.1:9/d?password=hunter2");
    assert.deepEqual([away.code, /ECONNREFUSED/.test(away.stderr)], [1, true]);
    assert.doesNotMatch(away.stderr, /hunter2/);
    const nothing = await runInProcess(["copy", "--to", whole], {
      ...env,
      DATA_DIR: `${env.DATA_DIR}-not`,
    });
    assert.match(
      nothing.stderr,
      /^Cannot copy: there is no embedded archive in .*-not\. Set DATA_DIR/,
    );
    assert.equal((await runInProcess(["copy"], env)).code, 2);
    const holder = await open(undefined, env.DATA_DIR);
    try {
      assert.match(
        (await copied(whole)).stderr,
        /^Cannot copy: the daemon holds .*\. Stop the daemon first$/,
      );
    } finally {
      await holder.close();
    }
  });
}

/** An archive with something in every table. */
async function fill(database: Database): Promise<void> {
  await seed(database, [
    { exchange: "binance", symbol: "BTC/USDT", timeframe: "1h", since: SINCE, candles: 25_000 },
    { exchange: "kraken", symbol: "BTC/USD:USD", timeframe: "1h", since: SINCE, candles: 2 },
    { exchange: "kraken", symbol: "BTC/USD:USD", timeframe: "1M", since: SINCE, candles: 1 },
    { exchange: "kraken", symbol: "ETH/USD", timeframe: "1M", since: SINCE, candles: 4 },
  ]);
  await database.sql.unsafe(`
    delete from ohlcv_1mo where symbol = 'ETH/USD' and time = '2024-03-01Z';
    update checkpoints set candles = 3, unsettled = '{[2024-02-01Z,2024-03-01Z)}' where symbol = 'ETH/USD';
    insert into imports (file, exchange, symbol, timeframe, stored) overriding system value
      values ('a "b".csv', 'kraken', 'BTC/USD:USD', '1h', '{[2024-01-01 00:00Z,2024-01-01 02:00Z)}');
    update ohlcv_1h set volume = 1.500 where exchange = 'kraken';
    update checkpoints set covered = '{[2024-01-01 00:00Z,2024-01-01 02:00Z),[2024-01-01 05:00Z,2024-01-01 06:00Z)}',
      wanted_ends = '2024-02-01', followed_from = 'infinity', last_error = E'line\\n\\\\ "quoted" €' where exchange = 'kraken' and timeframe = '1h';
    update checkpoints set unsettled = tstzmultirange(tstzrange(last - interval '1 hour', last + interval '1 hour')),
      streamed = tstzmultirange(tstzrange(last, last + interval '1 hour')),
      covered = tstzmultirange(tstzrange(first, last - interval '1 hour')) where exchange = 'binance';
    insert into listings (exchange, symbol, since, market_id) values ('kraken', 'BTC/USD:USD', '2024-01-01', 'XBT');
    insert into gaps (exchange, symbol, timeframe, since, until, missing)
      select 'kraken', 'BTC/USD:USD', '1h', '2024-02-01Z'::timestamptz + n * '2 hours'::interval,
             '2024-02-01 01:00Z'::timestamptz + n * '2 hours'::interval, 1 from generate_series(0, 4999) as n;
    insert into rejected_candles (exchange, symbol, timeframe, answered, reason, import_id)
      values ('kraken', 'BTC/USD:USD', '1h', '[1,"\\u0000"]', 'not_six_values', 1);
    insert into import_conflicts values ('kraken', 'BTC/USD:USD', '1h', '2024-01-01Z', 1, 1, 2, 0.5, 1.50, 1e-30);
    insert into exchanges (exchange, banned_until) values ('kraken', 'infinity');
    insert into exchange_egress (exchange, egress, breaker, banned_until)
      values ('kraken', '192.0.2.1', 'open', 'infinity');
    insert into capabilities values ('kraken', '1h', 720, 'answers', 720, false, 720, null, now());
    insert into funding_checkpoints (exchange, symbol, covered, rates, first, last)
      values ('kraken', 'BTC/USD:USD', '{[2024-01-01Z, 2024-01-03Z)}', 2, '2024-01-01 00:00:00.007Z', '2024-01-02Z');
    insert into funding_rates values ('kraken', 'BTC/USD:USD', '2024-01-01 00:00:00.007Z', -1e-30),
      ('kraken', 'BTC/USD:USD', '2024-01-02Z', 0.000100);
    insert into funding_revisions values ('kraken', 'BTC/USD:USD', '2024-01-02Z', '2024-01-03Z', 0.2);
    insert into funding_holes (exchange, symbol, since, until, missing)
      values ('kraken', 'BTC/USD:USD', '2024-01-01 00:00:00.008Z', '2024-01-02Z', 2);
    insert into jobs (job, last_start) values ('poll', now());
    insert into alerts (id, alert, exchange, value, threshold, summary, began, began_sent) overriding system value
      values (7, 'stale', 'kraken', 0.1, 180, 'stale', now(), '-infinity');
    select titan10_note_event('banned', 'kraken', null, null, null, now(), now(), 37, null, 'banned', false)`);
}

/** All rows of all tables, as texts. */
function contentOf(url: string | undefined, dataDir: string): Promise<unknown> {
  return withDatabase(url, dataDir, async ({ sql }) => {
    const content: Record<string, readonly string[]> = {};
    for (
      const [table, columns] of [
        ...Object.keys(LEDGER_TABLES).map((name) => [name, "*"]),
        ["timeframes", "*"],
        ["streamed_candles", "*"],
        ["ohlcv", "timeframe, exchange, symbol, time, open, high, low, close, volume"],
      ]
    ) {
      const rows = await sql.unsafe<{ row: string }[]>(
        `select row_to_json(entry)::text as row from (select ${columns} from ${table}) as entry ${
          // That it was copied is told at the target alone.
          table === "events" ? "where kind <> 'copied'" : ""}`,
      );
      content[table!] = rows.map(({ row }) => row).sort();
    }
    assert.ok(content["candle_revisions"]!.length > 0 || url !== undefined);
    return content;
  });
}

function open(url: string | undefined, dataDir = ""): Promise<Database> {
  return openDatabase({ url, dataDir, poolMax: 2, clock: systemClock });
}

async function withDatabase<T>(
  url: string | undefined,
  dataDir: string,
  use: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await open(url, dataDir);
  try {
    return await use(database);
  } finally {
    await database.close();
  }
}
