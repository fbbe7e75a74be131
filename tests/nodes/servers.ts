/** The servers of schedules: a database on a shared one, one behind PgBouncer, or two of which the second takes over. @module */
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import type { Pgbouncer } from "../support/pgbouncer.ts";
import { canFollow } from "../support/postgres_programs.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { createServerDatabase } from "../support/test_database.ts";
import type { SceneServer } from "./scene.ts";
import type { ServerOfSchedule } from "./schedule.ts";

/** On the shared server: what each schedule's database is a copy of. */
const TEMPLATE = "titan10_nodes_template";

/** Migrates a database that others are copied from, and returns its name. */
export async function makeTemplate(serverUrl: string): Promise<string> {
  const admin = postgres(serverUrl, { max: 1, onnotice: () => {} });
  await admin.unsafe(`create database ${TEMPLATE}`);
  await admin.end();
  const url = new URL(serverUrl);
  url.pathname = `/${TEMPLATE}`;
  await migrated(url.href);
  return TEMPLATE;
}

/** Whether a standby can be made here. */
export async function canPromote(): Promise<boolean> {
  return await canFollow();
}

/** Makes what a schedule needs. */
export async function serverOf(
  kind: ServerOfSchedule,
  { sharedUrl, template, pgbouncer }: {
    readonly sharedUrl: string;
    /** Undefined where each has to be migrated anew. */
    readonly template: string | undefined;
    readonly pgbouncer: Pgbouncer | undefined;
  },
): Promise<SceneServer> {
  if (kind === "promoted") return await twoServers();
  const { url, drop } = await createServerDatabase(sharedUrl, template);
  if (template === undefined) await migrated(url);
  if (kind === "server" || pgbouncer === undefined) return { url, nodeUrl: url, drop };
  const through = new URL(url);
  through.port = String(pgbouncer.port);
  // PgBouncer before 1.21 knows nothing of prepared statements.
  through.search = "?prepare=false";
  return { url, nodeUrl: through.href, drop };
}

async function twoServers(): Promise<SceneServer> {
  const primary = await startPostgres();
  if (primary === undefined) throw new Error("Cannot start two servers: no PostgreSQL");
  await migrated(primary.url);
  const standby = await startPostgres({ standbyOf: primary.url });
  if (standby === undefined) throw new Error("Cannot start a standby");
  const places = [primary, standby].map(({ url }) => new URL(url).host).join();
  const url = `postgres://postgres@${places}/postgres`;
  let isPromoted = false;
  return {
    get url(): string {
      return isPromoted ? standby.url : url;
    },
    nodeUrl: url,
    async promote(): Promise<void> {
      isPromoted = true;
      await primary.kill9();
      const sql = postgres(standby.url, { max: 1, onnotice: () => {} });
      await sql`select pg_promote()`;
      await sql.end();
    },
    async drop(): Promise<void> {
      await standby.stop();
      await primary.stop();
    },
  };
}

async function migrated(url: string): Promise<void> {
  const database = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
  try {
    await migrate(database, await readMigrations());
  } finally {
    await database.close();
  }
}
