/** A migrated embedded database, made once and copied: making one takes seconds, a copy a fraction of one. @module */
import { join } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { copyFolder, isThere } from "./files.ts";

const { env } = Deno;

/**
 * Where templates are kept from one run to the next. The name tells whose and of what: other migrations or another server
 * make another one.
 */
async function templatePath(): Promise<string> {
  const lock = await Deno.readTextFile(new URL("../../deno.lock", import.meta.url));
  const [server = ""] = /"@unni-craftsman\/pglite@[^"]+": \{[^}]+\}/.exec(lock) ?? [];
  const text = server + (await readMigrations()).map(({ name, hash }) => name + hash).join();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const hash = new Uint8Array(digest).toHex().slice(0, 16);
  const folder = env.get("TMPDIR") || "/tmp";
  return join(folder, `titan10-template-${env.get("USER") || "tests"}-${hash}`);
}

/** Puts the files of a migrated, empty database into a data directory that is not there yet. */
export async function copyTemplate(dataDir: string): Promise<void> {
  const template = await templatePath();
  if (!await isThere(template)) await makeTemplate(template);
  await copyFolder(template, dataDir);
  await Deno.chmod(dataDir, 0o700);
}

/** Under another name until it is whole: several tests may make it at once, and the first one's is taken. */
async function makeTemplate(path: string): Promise<void> {
  const made = await Deno.makeTempDir({ dir: join(path, ".."), prefix: "titan10-template-" });
  const database = await openDatabase({
    url: undefined,
    dataDir: made,
    poolMax: 1,
    clock: systemClock,
  });
  try {
    await migrate(database, await readMigrations());
  } finally {
    await database.close();
  }
  try {
    await Deno.rename(made, path);
  } catch (error) {
    if (!await isThere(path)) throw error;
    await Deno.remove(made, { recursive: true });
  }
}
