/** The documents name what the schema has, and nothing else; and the SQL that they show runs. @module */
import assert from "node:assert/strict";
import { VARIABLES } from "../../lib/config/variables.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { planRollups } from "../../lib/market/rollup.ts";
import { arrangeRollups } from "../../lib/store/rollups.ts";
import { withoutMacros } from "../support/grafana.ts";
import { DOCUMENTS, NAMES_OF_SCHEMA, TABLES } from "../support/documents.ts";
import { codeOf, passagesOf, plain, tablesOf } from "../support/markdown.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

const read = (path: string): Promise<string> =>
  Deno.readTextFile(new URL(`../../${path}`, import.meta.url));

/** As archived where nothing is set: what the documents show must run there, too. */
const TIMEFRAMES = (VARIABLES.find(({ name }) => name === "TIMEFRAMES")?.default ?? "")
  .split(",").map(parseTimeframe);
const ROLLUPS = ["5m", "1h"].map(parseTimeframe);

/** What the schema's parts call each other, which users need not know, and one table a timeframe. */
const UNNAMED = /^(titan10_|ohlcv_(rollup_)?\d)/;

Deno.test("the documents and the schema name the same", async (t) => {
  const opened = await openTestDatabase(DATABASE_KINDS[0]!);
  assert(opened);
  const { database } = opened;
  try {
    await migrate(database, await readMigrations());
    await ensureCandleTables(database, TIMEFRAMES);
    await t.step("each state of a candle or a gap is explained, and no other", async () => {
      const states = await statesOf(database);
      const document = DOCUMENTS.get(TABLES.state)!;
      const missing = states.filter((state) => !codeOf(document).includes(state));
      assert.deepEqual(missing, [], `${TABLES.state} lacks the states ${missing.join(", ")}`);
      const table = tablesOf(document).find(({ name }) => name === "state");
      assert(table, `${TABLES.state} has no table of states`);
      for (const [cell = ""] of table.rows) {
        for (const state of cell.split(", ").map(plain)) {
          assert(states.includes(state), `${TABLES.state} explains ${state}, and there is none`);
        }
      }
    });
    await t.step("each table, view and function is named", async () => {
      const there = (await relationsOf(database)).filter((name) => !UNNAMED.test(name));
      assert(there.includes("ohlcv") && there.includes("ohlcv_explained"), there.join());
      const missing = there.filter((name) =>
        !codeOf(DOCUMENTS.get(NAMES_OF_SCHEMA)!).some((code) =>
          new RegExp(`(?<!\\w)${name}(?!\\w)`).test(code)
        )
      );
      assert.deepEqual(missing, [], `${NAMES_OF_SCHEMA} names nowhere: ${missing.join(", ")}`);
    });
    await t.step("what is written like a name in SQL is one, in schema or program", async () => {
      const settings = await database.sql<{ name: string }[]>`select name from pg_settings`;
      const names = new Set(settings.map(({ name }) => name));
      const sources = await programSources();
      for (const [path, text] of DOCUMENTS) {
        if (!/^(?:README|docs\/.*)\.md$/.test(path)) continue;
        for (const code of codeOf(text).filter((code) => /^[a-z]+(_[a-z]+)+$/.test(code))) {
          assert(
            names.has(code) || sources.includes(code),
            `${path} names \`${code}\`, and nothing is called so`,
          );
        }
      }
    });
    await t.step("every block of SQL runs", async () => {
      const { rollups } = planRollups(ROLLUPS, TIMEFRAMES);
      assert.equal((await arrangeRollups(database, rollups)).added.length, ROLLUPS.length);
      for (const [path, text] of DOCUMENTS) {
        for (const statement of statementsOf(text)) {
          await assert.doesNotReject(
            database.sql.unsafe(withoutMacros(statement)),
            `${path}: ${statement}`,
          );
        }
      }
    });
  } finally {
    await opened.drop();
  }
});

/** Of blocks of SQL, and what `titan10 query` is given. */
function statementsOf(document: string): readonly string[] {
  return passagesOf(document).flatMap(({ language, text, code }) =>
    language === "sql"
      ? text.split(/;\s*$/m).filter((one) => one.trim() !== "")
      : code.flatMap((line) => /titan10 query (?:--[a-z-]+ )*"([^"]+)"/.exec(line)?.[1] ?? [])
  );
}

/** What `gaps.state` may hold, and what `ohlcv_explained` says besides. */
async function statesOf({ sql }: Database): Promise<readonly string[]> {
  const [constraint] = await sql<{ text: string }[]>`
    select pg_get_constraintdef(oid) as text from pg_constraint where conname = 'gaps_state_check'`;
  const [explained] = await sql<{ text: string }[]>`
    select prosrc as text from pg_proc where proname = 'ohlcv_explained'`;
  const states = [
    ...(constraint?.text ?? "").matchAll(/'(\w+)'/g),
    ...(explained?.text ?? "").matchAll(/(?:then|else) '(\w+)'/g),
  ].map(([, state = ""]) => state);
  assert(states.includes("filled") && states.includes("owed"), states.join());
  return [...new Set(states)];
}

/** Tables, views and functions of the schema that no extension brought. */
async function relationsOf({ sql }: Database): Promise<readonly string[]> {
  const rows = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = current_schema::regnamespace and relkind in ('r', 'p', 'v', 'm')
      and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e')
    union
    select proname from pg_proc
    where pronamespace = current_schema::regnamespace
      and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')`;
  return rows.map(({ name }) => name).sort();
}

async function programSources(): Promise<string> {
  const texts: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (
      const { name, isDirectory } of Deno.readDir(new URL(`../../${folder}`, import.meta.url))
    ) {
      if (isDirectory) await walk(`${folder}${name}/`);
      else texts.push(await read(`${folder}${name}`));
    }
  };
  await Promise.all(["lib/", "sql/", ".github/workflows/"].map(walk));
  return texts.join("\n");
}
