/** What a program relies on that was started before the schema was upgraded, and runs on while others are upgraded. */
import assert from "node:assert/strict";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { openTestDatabase } from "../support/test_database.ts";

/** The last one before several nodes could share an archive, which are upgraded one after the other. */
const BEFORE_NODES = 48;

Deno.test("a program that runs on while the schema is upgraded still finds each function, column and default", async (t) => {
  const opened = await openTestDatabase("postgres", { isUnmigrated: true });
  if (opened === undefined) {
    return void await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
  }
  const { database } = opened;
  try {
    const migrations = await readMigrations();
    await migrate(database, migrations.filter(({ version }) => version <= BEFORE_NODES));
    await keepFunctions(database);
    const before = await readColumns(database);
    assert(before.size > 100);
    await migrate(database, migrations);

    assert.deepEqual(await lostFunctions(database), []);
    const after = await readColumns(database);
    const lost = [...before].filter(([name, { type }]) => after.get(name)?.type !== type);
    assert.deepEqual(lost, []);
    const tables = new Set([...before.values()].map(({ relation }) => relation));
    const demanded = [...after].filter(([name, { relation, isDemanded }]) =>
      isDemanded && tables.has(relation) && before.get(name)?.isDemanded !== true
    );
    assert.deepEqual(demanded, [], "an insert of before does not fill these");
  } finally {
    await opened.drop();
  }
});

/** Functions as they are now; those of triggers are called by the schema alone. */
async function keepFunctions({ sql }: Database): Promise<void> {
  await sql`
    create table functions_before as
    select proname, pronargs, proargtypes, prorettype, proretset from pg_proc
    where pronamespace = current_schema()::regnamespace and prokind = 'f' and prorettype <> 'trigger'::regtype`;
}

/** Functions of before that cannot be called in the same way, and with the same kind of answer, any more. */
async function lostFunctions({ sql }: Database): Promise<readonly string[]> {
  const rows = await sql<{ name: string }[]>`
    select proname || '(' || array_to_string(
             array(select format_type(type, null) from unnest(proargtypes) as type), ', ') || ')' as name
    from functions_before as before
    where not exists (
      select from pg_proc as now
      where now.pronamespace = current_schema()::regnamespace and now.proname = before.proname
        and now.prorettype = before.prorettype and now.proretset = before.proretset
        and now.pronargs - now.pronargdefaults <= before.pronargs
        and (now.proargtypes::oid[])[0:before.pronargs - 1]
            = (before.proargtypes::oid[])[0:before.pronargs - 1])
    order by 1`;
  return rows.map(({ name }) => name);
}

interface Column {
  readonly relation: string;
  readonly type: string;
  /** Whether each row that is inserted has to give it. */
  readonly isDemanded: boolean;
}

/** By table or view and column. */
async function readColumns({ sql }: Database): Promise<ReadonlyMap<string, Column>> {
  const rows = await sql<{ relation: string; name: string; type: string; demanded: boolean }[]>`
    select table_name as relation, table_name || '.' || column_name as name, udt_name as type,
           is_nullable = 'NO' and column_default is null as demanded
    from information_schema.columns
    where table_schema = current_schema() and table_name <> 'functions_before'`;
  return new Map(rows.map(({ relation, name, type, demanded }) => [
    name,
    { relation, type, isDemanded: demanded },
  ]));
}
