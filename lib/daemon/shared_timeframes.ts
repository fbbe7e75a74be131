/** Whether a command polls all that daemons poll of the symbols which they leave to it. @module */
import { settingsOf } from "../config/exchange_settings.ts";
import { SETTINGS } from "../config/variables.ts";
import { readLiveNodes } from "../store/live_nodes.ts";
import type { OpenArchive } from "./open_archive.ts";

/**
 * What daemons leave to a command is polled by its own settings: of a timeframe that they lack, nobody would poll anything
 * meanwhile.
 *
 * @throws Error that names the node and the timeframes; StoreError
 */
export async function assertPolls(
  { config, database, exchanges }: Pick<OpenArchive, "config" | "database" | "exchanges">,
): Promise<void> {
  const name = SETTINGS.timeframes.name;
  for (const node of await readLiveNodes(database)) {
    if (node.kind !== "daemon" || !node.isLive) continue;
    for (const { id, egress } of exchanges) {
      // A node of the same egress leaves nothing.
      const isShared = node.exchanges.some((one) => one.exchange === id && one.egress !== egress);
      if (!isShared) continue;
      const theirs = (node.settings[`${id} ${name}`] ?? node.settings[name] ?? "").split(",");
      const own: readonly string[] = settingsOf(config, id).timeframes;
      const lacking = theirs.filter((text) => /^\d/.test(text) && !own.includes(text));
      if (lacking.length === 0) continue;
      throw new Error(
        `Cannot share ${id} with the node ${node.name}: it polls ${
          lacking.join(", ")
        }, which this ` +
          `command's ${name} lacks. Give it the same ${name}; BACKFILL may differ`,
      );
    }
  }
}
