/** Makes a command a node of an archive on a server, for as long as it works. @module */
import { endWithLeases } from "../archive/lease_work.ts";
import { isContainer, placeName } from "../config/own_host.ts";
import { hasLiveDaemon, readSlotHolders } from "../store/lease_holders.ts";
import { Poll } from "../fetch/poll.ts";
import { storeNote } from "../archive/failure.ts";
import { releaseEnded } from "./ended_nodes.ts";
import type { OpenArchive } from "./open_archive.ts";
import type { NodeLeases } from "../node/node_leases.ts";
import { nodeOf } from "./own_node.ts";
import { nextTime } from "./schedule.ts";
import { assertPolls } from "./shared_timeframes.ts";

/** How often it is looked whether an exchange may be asked by now. */
const LOOK_MS = 500;

/** What a node that was killed elsewhere held is free after half of this. */
const WAIT_MS_MAX = 30_000;

/** A server that is started anew, or another one that takes its place, answers by then. */
const HANDOVER_MS_MAX = 60_000;

/** What a command does as a node. */
interface CommandShare {
  /** Resolves when it has what others are to leave to it, once it has told which symbols it wants. */
  readonly handedOver: () => Promise<void>;
}

const NOW = (): Promise<void> => Promise.resolve();

/**
 * Does work with what this process holds, and releases that at the end. An exchange that another node asks from the same
 * egress is left to that node, once it has shown that it lives. What daemons have handed over is polled meanwhile.
 */
export async function asNode<T>(
  archive: OpenArchive,
  { signal }: { readonly signal: AbortSignal },
  work: (share: CommandShare) => Promise<T>,
): Promise<T> {
  if (archive.database.kind === "embedded") return await work({ handedOver: NOW });
  await assertPolls(archive);
  // Nobody is answered: while the port is open, other commands of this machine see that this one lives.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const node = nodeOf(archive, { kind: "backfill", url: `http://127.0.0.1:${port}` });
  const ended = endWithLeases(archive);
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  let polling: Promise<void> | undefined;
  try {
    const machine = isContainer() ? undefined : placeName();
    if (machine !== undefined) await releaseEnded(archive.database, { ...archive, machine });
    await node?.start();
    await untilShared(archive, both);
    polling = pollBeside(archive, both);
    const handedOver = (): Promise<void> => untilHandedOver(archive, { node, signal: both });
    return await work({ handedOver });
  } finally {
    over.abort(new Error("the command has ended"));
    await polling;
    ended();
    await node?.stop();
  }
}

/**
 * Waits until this process has what others are to leave to it: they end their work for it first, and may be dead. While the
 * database is away it has nothing, and what it had comes back.
 *
 * @throws StoreError when the database stays away.
 */
export async function untilHandedOver(
  { clock, database }: Pick<OpenArchive, "clock" | "database">,
  { node, signal }: {
    readonly node: Pick<NodeLeases, "isWaiting"> | undefined;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  for (let waitedMs = 0; waitedMs < HANDOVER_MS_MAX && !signal.aborted; waitedMs += LOOK_MS) {
    if (node?.isWaiting !== true) return;
    await clock.sleep(LOOK_MS, { signal }).catch(() => {});
  }
  if (!signal.aborted) await database.reach();
}

/** Waits until each exchange may be asked, or its holder has said after our start that it lives: a dead one does not. */
async function untilShared(
  { clock, database, exchanges }: OpenArchive,
  signal: AbortSignal,
): Promise<void> {
  const seen = new Map<string, number>();
  for (let waitedMs = 0; waitedMs < WAIT_MS_MAX && !signal.aborted; waitedMs += LOOK_MS) {
    if (exchanges.every(({ share }) => share.mayAsk)) return;
    const holders = await readSlotHolders(database);
    const isAwaited = exchanges.filter(({ share }) => !share.mayAsk).some(({ id, egress }) => {
      const holder = holders.find((one) => one.exchange === id && one.egress === egress);
      if (holder === undefined) return true;
      const firstMs = seen.get(holder.node) ?? holder.seenMs;
      seen.set(holder.node, firstMs);
      return holder.seenMs === firstMs;
    });
    if (!isAwaited) return;
    await clock.sleep(LOOK_MS, { signal }).catch(() => {});
  }
}

/** Polls what daemons would poll if this process did not hold it. Never throws. */
async function pollBeside(archive: OpenArchive, signal: AbortSignal): Promise<void> {
  const { clock, config, database } = archive;
  const poll = new Poll(archive);
  for (;;) {
    const next = nextTime(config.pollCron, clock.now());
    if (next === undefined) return;
    await clock.sleep(next.getTime() - clock.now(), { signal }).catch(() => {});
    if (signal.aborted) return;
    await storeNote(archive, async () => {
      if (await hasLiveDaemon(database)) await poll.runOnce({ signal });
    });
  }
}
