/** The database's roles of deploy/: Titan-10 needs no more rights than it has, and Grafana reads the archive alone. @module */
import assert from "node:assert/strict";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { withoutMacros } from "../support/grafana.ts";
import { binanceAt, openTestArchive } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { type PostgresServer, startPostgres } from "../support/postgres_server.ts";
import { TestClock } from "../support/test_clock.ts";

const SCRIPT = fileURLToPath(new URL("../../deploy/timescaledb/10_roles.sh", import.meta.url));

/** With what a password may hold, and with the end of a line, which is not part of it. */
const SECRETS = {
  database_password: `it's "a" \\ :password $HOME\n`,
  grafana_database_password: "grafana's\n",
} as const;

/** One connection of a role. */
type Session = (text: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

interface Scene {
  readonly titan10Url: string;
  /** Runs the script as the image does, and asserts on its exit code. */
  readonly makeRoles: (code?: number) => Promise<string>;
  readonly superuser: Session;
  readonly titan10: Session;
  readonly grafana: Session;
}

const isPsqlHere = await new Deno.Command("psql", { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: `the roles of deploy/ have the rights that they need${
    isPsqlHere ? "" : ", but psql is not installed here"
  }`,
  ignore: !isPsqlHere,
  async fn(t): Promise<void> {
    const server = await startPostgres();
    if (server === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    await withScene(server, async (scene) => {
      await scene.makeRoles();
      for (const [name, test] of Object.entries(TESTS)) await t.step(name, () => test(scene));
    });
  },
});

/** In this order: the later ones read what the first has written. */
const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "Titan-10 migrates and archives": async ({ titan10Url, titan10 }) => {
    const clock = new TestClock();
    const exchange = await startLocalExchange({ clock });
    const database = await openDatabase({
      url: titan10Url,
      dataDir: "",
      poolMax: 2,
      clock: systemClock,
    });
    try {
      const archive = await openTestArchive(database, {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1m",
        BACKFILL: "1m:1d",
        EXCHANGE_BINANCE: binanceAt(exchange),
      }, clock);
      await backfill(archive, { patient: false });
      await ensureCandleTables(database, [parseTimeframe("1d")]);
    } finally {
      await database.close();
      await exchange.close();
    }
    const [row] = await titan10("select count(*)::int as candles from ohlcv_1m");
    assert(Number(row?.["candles"]) > 1_000, JSON.stringify(row));
  },

  "neither role is more than a role that may log in": async ({ superuser }) => {
    const rows = await superuser(`
      select rolname, rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls as is_more,
             (select count(*)::int from pg_auth_members where member = pg_roles.oid) as memberships
      from pg_roles where rolcanlogin order by rolname`);
    assert.deepEqual(
      rows.map(({ rolname, is_more, memberships }) => [rolname, is_more, memberships]),
      [
        ["grafana", false, 0],
        ["postgres", true, 0],
        ["titan10", false, 0],
      ],
    );
  },

  "Titan-10 is refused what is the superuser's": async ({ titan10 }) => {
    await assertRefused(titan10, [
      "create role other login superuser",
      "create role other",
      "create database other",
      "alter role titan10 superuser",
      "set role postgres",
      "set session authorization postgres",
      "alter system set log_statement = 'all'",
      "select pg_read_file('/etc/passwd')",
      "copy (select 1) to program 'true'",
      "select rolpassword from pg_authid",
      "create extension file_fdw",
      "select * from elsewhere.notes",
    ]);
  },

  "Grafana reads what the dashboard shows": async ({ grafana }) => {
    const queries = await dashboardQueries();
    assert(queries.length >= 8);
    for (const query of queries) await grafana(withoutMacros(query));
    const [row] = await grafana(
      "select count(*)::int as candles from ohlcv where timeframe = '1m'",
    );
    assert(Number(row?.["candles"]) > 1_000);
    // Made after the grants.
    await grafana("select from ohlcv_1d");
  },

  "Grafana is refused all else, though it tries to write": async ({ grafana }) => {
    await grafana("set default_transaction_read_only = off");
    await assertRefused(grafana, [
      "delete from ohlcv_1m",
      "update checkpoints set candles = 0",
      "insert into exchanges (exchange) values ('forged')",
      "truncate gaps",
      "drop table ohlcv_1m",
      "create table public.mine ()",
      "create temporary table mine ()",
      "create schema mine",
      "set role titan10",
      "select lo_create(0)",
      "select lo_from_bytea(0, 'x')",
      "select pg_advisory_lock(1)",
      "select pg_try_advisory_xact_lock_shared(1, 1)",
      ...(await isTimescale(grafana) ? ["select add_job('pg_sleep', '1h')"] : []),
      "select * from elsewhere.notes",
      "select rolpassword from pg_authid",
      "select pg_read_file('/etc/passwd')",
    ]);
  },

  "neither role enters another database": async ({ titan10Url }) => {
    for (const user of ["titan10", "grafana"]) {
      for (const name of ["postgres", "template1"]) {
        const other = session(titan10Url, { user, name });
        await assert.rejects(other.run("select 1"), /permission denied for database/);
        await other.end();
      }
    }
  },

  "the passwords are those of the files": async ({ superuser }) => {
    const rows = await superuser(
      "select rolname, rolpassword from pg_authid where rolpassword <> ''",
    );
    assert.deepEqual(
      rows.map(({ rolname, rolpassword }) => [
        rolname,
        isPassword(String(rolpassword), passwordOf(String(rolname))),
      ]).toSorted(),
      [["grafana", true], ["titan10", true]],
    );
  },

  "run again, it changes nothing": async ({ makeRoles, superuser }) => {
    const read = (): ReturnType<Session> =>
      superuser(
        `select (select array_agg(datacl::text order by datname) from pg_database) as databases,
                        (select array_agg(relacl::text order by relname) from pg_class
                         where relnamespace = 'public'::regnamespace) as tables,
                        (select array_agg(defaclacl::text) from pg_default_acl) as later`,
      );
    const before = await read();
    await makeRoles();
    assert.deepEqual(await read(), before);
  },

  "without its secrets it says which file is missing": async ({ makeRoles }) => {
    const said = await makeRoles(1);
    assert.match(said, /^Cannot make the roles: \S+\/database_password is not there or empty/);
  },
};

async function withScene(
  server: PostgresServer,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const secrets = await Deno.makeTempDir();
  const empty = await Deno.makeTempDir();
  const url = new URL(server.url);
  const sessions = ["postgres", "titan10", "grafana"].map((user) => session(server.url, { user }));
  const [superuser, titan10, grafana] = sessions.map(({ run }) => run);
  try {
    for (const [name, text] of Object.entries(SECRETS)) {
      await Deno.writeTextFile(`${secrets}/${name}`, text);
    }
    await use({
      titan10Url: new URL("//titan10@" + url.host + "/titan10", server.url).href,
      makeRoles: async (code = 0) => {
        const output = await new Deno.Command(SCRIPT, {
          env: {
            POSTGRES_USER: "postgres",
            PGHOST: url.hostname,
            PGPORT: url.port,
            SECRETS_DIR: code === 0 ? secrets : empty,
          },
        }).output();
        const said = new TextDecoder().decode(output.stderr);
        assert.equal(output.code, code, said);
        if (code === 0) {
          await superuser!(`create schema if not exists elsewhere;
            create table if not exists elsewhere.notes (note text)`);
        }
        return said;
      },
      superuser: superuser!,
      titan10: titan10!,
      grafana: grafana!,
    });
  } finally {
    for (const { end } of sessions) await end();
    await server.stop();
    await Deno.remove(secrets, { recursive: true });
    await Deno.remove(empty, { recursive: true });
  }
}

function session(
  serverUrl: string,
  { user, name = "titan10" }: { readonly user: string; readonly name?: string },
): { readonly run: Session; readonly end: () => Promise<void> } {
  const url = new URL(serverUrl);
  url.username = user;
  url.pathname = `/${name}`;
  const sql = postgres(url.href, { max: 1, onnotice: () => {} });
  return { run: (text) => sql.unsafe(text), end: () => sql.end() };
}

async function assertRefused(run: Session, statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    await assert.rejects(run(statement), { code: "42501" }, statement);
  }
}

async function isTimescale(run: Session): Promise<boolean> {
  return (await run("select from pg_extension where extname = 'timescaledb'")).length > 0;
}

async function dashboardQueries(): Promise<readonly string[]> {
  const path = new URL("../../deploy/grafana/dashboards/titan10.json", import.meta.url);
  const { panels } = JSON.parse(await Deno.readTextFile(path)) as {
    panels: readonly { readonly targets?: readonly { readonly rawSql?: string }[] }[];
  };
  return panels.flatMap(({ targets = [] }) => targets.flatMap(({ rawSql }) => rawSql ?? []));
}

function passwordOf(role: string): string {
  const name = role === "grafana" ? "grafana_database_password" : "database_password";
  return SECRETS[name].trimEnd();
}

/** Whether PostgreSQL's verifier, `SCRAM-SHA-256$rounds:salt$stored:server`, is of this password. */
function isPassword(verifier: string, password: string): boolean {
  const [, rounds, salt = "", stored] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):/.exec(verifier) ??
    [];
  const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(rounds), 32, "sha256");
  const key = createHmac("sha256", salted).update("Client Key").digest();
  return createHash("sha256").update(key).digest("base64") === stored;
}
