/**
 * A dataset of many candles: written, changed in one month, written again, and compared with the archive each time.
 * `--server URL` is a PostgreSQL, `--candles 100000000` how many, `--database NAME` goes on with a database of an earlier run,
 * `--folder DIR` is where the files go. TITAN10_PYTHON must name a Python with DuckDB and psycopg. Prints one line of JSON.
 * @module
 */
import { parseArgs } from "node:util";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { proveDataset } from "../support/dataset_proof.ts";
import { makeLargeArchive } from "../support/large_archive.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    server: { type: "string" },
    database: { type: "string", default: "titan10_dataset_scale" },
    candles: { type: "string", default: "100000000" },
    folder: { type: "string" },
  },
});
if (values.server === undefined || values.folder === undefined) {
  throw new RangeError("Cannot measure: --server and --folder are needed");
}
const url = new URL(values.server);
const sql = postgres(url.href, { max: 1, onnotice: () => {} });
const [known] = await sql`select from pg_database where datname = ${values.database}`;
if (known === undefined) await sql.unsafe(`create database "${values.database}"`);
await sql.end();
url.pathname = `/${values.database}`;

const database = await openDatabase({
  url: url.href,
  dataDir: "",
  poolMax: 2,
  clock: systemClock,
});
await makeLargeArchive(database, {
  candles: Number(values.candles),
  onMonth: (sinceMs) => console.error(new Date(sinceMs).toISOString().slice(0, 7)),
});
await database.close();
const proof = await proveDataset(url.href, {
  folder: `${values.folder}/dataset`,
  scratch: values.folder,
});
console.log(JSON.stringify({ ...proof, memoryBytes: Deno.memoryUsage().rss }));
