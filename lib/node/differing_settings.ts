/** Tells once in what this node's settings differ from those of the node that leads. @module */
import type { Archive } from "../archive/archive.ts";
import { differencesOf, sharedSettings } from "../config/shared_settings.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import { readLeadSettings } from "../store/lead_settings.ts";

/** The name under which it is remembered. */
const DIFFERING = "differing settings";

/** Looks whether they differ. Never throws. */
export async function tellDifferingSettings(archive: Archive): Promise<void> {
  const { config, database, events, failures, leases, log } = archive;
  if (leases.node === undefined) return;
  try {
    const lead = await readLeadSettings(database, leases.node);
    if (lead === undefined) return;
    const { hash, settings } = sharedSettings(config);
    if (lead.hash === hash) {
      if (failures.has(DIFFERING)) log.info("this node's settings are those of the leader again");
      return failures.clear(DIFFERING);
    }
    const differences = differencesOf(settings, lead.settings);
    if (!failures.isNews(DIFFERING, differences.join("; "))) return;
    log.warn("settings differ from the leader's: this node works by its own, and does not lead", {
      leader: lead.leader,
      differences,
    });
    const text =
      `The settings of the node ${lead.own} differ from those of ${lead.leader}, which leads: ` +
      differences.join("; ");
    events.note({ kind: "settings_differ", text });
  } catch (error) {
    log[isServerAway(error) ? "debug" : "warn"]("settings were not compared", { error });
  }
}
