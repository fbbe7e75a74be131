/** What a server allows this program to do and how it is configured, for `titan10 doctor`. @module */
import type { Database } from "./database.ts";

/** The settings of a server. The embedded one cannot be configured. */
export interface ServerSettings {
  /** The server's clock minus this machine's clock. Milliseconds. */
  readonly clockAheadMs: number;
  /** Half of the round-trip time. The clock difference may be wrong by this much in both directions. Milliseconds. */
  readonly clockErrorMs: number;
  readonly isStandby: boolean;
  readonly user: string;
  /** The schema in which tables are created; undefined when the search path names no existing schema. */
  readonly schema: string | undefined;
  readonly mayCreate: boolean;
  /** Our tables whose owner's rights this user does not have. */
  readonly foreignTables: readonly string[];
  /** Whose rights `titan10 query` has; undefined before the migration. */
  readonly queryOwner: string | undefined;
  /** The most connections that this user may have, what limits them, and how many of them other programs use. */
  readonly connectionsMax: number;
  readonly connectionsLimit: string;
  readonly connectionsOfOthers: number;
  readonly sharedBuffersBytes: number;
  /** `timescale` or `apache`; undefined without TimescaleDB. */
  readonly timescaleLicense: string | undefined;
  readonly backgroundWorkersMax: number | undefined;
  readonly workerProcessesMax: number;
  readonly parallelWorkersMax: number;
}

/** Reads a server's settings. Changes nothing and needs no special rights. */
export async function readServerSettings(
  database: Database,
  { now }: { readonly now: () => number },
): Promise<ServerSettings> {
  return await database.run("read the settings of the database", async (sql) => {
    const beforeMs = now();
    const [time] = await sql<{ ms: string }[]>`
      select (extract(epoch from clock_timestamp()) * 1000)::bigint::text as ms`;
    const clockErrorMs = (now() - beforeMs) / 2;
    const [row] = await sql<SettingsRow[]>`
      with settings as (
        select name, setting from pg_settings
      ), owned as (
        select tablename from pg_tables
        where schemaname = current_schema() and not pg_has_role(tableowner, 'usage')
          and (tablename like 'ohlcv\\_%' or tablename in ('checkpoints', 'exchanges', 'gaps', 'jobs'))
      ), others as (
        select usename = session_user as is_own_user, datname = current_database() as is_own_database
        from pg_stat_activity
        where backend_type = 'client backend'
          and coalesce(application_name, '') <> current_setting('application_name')
      ), tightest as (
        select * from (
          select 'max_connections' as name, (select count(*)::int from others) as others,
            (select setting::int from settings where name = 'max_connections')
              - (select setting::int from settings where name = 'superuser_reserved_connections') as most
          union all
          select 'the connection limit of the role', (select count(*)::int from others where is_own_user), rolconnlimit
          from pg_roles where rolname = session_user and not rolsuper
          union all
          select 'the connection limit of the database', (select count(*)::int from others where is_own_database),
            datconnlimit
          from pg_database where datname = current_database()
        ) as limits where most >= 0 order by most - others limit 1
      )
      select pg_is_in_recovery() as is_standby, current_user::text as user_name,
        current_schema()::text as schema_name,
        coalesce(has_schema_privilege(current_schema()::text, 'create'), false) as may_create,
        (select coalesce(array_to_json(array_agg(tablename)), '[]')::text from owned) as foreign_tables,
        (select pg_get_userbyid(proowner)::text from pg_proc
          where proname = 'titan10_query_fetch' and pronamespace = to_regnamespace(quote_ident(current_schema()))
        ) as query_owner,
        (select most from tightest) as connections_max, (select name from tightest) as connections_limit,
        (select others from tightest) as others,
        (select setting::bigint * 8192 from settings where name = 'shared_buffers')::text as shared_buffers,
        current_setting('timescaledb.license', true) as license,
        current_setting('timescaledb.max_background_workers', true) as background_workers,
        current_setting('max_worker_processes') as worker_processes,
        current_setting('max_parallel_workers') as parallel_workers`;
    if (time === undefined || row === undefined) throw new Error("the answer holds no rows");
    return {
      clockAheadMs: Number(time.ms) - (beforeMs + clockErrorMs),
      clockErrorMs,
      ...settingsOf(row),
    };
  });
}

function settingsOf(row: SettingsRow): Omit<ServerSettings, "clockAheadMs" | "clockErrorMs"> {
  return {
    isStandby: row.is_standby,
    user: row.user_name,
    schema: row.schema_name ?? undefined,
    mayCreate: row.may_create,
    foreignTables: JSON.parse(row.foreign_tables) as string[],
    queryOwner: row.query_owner ?? undefined,
    connectionsMax: row.connections_max,
    connectionsLimit: row.connections_limit,
    connectionsOfOthers: row.others,
    sharedBuffersBytes: Number(row.shared_buffers),
    timescaleLicense: row.license ?? undefined,
    backgroundWorkersMax: row.background_workers === null
      ? undefined
      : Number(row.background_workers),
    workerProcessesMax: Number(row.worker_processes),
    parallelWorkersMax: Number(row.parallel_workers),
  };
}

interface SettingsRow {
  readonly is_standby: boolean;
  readonly user_name: string;
  readonly schema_name: string | null;
  readonly may_create: boolean;
  readonly foreign_tables: string;
  readonly query_owner: string | null;
  readonly connections_max: number;
  readonly connections_limit: string;
  readonly others: number;
  readonly shared_buffers: string;
  readonly license: string | null;
  readonly background_workers: string | null;
  readonly worker_processes: string;
  readonly parallel_workers: string;
}
