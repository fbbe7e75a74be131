/** Finds the nodes of this machine that were killed, so that nothing waits until what they held runs out. @module */
import type { Clock } from "../clock.ts";
import { withDeadline } from "../policy/deadline.ts";
import type { Database } from "../store/connection/database.ts";
import { readNodePlaces } from "../store/lease_holders.ts";
import { releaseNode } from "../store/nodes.ts";

/** The same machine answers at once, or refuses. */
const ANSWER_MS_MAX = 1_000;

/**
 * Releases what nodes of this machine hold whose port nobody listens at any more: the system closes it with its process. A
 * process that is merely stopped keeps it open.
 *
 * @throws StoreError
 */
export async function releaseEnded(
  database: Database,
  { machine, clock }: { readonly machine: string; readonly clock: Clock },
): Promise<void> {
  for (const { node, address } of await readNodePlaces(database, machine)) {
    if (await isRefused(address, clock)) await releaseNode(database, node);
  }
}

async function isRefused(address: string, clock: Clock): Promise<boolean> {
  const { hostname, port } = new URL(`http://${address}`);
  const connecting = Deno.connect({
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port === "" ? "80" : port),
  });
  connecting.then((connection) => connection.close(), () => {});
  try {
    await withDeadline(ANSWER_MS_MAX, () => connecting, { clock, name: "a connection" });
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}
