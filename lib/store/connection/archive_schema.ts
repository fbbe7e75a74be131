/** The schema that an archive is in: the first of the search path. What lies behind it is of others. @module */
import type { Database } from "./database.ts";
import type { Sql } from "./sql.ts";
import { StoreError } from "./store_error.ts";

/** Whether there is an archive, of whatever version, in the schema that comes first. */
export async function hasMigrations(sql: Sql): Promise<boolean> {
  const [found] = await sql<{ there: boolean }[]>`
    select to_regclass(quote_ident(current_schema()) || '.titan10_migrations') is not null as there`;
  return found?.there === true;
}

/**
 * @throws StoreError `refused` when no schema of the search path exists, or when the one that comes first only came to
 * bear the user's name after the archive was begun.
 */
export async function refuseNoSchema(database: Database): Promise<void> {
  const [row] = await database.run("migrate the database", (sql) =>
    sql<SchemaRow[]>`
      select current_setting('search_path') as search_path, quote_ident(current_schema()) as first,
             quote_ident(current_user) as user_name,
             (select quote_ident(behind) from unnest(current_schemas(false)) with ordinality as path (behind, at)
              where to_regclass(quote_ident(behind) || '.titan10_migrations') is not null
              order by at limit 1) as archive`);
  const { search_path: searchPath, first, user_name: user, archive } = row!;
  if (first === null) {
    const [wanted = ""] = searchPath.split(",");
    const mend = wanted === "" || wanted === '""'
      ? `create schema titan10; alter role ${user} set search_path = titan10`
      : `create schema ${wanted === '"$user"' ? user : wanted}`;
    throw new StoreError(
      "refused",
      `Cannot migrate the database: no schema of its search_path (${searchPath}) exists. Run: ${mend}`,
    );
  }
  const isByUser = first === user && searchPath.includes('"$user"');
  if (!isByUser || archive === null || archive === first) return;
  throw new StoreError(
    "refused",
    `Cannot migrate the database: its archive is in schema ${archive}, but schema ${first} comes first. ` +
      `Drop schema ${first}, or say which one is meant: alter role ${user} set search_path = ${archive}`,
  );
}

interface SchemaRow {
  readonly search_path: string;
  readonly first: string | null;
  readonly user_name: string;
  readonly archive: string | null;
}
