/** `titan10 migrate`: updates the schema, then ends. @module */
import { prepareDatabase } from "../daemon/open_archive.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { withArchive } from "./with_archive.ts";

/** Applies the missing migrations and prints their names. */
export async function migrate(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags, { logLevelDefault: "warning" });
  const { applied, timescaledb } = await withArchive(ground, {
    here: (database) => prepareDatabase(database, ground),
  });
  if (flags["json"] === true) {
    shell.print(JSON.stringify({ applied, timescaledb }));
    return EXIT.done;
  }
  for (const name of applied) shell.print(`applied ${name}`);
  if (applied.length === 0) shell.print("the schema is up to date");
  shell.print(`TimescaleDB ${timescaledb ?? "is not used"}`);
  return EXIT.done;
}
