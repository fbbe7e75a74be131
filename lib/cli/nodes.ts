/** `titan10 nodes`: which processes work on the archive, and on what. @module */
import { type NodesDocument, readNodes } from "../serve/node_status.ts";
import { requireArchive } from "../store/connection/migrations.ts";
import { askDaemon } from "./control.ts";
import { nodeExchangeTable, nodeTable, nodeTroubles } from "./node_table.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { painter } from "./terminal.ts";
import { cut, wrap } from "./text.ts";
import { withArchive } from "./with_archive.ts";

/** Prints the nodes, from the database or from the daemon that holds it. */
export async function nodes(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags, { logLevelDefault: "warning" });
  const { config, clock } = ground;
  const { nodes } = await withArchive<NodesDocument>(ground, {
    mustExist: true,
    here: async (database) => {
      await requireArchive(database);
      return { nodes: await readNodes(database, clock.now()) };
    },
    daemon: async () => await askDaemon(config.dataDir, "/status") as NodesDocument,
  });
  if (flags["json"] === true) shell.print(JSON.stringify({ nodes }));
  else if (config.databaseUrl === undefined) {
    shell.print("The embedded database has no nodes: one process uses it.");
  } else if (nodes.length === 0) shell.print("No node works on this archive.");
  else for (const line of linesOf(shell, { nodes })) shell.print(line);
  return EXIT.done;
}

function linesOf(shell: Shell, document: NodesDocument): readonly string[] {
  const columns = Math.max(80, shell.screen?.columns ?? 80);
  const drawn = { nowMs: shell.clock.now(), columns, paint: painter(shell.hasPrintColor) };
  const troubles = nodeTroubles(document).flatMap((text) => wrap(text, columns));
  return [nodeTable(document, drawn), nodeExchangeTable(document, drawn), troubles]
    .filter((block) => block.length > 0)
    .flatMap((block, at) => at === 0 ? block : ["", ...block])
    .map((line) => cut(line, columns));
}
