/** Runs the tests that are its arguments, on one PostgreSQL for all that do not kill theirs. @module */
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { startPostgres } from "./postgres_server.ts";
import { SHARED_POSTGRES, TEMPLATE_DATABASE } from "./test_database.ts";

// A Ctrl-C reaches the tests as well; what is theirs is ended by them, and the server afterwards.
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => {});

const server = await startPostgres();
try {
  const env: Record<string, string> = {};
  if (server !== undefined) {
    env[SHARED_POSTGRES] = server.url;
    await makeTemplate(server.url);
  }
  const tests = new Deno.Command(Deno.execPath(), { args: ["test", ...Deno.args], env }).spawn();
  Deno.exitCode = (await tests.status).code;
} finally {
  await server?.stop();
}
Deno.exit();

async function makeTemplate(serverUrl: string): Promise<void> {
  const options = { dataDir: "", poolMax: 1, clock: systemClock };
  const admin = await openDatabase({ url: serverUrl, ...options });
  await admin.sql.unsafe(`create database ${TEMPLATE_DATABASE}`);
  await admin.close();
  const url = new URL(serverUrl);
  url.pathname = `/${TEMPLATE_DATABASE}`;
  const template = await openDatabase({ url: url.href, ...options });
  await migrate(template, await readMigrations());
  await template.close();
}
