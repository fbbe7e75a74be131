/** What `titan10 export` reads, whatever its format. @module */
import type { Database } from "../store/connection/database.ts";
import { requireArchive } from "../store/connection/migrations.ts";
import type { AskedExport } from "../transfer/asked_export.ts";
import { type Flags, readGround } from "./settings.ts";
import type { Shell } from "./shell.ts";
import { pagesOfArchive } from "./with_archive.ts";

/** The pages of an export, from the database by `read`, or from the daemon that holds it. Ends with the shell's signal. */
export async function* exportedPages<Asked extends AskedExport, Page>(
  shell: Shell,
  flags: Flags,
  { asked, read }: {
    readonly asked: Asked;
    readonly read: (database: Database, asked: Asked) => AsyncGenerator<Page, void>;
  },
): AsyncGenerator<Page, void> {
  const ground = await readGround(shell, flags, {
    logLevelDefault: "error",
    keepsPermissions: true,
  });
  const pages = pagesOfArchive(ground, {
    here: async function* (database): AsyncGenerator<Page, void> {
      await requireArchive(database);
      yield* read(database, asked);
    },
    path: "/export",
    asked,
  });
  for await (const page of pages) {
    shell.signal.throwIfAborted();
    yield page;
  }
}
