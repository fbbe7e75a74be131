/** Whether and how far TimescaleDB can be used in a database. @module */
import { hasMigrations } from "./archive_schema.ts";
import type { Database } from "./database.ts";
import type { Sql } from "./sql.ts";
import { StoreError } from "./store_error.ts";
import { errorText } from "../../text/redact.ts";

/** TimescaleDB in a database that can use it. */
export interface Timescale {
  readonly version: string;
  /** The schema of its functions, quoted. It need not be on the search path. */
  readonly schema: string;
  /** Whether there are compression, continuous aggregates and policies. The Apache licence has none of them. */
  readonly isLicensed: boolean;
}

/** What use is made of TimescaleDB. */
export interface TimescaleState {
  /** Version of the extension; null when it is not used. */
  readonly timescaledb: string | null;
  /** Whether candles can be compressed and rollups materialized. */
  readonly compresses: boolean;
  /** Why TimescaleDB is not used, or not with compression; undefined when it is. */
  readonly plainReason: string | undefined;
}

/** TimescaleDB in this database; undefined when it is not there or cannot be used. */
export async function readTimescale(database: Database): Promise<Timescale | undefined> {
  const found = await findTimescale(database);
  return found === undefined || "reason" in found ? undefined : found;
}

/** The version of TimescaleDB in this database; null when it is not there or cannot be used. */
export async function timescaleVersion(database: Database): Promise<string | null> {
  return (await readTimescale(database))?.version ?? null;
}

/**
 * Why this database stores plain tables, or does not compress; undefined when it does all of it, or when no reason is
 * known.
 */
export async function plainReason(database: Database): Promise<string | undefined> {
  const found = await findTimescale(database);
  if (found !== undefined) {
    if ("reason" in found) return found.reason;
    return found.isLicensed ? undefined : UNLICENSED;
  }
  return await database.run("look for TimescaleDB", async (sql) => {
    const available = await sql`select from pg_available_extensions where name = 'timescaledb'`;
    if (available.length === 0) return "the server does not offer the extension timescaledb";
    const isUnloaded = database.kind === "server" && await isKnownNotPreloaded(sql);
    if (isUnloaded) return NOT_PRELOADED;
    return await hasMigrations(sql)
      ? "this database was set up before the extension timescaledb was available"
      : undefined;
  });
}

const NOT_PRELOADED = "the server offers the extension timescaledb but does not preload it " +
  "(shared_preload_libraries)";

const UNLICENSED =
  "timescaledb.license is apache: candles are not compressed, and rollups are views that every " +
  "query computes. Everything else works";

/** The same rules as `titan10_timescale` and `titan10_may_compress` in sql/. Undefined when the database lacks it. */
async function findTimescale(
  database: Database,
): Promise<Timescale | { readonly reason: string } | undefined> {
  return await database.run("read the version of TimescaleDB", async (sql) => {
    const [row] = await sql<TimescaleRow[]>`
      select extversion, quote_ident(nspname) as schema, quote_ident(current_user) as user_name,
             has_schema_privilege(pg_namespace.oid, 'usage') as may_use,
             exists (select from pg_settings where name = 'timescaledb.license') as is_loaded,
             current_setting('timescaledb.license', true) = 'timescale' as is_licensed
      from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
      where extname = 'timescaledb'`;
    if (row === undefined) return undefined;
    if (!row.may_use) {
      return {
        reason:
          `${row.user_name} may not use schema ${row.schema}, which TimescaleDB is in. Run as its owner: ` +
          `grant usage on schema ${row.schema} to ${row.user_name}`,
      };
    }
    if (!row.is_loaded) return { reason: NOT_PRELOADED };
    return { version: row.extversion, schema: row.schema, isLicensed: row.is_licensed === true };
  });
}

interface TimescaleRow {
  readonly extversion: string;
  readonly schema: string;
  readonly user_name: string;
  readonly may_use: boolean;
  readonly is_loaded: boolean;
  readonly is_licensed: boolean | null;
}

/** Creates the extension for a new archive where the server offers it. An archive that was begun without stays so. */
export async function ensureTimescale(database: Database): Promise<TimescaleState> {
  const state = await readState(database);
  if (state !== undefined) return state;
  const plain = (reason: string | undefined): TimescaleState => ({
    timescaledb: null,
    compresses: false,
    plainReason: reason,
  });
  const reason = await plainReason(database);
  if (reason !== undefined) return plain(reason);
  try {
    await database.run("create the extension timescaledb", async (sql) => {
      // Other archives of this database use it as well, so it is not to go with the schema of this one.
      const [row] = await sql<{ may: boolean }[]>`
        select exists (select from pg_namespace
                       where nspname = 'public' and has_schema_privilege(oid, 'create')) as may`;
      const where = row?.may === true ? " schema public" : "";
      await sql.unsafe(`create extension if not exists timescaledb${where}`);
    });
  } catch (error) {
    // Answered by the end of the connection, where this user may not read what the server preloads.
    if (error instanceof Error && /must be preloaded/.test(error.message)) {
      return plain(NOT_PRELOADED);
    }
    // An unavailable server has not refused the extension. Do not choose plain tables now, because that choice is
    // final.
    if (error instanceof StoreError && error.kind === "unavailable") throw error;
    // Another process may have created the extension at the same moment. That is an error here, but the extension
    // exists.
    const created = await readState(database);
    if (created !== undefined) return created;
    return plain(errorText(error));
  }
  return await readState(database) ?? plain(undefined);
}

/** Undefined when the database lacks the extension. */
async function readState(database: Database): Promise<TimescaleState | undefined> {
  const found = await findTimescale(database);
  if (found === undefined) return undefined;
  if ("reason" in found) return { timescaledb: null, compresses: false, plainReason: found.reason };
  const { version, isLicensed } = found;
  return {
    timescaledb: version,
    compresses: isLicensed,
    plainReason: isLicensed ? undefined : UNLICENSED,
  };
}

/** True if the server says that it does not preload TimescaleDB; false if this user may not read that. */
async function isKnownNotPreloaded(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ libraries: string | null }[]>`
    select case when pg_has_role('pg_read_all_settings', 'member')
                then current_setting('shared_preload_libraries') end as libraries`;
  const libraries = row?.libraries ?? null;
  return libraries !== null && !libraries.includes("timescaledb");
}
