/** Updates a database's schema to this program's version, by numbered SQL files that are never undone. @module */
import { hasMigrations, refuseNoSchema } from "./archive_schema.ts";
import type { Database } from "./database.ts";
import { isConnectionEnded, isDeadlock, isDuplicate, StoreError } from "./store_error.ts";
import { ensureTimescale, type TimescaleState } from "./timescale.ts";

/** One file of `sql/`. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly text: string;
  /** SHA-256 of the text, hexadecimal. */
  readonly hash: string;
}

export interface MigrateReport extends TimescaleState {
  /** Names of the migrations that were applied now. */
  readonly applied: readonly string[];
}

/** Any constant works that no other program on the server uses. This one is "titan10" in ASCII. */
const MIGRATION_LOCK = 0x746974616e3130n;

const MIGRATE = "migrate the database";

/** Reads the migrations that belong to the program. */
export async function readMigrations(): Promise<readonly Migration[]> {
  const folder = new URL("../../../sql/", import.meta.url);
  const migrations: Migration[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const version = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1];
    if (version === undefined) continue;
    const text = await Deno.readTextFile(new URL(name, folder));
    migrations.push({ version: Number(version), name, text, hash: await sha256(text) });
  }
  return migrations.sort((a, b) => a.version - b.version);
}

/**
 * Applies the missing migrations, all of them or none, together with their rows in `titan10_migrations`. If two
 * processes start at once, the second one waits and finds the work done.
 *
 * @throws StoreError `refused` when a newer program has migrated the database, or when the text of an applied migration
 * has changed.
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[],
): Promise<MigrateReport> {
  for (let tries = 1;; tries++) {
    try {
      await refuseOld(database);
      await refuseNoSchema(database);
      await refuseEncoding(database);
      const extension = await ensureTimescale(database);
      const applied = await applyMissing(database, migrations);
      return { applied, ...extension };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const isAgain = [isDuplicate, isConnectionEnded, isDeadlock].some((is) => is(error.cause));
      if (!isAgain || tries === TRIES_MAX) throw error;
    }
  }
}

/** How often it is tried when it or its connection is ended meanwhile, or another process was first. */
const TRIES_MAX = 5;

/** Version 14 introduced multiranges, which store coverage. */
const POSTGRES_VERSION_MIN = 14;

async function refuseOld(database: Database): Promise<void> {
  const [row] = await database.run(MIGRATE, (sql) =>
    sql<{ version: string }[]>`
      select current_setting('server_version_num') as version`);
  assertNewEnough(Number(row?.version));
}

/** @throws StoreError `refused` when a new archive would be in a database that cannot hold the names of all symbols. */
async function refuseEncoding(database: Database): Promise<void> {
  const encoding = await database.run(MIGRATE, async (sql) => {
    const [row] = await sql<{ encoding: string }[]>`
      select current_setting('server_encoding') as encoding`;
    return await hasMigrations(sql) ? "UTF8" : row?.encoding;
  });
  if (encoding === "UTF8") return;
  throw new StoreError(
    "refused",
    `Cannot migrate the database: its encoding is ${encoding}, and there are symbols in all scripts. Make one with ` +
      "UTF-8: create database … template template0 encoding 'UTF8'",
  );
}

/**
 * @param version as `server_version_num` gives it, 150004 for 15.4.
 * @throws StoreError `refused` when the server is too old for the schema.
 */
export function assertNewEnough(version: number): void {
  const major = Math.floor(version / 10_000);
  if (!(major < POSTGRES_VERSION_MIN)) return;
  throw new StoreError(
    "refused",
    `Cannot use PostgreSQL ${major}: ${POSTGRES_VERSION_MIN} is the oldest version supported. Set DATABASE_URL to ` +
      "a newer server, or upgrade this one",
  );
}

/** The names of the migrations that are not applied yet. Changes nothing; the readiness check uses it. */
export async function pendingMigrations(
  database: Database,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  return await database.run("read the applied migrations", async (sql) => {
    if (!await hasMigrations(sql)) return migrations.map(({ name }) => name);
    const rows = await sql<{ version: number }[]>`select version from titan10_migrations`;
    const versions = new Set(rows.map(({ version }) => version));
    return migrations.filter(({ version }) => !versions.has(version)).map(({ name }) => name);
  });
}

/** @throws StoreError `refused` when the database holds no archive, or the archive of an older program. */
export async function requireArchive(database: Database): Promise<void> {
  const migrations = await readMigrations();
  const pending = await pendingMigrations(database, migrations);
  if (pending.length === 0) return;
  throw new StoreError(
    "refused",
    pending.length === migrations.length
      ? "There is no archive in this database yet. Run titan10 migrate"
      : `The archive in this database is of an older titan10: ${pending.join(", ")} not applied. ` +
        "Run titan10 migrate",
  );
}

async function applyMissing(
  database: Database,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  const known = await readApplied(database);
  refuseNewer(known, migrations);
  const missing = migrations.filter((migration) => {
    const hash = known.get(migration.version)?.hash;
    if (hash !== undefined) assertUnchanged(migration, hash);
    return hash === undefined;
  });
  if (missing.length > 0) {
    await refuseTaken(database, missing, known);
    await applyAll(database, missing);
  }
  return missing.map(({ name }) => name);
}

/** The tables and views that a migration makes; those of timeframes are made later. What is replaced was made before. */
const MADE = /^create (?:table|view|materialized view) (\w+)/gim;
const MADE_LATER = "^ohlcv_";

/** @throws StoreError `refused` when a name that is needed belongs to somebody else's table or view. */
async function refuseTaken(
  database: Database,
  missing: readonly Migration[],
  known: ReadonlyMap<number, AppliedMigration>,
): Promise<void> {
  const names = missing.flatMap(({ text }) => [...text.matchAll(MADE)].map(([, name]) => name!));
  const [row] = await database.run(MIGRATE, (sql) =>
    sql<{ name: string; kind: string }[]>`
      select relname as name, relkind::text as kind from pg_class
      where relnamespace = (select oid from pg_namespace where nspname = current_schema())
        and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and (relname = any (${`{${names.join(",")}}`}::text[])
             or ${known.size === 0} and relname ~ ${MADE_LATER})
      order by relname limit 1`);
  if (row === undefined) return;
  // Another process may have made it since: then there are more migrations than before.
  if ((await readApplied(database)).size > known.size) return;
  const what = `${row.kind === "v" || row.kind === "m" ? "view" : "table"} ${row.name}`;
  throw new StoreError(
    "refused",
    known.size === 0
      ? `Cannot migrate the database: it has a ${what} that is not Titan-10's. Give Titan-10 a schema of its own: ` +
        "create schema titan10, then alter role … set search_path = titan10, public"
      : `Cannot migrate the database: it has a ${what} that this titan10 did not make. Rename it, or put back a copy of ` +
        "the database",
  );
}

interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly hash: string;
}

async function readApplied(database: Database): Promise<ReadonlyMap<number, AppliedMigration>> {
  const rows = await database.run(MIGRATE, async (sql) => {
    if (!await hasMigrations(sql)) return [];
    return await sql<AppliedMigration[]>`
      select version, name, hash from titan10_migrations order by version`;
  });
  return new Map(rows.map((row) => [row.version, row]));
}

/**
 * As one message, which PostgreSQL runs in one transaction. `begin` of postgres.js would end the process when the server
 * ends the connection meanwhile.
 *
 * @throws StoreError caused by a duplicate when another process, which had the lock first, has applied one of them.
 */
async function applyAll(database: Database, missing: readonly Migration[]): Promise<void> {
  const statements = [
    `select pg_advisory_xact_lock(${MIGRATION_LOCK})`,
    // Until the end of this transaction. An archive behind this schema has functions of the same names.
    "select set_config('search_path', quote_ident(current_schema()), true)",
    `create table if not exists titan10_migrations (
       version    int primary key,
       name       text not null,
       hash       text not null,
       applied_at timestamptz not null default now()
     )`,
    // All rows first: a process that has waited for the lock fails here, before it changes anything.
    `insert into titan10_migrations (version, name, hash) values ${
      missing.map(({ version, name, hash }) => `(${version}, '${name}', '${hash}')`).join(", ")
    }`,
    ...missing.map(({ text }) => text),
  ];
  await database.runLong(MIGRATE, (sql) => sql.unsafe(statements.join(";\n")));
}

/** By each version, not by the newest: a later program may have filled a hole in the numbers. */
function refuseNewer(
  applied: ReadonlyMap<number, AppliedMigration>,
  migrations: readonly Migration[],
): void {
  const known = new Set(migrations.map(({ version }) => version));
  const row = [...applied.values()].findLast(({ version }) => !known.has(version));
  if (row === undefined) return;
  throw new StoreError(
    "refused",
    `Cannot use this database: it was migrated to ${row.name} by a newer titan10, and this one knows ` +
      `${migrations.at(-1)?.name ?? "no migration"}. Use the newer titan10`,
  );
}

function assertUnchanged({ name, hash }: Migration, known: string): void {
  if (hash === known) return;
  throw new StoreError(
    "refused",
    `Cannot use this database: ${name} was applied with another text (hash ${
      known.slice(0, 12)
    }…, ` +
      `here ${hash.slice(0, 12)}…). Use the titan10 that applied it, or restore a backup`,
  );
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
