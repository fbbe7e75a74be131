/** An archive is the same, to the last digit, whatever role, database, schema or pooler leads to it. @module */
import assert from "node:assert/strict";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { LOCAL_SYMBOLS, market } from "../../lib/local_exchange/local_symbol.ts";
import { closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { writeBan } from "../../lib/store/exchange_state.ts";
import { pruneJob } from "../../lib/upkeep/prune.ts";
import { expire, rollUp } from "../../lib/upkeep/upkeep.ts";
import { hostileRole } from "../support/hostile_role.ts";
import { binanceAt, openTestArchive, QUICK } from "../support/local_archive.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { type Pgbouncer, startPgbouncer } from "../support/pgbouncer.ts";
import { runInProcess } from "../support/shell.ts";
import { TestClock } from "../support/test_clock.ts";
import { openPostgres } from "../support/test_database.ts";

const HOUR = parseTimeframe("1h");
const HOUR_MS = 3_600_000;
const SYMBOLS = ["BTC/USDT", "1000PEPE/USDT", "币安人生/USDT"];

const HOLE_HOURS = 10;
const FILE_HOURS = 5;
/** Two hours and twenty days of each symbol, and thirty of the first one: what lies behind the file's is asked for. */
const CANDLES = 3 * (20 * 24 + 2) + 10 * 24 - HOLE_HOURS;

/** Where an archive is. */
interface Place {
  readonly url: string;
  readonly database: string;
  readonly schema: string;
}

interface Ground {
  /** A name that nothing on the server has. */
  readonly name: string;
  /** Runs a statement with all rights. */
  readonly execute: (statement: string, database?: string) => Promise<void>;
  /** As in DATABASE_URL. */
  readonly urlOf: (
    database: string,
    change?: { readonly user?: string; readonly port?: number },
  ) => string;
  readonly pooler: () => Promise<Pgbouncer | undefined>;
}

/** Undefined where it cannot be tried. */
type Way = (ground: Ground) => Promise<Place | undefined>;

/** The first is what the others are compared with. */
const WAYS: Readonly<Record<string, Way>> = {
  "the server itself": async ({ name, execute, urlOf }) => {
    await execute(`create database ${name}`);
    return { url: urlOf(name), database: name, schema: "public" };
  },

  "a role of hostile settings, and a schema of an odd name": async ({ name, execute, urlOf }) => {
    const [role, schema] = [`${name}.Role"1`, `My "Own", $user`];
    await execute(`create database ${name};\n${hostileRole(quoted(role))}`);
    await execute(`create schema ${quoted(schema)}`, name);
    await execute(`alter role ${quoted(role)} set search_path = ${quoted(schema)}`);
    return { url: urlOf(name, { user: role }), database: name, schema };
  },

  "a role without rights but to its database, which acts as another one": async (
    { name, execute, urlOf },
  ) => {
    await execute(
      `create role ${name}_owner;\ncreate role ${name} login in role ${name}_owner`,
    );
    for (
      const setting of [
        `role = ${name}_owner`,
        "extra_float_digits = -15",
        "statement_timeout = '50ms'",
        "check_function_bodies = off",
        "default_tablespace = 'gone'",
        "row_security = off",
        "synchronous_commit = off",
      ]
    ) await execute(`alter role ${name} set ${setting}`);
    await execute(`create database ${name} owner ${name}_owner`);
    await execute(`alter schema public owner to ${name}_owner`, name);
    return { url: urlOf(name, { user: name }), database: name, schema: "public" };
  },

  "a database of another date style, time zone and order of texts": async (
    { name, execute, urlOf },
  ) => {
    await execute(
      `create database ${name} template template0 locale_provider icu icu_locale 'und-u-kn-kr-digit-latn'`,
    );
    for (const setting of ["datestyle = 'SQL, DMY'", "timezone = 'Asia/Kathmandu'"]) {
      await execute(`alter database ${name} set ${setting}`);
    }
    return { url: urlOf(name), database: name, schema: "public" };
  },

  "a database whose tables are all published": async ({ name, execute, urlOf }) => {
    await execute(`create database ${name}`);
    await execute("create publication everything for all tables", name);
    return { url: urlOf(name), database: name, schema: "public" };
  },

  "PgBouncer in transaction mode": async ({ name, execute, urlOf, pooler }) => {
    const found = await pooler();
    if (found === undefined) return undefined;
    await execute(`create database ${name}`);
    const url = urlOf(name, { port: found.port });
    return { url, database: name, schema: "public" };
  },

  "a role of few connections, of which ten are asked for": async ({ name, execute, urlOf }) => {
    await execute(`create role ${name} login connection limit 3`);
    await execute(`create database ${name} owner ${name}`);
    return { url: urlOf(name, { user: name }), database: name, schema: "public" };
  },
};

Deno.test("an archive is the same by whatever way it is reached", async (t) => {
  const server = await openPostgres({ isUnmigrated: true });
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const made = new URL(server.url);
  let pooler: Pgbouncer | undefined;
  const names: string[] = [];
  try {
    let expected: Archived | undefined;
    for (const [description, way] of Object.entries(WAYS)) {
      const name = `way_${names.length}_${crypto.randomUUID().replaceAll("-", "")}`;
      names.push(name);
      const place = await way({
        name,
        execute: (statement, database) => execute(server.url, statement, database),
        urlOf: (database, { user = made.username, port = Number(made.port) } = {}) =>
          `postgres://${encodeURIComponent(user)}@${made.hostname}:${port}/${database}`,
        pooler: async () => pooler ??= await startPgbouncer(server.url),
      });
      await t.step({
        name: place === undefined ? `${description}, which is not installed` : description,
        ignore: place === undefined,
        fn: async () => {
          const admin = new URL(server.url);
          admin.pathname = `/${place!.database}`;
          const archived = await archive(place!, admin.href);
          expected ??= archived;
          assert.deepEqual(archived, expected);
          assert.equal(archived.content["ohlcv_1h"]?.length, CANDLES);
        },
      });
    }
  } finally {
    await pooler?.stop();
    await clear(server.url, names);
    await server.stop();
  }
});

/** What commands said of an archive, and all that it holds. */
interface Archived {
  readonly said: Readonly<Record<string, string>>;
  readonly content: Readonly<Record<string, readonly string[]>>;
}

/** Commands that print what an archive holds. */
const PRINTING: readonly (readonly string[])[] = [
  ["status", "--json"],
  ["status", "--storage", "--json"],
  ["gaps", "--json"],
  ["plan", "--json"],
  ["export"],
  ["query", "--json", "select * from ohlcv order by timeframe, exchange, symbol, time"],
  [
    "query",
    "--csv",
    "select symbol, sum(candles), max(high) from ohlcv_rollup_4h group by 1 order by 2, 3",
  ],
];

/** Lives through all that an archive lives through. */
async function archive({ url, schema }: Place, adminUrl: string): Promise<Archived> {
  const clock = new TestClock();
  const facts = { tickDecimals: 8, price: 0.00001, quoteVolume24h: 1_000_000 };
  const [bitcoin] = LOCAL_SYMBOLS;
  const exchange = await startLocalExchange({
    clock,
    symbols: [bitcoin!, ...SYMBOLS.slice(1).map((symbol) => market(symbol, facts))],
  });
  const env = {
    ...QUICK,
    DATABASE_URL: url,
    EXCHANGES: "binance",
    SYMBOLS: SYMBOLS.join(","),
    TIMEFRAMES: "1h",
    BACKFILL: "1h:20d",
    ROLLUPS: "4h",
    LOG_LEVEL: "error",
    EXCHANGE_BINANCE: binanceAt(exchange),
  };
  const command = async (args: readonly string[], input = ""): Promise<string> => {
    const { code, stdout, stderr } = await runInProcess(args, env, undefined, input, clock);
    assert.deepEqual([code, /paused|unavailable/.test(stderr)], [0, false], stderr);
    return stdout;
  };
  const database = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
  try {
    const untilMs = closedUntil(HOUR, clock.now());
    const hole = {
      sinceMs: untilMs - 100 * HOUR_MS,
      untilMs: untilMs - (100 - HOLE_HOURS) * HOUR_MS,
    };
    exchange.faults.add({ when: { symbol: "BTC/USDT" }, fault: { kind: "holes", ...hole } });
    await command(["migrate"]);
    const file = ["--exchange", "binance", "--symbol", "BTC/USDT", "--timeframe", "1h"];
    await command(["import", "-", ...file], csvOf(untilMs));
    await command(["backfill"]);
    await command(["gaps", "--repair"]);
    clock.pass(2 * HOUR_MS);
    const archive = await openTestArchive(database, env, clock);
    assert.equal((await new Poll(archive).runOnce()).failed, 0);
    await rollUp(archive);
    await revise(database, untilMs);
    const said: Record<string, string> = {};
    for (const args of PRINTING) said[args.join(" ")] = plain(await command(args));
    clock.pass(HOUR_MS);
    const open = () => openTestArchive(database, env, clock);
    await assertBanKept(database, { exchange, command, open, nowMs: clock.now() });
    const content = await contentOf(adminUrl, schema);
    clock.pass(900 * 24 * HOUR_MS);
    const later = await openTestArchive(
      database,
      { ...env, ROLLUPS: "", RETENTION: "1h:30d" },
      clock,
    );
    await rollUp(later);
    assert.equal(await expire(later), CANDLES);
    const pruning = pruneJob({ ...later, config: { ...later.config, pruneAfterMs: 0 } });
    assert.equal((await pruning.runOnce(new AbortController().signal))?.["candle_revisions"], 1);
    return { said, content };
  } finally {
    await database.close();
    await exchange.close();
  }
}

/** Hours before those that are fetched, with all digits that there are. */
function csvOf(untilMs: number): string {
  const rows = Array.from({ length: FILE_HOURS }, (_, n) => {
    const time = new Date(untilMs - (30 * 24 - n) * HOUR_MS).toISOString();
    return `${time},0.1,12345678901234567890.123456789,0.0000000001,0.3,1e-18`;
  });
  return ["time,open,high,low,close,volume", ...rows, ""].join("\n");
}

/** As a poll does that gets other values: the older ones are kept. */
async function revise(database: Database, untilMs: number): Promise<void> {
  await database.run("revise a candle", async (sql) => {
    await sql`
      update ohlcv_1h set volume = volume + 0.1
      where symbol = ${SYMBOLS[2]!} and time = ${new Date(untilMs - 50 * HOUR_MS).toISOString()}`;
    assert.equal((await sql`select from candle_revisions`).length, 1);
  });
}

/** A ban that another program was given. */
async function assertBanKept(
  database: Database,
  { exchange, command, open, nowMs }: {
    readonly exchange: LocalExchange;
    readonly command: (args: readonly string[]) => Promise<string>;
    readonly open: () => ReturnType<typeof openTestArchive>;
    readonly nowMs: number;
  },
): Promise<void> {
  const untilMs = nowMs + 24 * HOUR_MS;
  await writeBan(database, { exchange: "binance", egress: "here" }, {
    host: undefined,
    untilMs,
    reason: "banned",
  });
  const { exchanges } = JSON.parse(await command(["status", "--json"]));
  assert.equal(exchanges[0].bannedUntil, new Date(untilMs).toISOString());
  const before = exchange.requests.length;
  await new Poll(await open()).runOnce();
  assert.equal(exchange.requests.length, before, "a banned exchange is not asked");
}

/** Without what differs from one run to the next: sizes, and how long was waited, also after hours. */
function plain(text: string): string {
  return text.replaceAll(/"\w*bytes\w*":\d+/gi, "").replaceAll(/(T1[2-5]:3\d):\d\d(\.\d+)?/g, "$1");
}

/** All rows of all tables, as texts. */
async function contentOf(adminUrl: string, schema: string): Promise<Archived["content"]> {
  const sql = postgres(adminUrl, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(
      `set datestyle = 'ISO'; set timezone = 'UTC'; set search_path = ${quoted(schema)}`,
    );
    const tables = await sql<{ name: string; columns: string }[]>`
      select relname as name, string_agg(quote_ident(attname), ', ' order by attnum) as columns
      from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
      where relnamespace = ${quoted(schema)}::regnamespace and relkind in ('r', 'v')
        and relname not in ('recent_pages', 'nodes', 'node_symbols', 'node_exchanges')
        and coalesce(pg_get_expr(adbin, adrelid), '') !~ 'now|clock_timestamp' and attname <> all (${OF_THE_MOMENT})
        and (relname, attname) <> ('changed_months', 'version') and attname <> 'holder'
      group by relname`;
    const content: Record<string, readonly string[]> = {};
    for (const { name, columns } of tables) {
      const rows = await sql.unsafe<{ row: string }[]>(
        `select row_to_json(entry)::text as row from (select ${columns} from ${
          quoted(schema)
        }.${name}) as entry`,
      );
      content[name] = rows.map(({ row }) => plain(row)).sort();
    }
    return content;
  } finally {
    await sql.end();
  }
}

/** Columns that the database's own clock fills. */
const OF_THE_MOMENT = [
  "id",
  "last_error_at",
  "last_start",
  "last_success",
  "updated_at",
  "ended",
  "seconds",
];

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

async function execute(serverUrl: string, statement: string, database?: string): Promise<void> {
  const url = new URL(serverUrl);
  if (database !== undefined) url.pathname = `/${database}`;
  const sql = postgres(url.href, { max: 1, onnotice: () => {} });
  try {
    // One by one: a database is not made in a transaction.
    for (const one of statement.split(";\n")) await sql.unsafe(one);
  } finally {
    await sql.end();
  }
}

/** Drops the databases and then the roles of these names, and of names that begin with them. */
async function clear(serverUrl: string, names: readonly string[]): Promise<void> {
  const sql = postgres(serverUrl, { max: 1, onnotice: () => {} });
  try {
    for (const name of names) {
      await sql.unsafe(`drop database if exists ${name} with (force)`);
      const roles =
        await sql`select rolname as role from pg_roles where starts_with(rolname, ${name})`;
      for (const { role } of roles) await sql.unsafe(`drop role ${quoted(role)}`);
    }
  } finally {
    await sql.end();
  }
}
