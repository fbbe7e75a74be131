/** What a server allows this program and how it is set up: for the doctor, who names what should be otherwise. @module */
import type { Database } from "./database.ts";

/** Of a server; the embedded one is as it is. */
export interface ServerSettings {
  /** `now()` of the server less the time of this machine when it was asked. Milliseconds. */
  readonly clockAheadMs: number;
  /** Half of the time that the answer took: the clock may be wrong by that much less or more. Milliseconds. */
  readonly clockErrorMs: number;
  readonly isStandby: boolean;
  readonly user: string;
  /** Where tables are made; undefined when the search path leads nowhere. */
  readonly schema: string | undefined;
  readonly mayCreate: boolean;
  /** Tables of ours that belong to somebody whose rights this user does not have. */
  readonly foreignTables: readonly string[];
  /** Connections that the server gives to ordinary users at most, and what others than we have of them. */
  readonly connectionsMax: number;
  readonly connectionsOfOthers: number;
  readonly sharedBuffersBytes: number;
  /** `timescale` or `apache`; undefined without TimescaleDB. */
  readonly timescaleLicense: string | undefined;
  readonly backgroundWorkersMax: number | undefined;
  readonly workerProcessesMax: number;
  readonly parallelWorkersMax: number;
}

/** Asks a server for its settings. Changes nothing, and needs no rights beyond those of any user. */
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
      )
      select pg_is_in_recovery() as is_standby, current_user::text as user_name,
        current_schema()::text as schema_name,
        coalesce(has_schema_privilege(current_schema()::text, 'create'), false) as may_create,
        (select coalesce(array_to_json(array_agg(tablename)), '[]')::text from owned) as foreign_tables,
        (select setting::int from settings where name = 'max_connections')
          - (select setting::int from settings where name = 'superuser_reserved_connections') as connections_max,
        (select count(*)::int from pg_stat_activity
          where backend_type = 'client backend' and coalesce(application_name, '') <> 'titan10') as others,
        (select setting::bigint * 8192 from settings where name = 'shared_buffers')::text as shared_buffers,
        current_setting('timescaledb.license', true) as license,
        current_setting('timescaledb.max_background_workers', true) as background_workers,
        current_setting('max_worker_processes') as worker_processes,
        current_setting('max_parallel_workers') as parallel_workers`;
    if (time === undefined || row === undefined) throw new Error("the answer holds no rows");
    return {
      clockAheadMs: Number(time.ms) - (beforeMs + clockErrorMs),
      clockErrorMs,
      isStandby: row.is_standby,
      user: row.user_name,
      schema: row.schema_name ?? undefined,
      mayCreate: row.may_create,
      foreignTables: JSON.parse(row.foreign_tables) as string[],
      connectionsMax: row.connections_max,
      connectionsOfOthers: row.others,
      sharedBuffersBytes: Number(row.shared_buffers),
      timescaleLicense: row.license ?? undefined,
      backgroundWorkersMax: row.background_workers === null
        ? undefined
        : Number(row.background_workers),
      workerProcessesMax: Number(row.worker_processes),
      parallelWorkersMax: Number(row.parallel_workers),
    };
  });
}

interface SettingsRow {
  readonly is_standby: boolean;
  readonly user_name: string;
  readonly schema_name: string | null;
  readonly may_create: boolean;
  readonly foreign_tables: string;
  readonly connections_max: number;
  readonly others: number;
  readonly shared_buffers: string;
  readonly license: string | null;
  readonly background_workers: string | null;
  readonly worker_processes: string;
  readonly parallel_workers: string;
}
