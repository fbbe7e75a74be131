/** Makes this process a node of an archive on a server, which others may share. @module */
import type { Config } from "../config/config.ts";
import { egressOf } from "../config/egress_setting.ts";
import { machineName, ownHost, placeName } from "../config/own_host.ts";
import { sharedSettings } from "../config/shared_settings.ts";
import { NodeLeases, type NodeSettings } from "../node/node_leases.ts";
import type { NodeKind } from "../store/nodes.ts";
import { VERSION } from "../version.ts";
import { followEgress } from "./egress_bans.ts";
import { tellLeases } from "./lease_metrics.ts";
import type { OpenArchive } from "./open_archive.ts";

/**
 * Lets all verbs of an archive ask its leases from now on; they hold nothing before these are started. Returns undefined
 * where no other node can be: the embedded database belongs to one process.
 *
 * @param options.url where this process listens. Whoever listens there next has taken its place.
 */
export function nodeOf(
  archive: OpenArchive,
  { kind, url }: { readonly kind: NodeKind; readonly url?: string | undefined },
): NodeLeases | undefined {
  if (archive.database.kind === "embedded") {
    tellLeases(archive);
    return undefined;
  }
  const [machine, place] = [machineName(), placeName()];
  const address = url === undefined ? undefined : new URL(url);
  const isProof = place !== undefined && address !== undefined;
  const node = new NodeLeases({
    archive,
    kind,
    name: `${machine ?? ownHost()}:${kind === "daemon" ? address?.port ?? kind : kind}`,
    place: isProof ? `${place} ${address.host}` : undefined,
    version: VERSION,
    settingsOf,
  });
  archive.leases = node;
  // Before all others: nothing is asked for before it is known who is banned.
  followEgress(archive);
  tellLeases(archive);
  return node;
}

function settingsOf(config: Config): NodeSettings {
  const { hash, settings } = sharedSettings(config);
  return {
    settingsHash: hash,
    settings,
    egressOf: (exchange) => egressOf(config, exchange),
  };
}
