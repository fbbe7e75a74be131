/** How each trouble comes over a node, and what ends it. @module */
import { systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { freePort } from "../faults/scene.ts";
import { openTestArchive } from "../support/local_archive.ts";
import { start } from "../support/program.ts";
import { inTurn, type Node, type NodesScene, startAnew } from "./scene.ts";
import { isCommon, PROMOTION, type Step, type TroubleName } from "./schedule.ts";
import { upgradeAll } from "./upgrade.ts";

type End = () => Promise<void> | void;
type Begin = (scene: NodesScene, node: Node, forMs: number) => Promise<End> | End;

/** Addresses of what joins the nodes for a while. */
const JOINING = "127.0.0.8";
const ONE_SHOT = "127.0.0.9";

/** Longer than any schedule. */
const BAN_SECONDS = 600;

/** What was answered so shortly before a trouble began may not be stored yet. */
export const UNSTORED_MS = 6_000;

/** So late a busy exchange may read a request whose sender is gone. */
const LATE_MS = 1_000;

/** How old pages on their way can be when the database changes. */
const LOST_MS = 15_000;

/** Lets a step befall its node, and resolves when it is over. */
export async function strike(scene: NodesScene, step: Step): Promise<void> {
  const node = scene.nodes[step.node];
  if (node === undefined) throw new RangeError(`There is no node ${step.node}`);
  // What befalls no node of its own waits for none.
  await inTurn(isCommon(step.trouble) ? [] : [node], () => strikeNode(scene, node, step));
}

async function strikeNode(
  scene: NodesScene,
  node: Node,
  { trouble, forMs }: Step,
): Promise<void> {
  const sinceMs = systemClock.now();
  const end = await TROUBLES_BEGIN[trouble](scene, node, forMs);
  await systemClock.sleep(forMs);
  await end();
  const { visitor, beforeMs } = LOSSES[trouble]?.(node) ?? {};
  if (beforeMs === undefined) return;
  const untilMs = systemClock.now() + LATE_MS;
  scene.pardons.push({ visitor, sinceMs: sinceMs - beforeMs, untilMs });
}

/** After which answers may not have been stored, and whose. A stop ends what is under way, too. */
const LOSSES: Partial<
  Readonly<
    Record<
      TroubleName,
      (node: Node) => { readonly visitor: string | undefined; readonly beforeMs: number }
    >
  >
> = {
  "kill -9": ofNode,
  "kill -9, another place": ofNode,
  "kill -9 for long": ofNode,
  "SIGTERM": ofNode,
  "SIGTERM, other settings": ofNode,
  "SIGSTOP past the lease": ofNode,
  "writes held": ofNode,
  "partition": ofNode,
  "connections cut": ofNode,
  "node joins": () => ({ visitor: JOINING, beforeMs: 0 }),
  "one-shot backfill": () => ({ visitor: ONE_SHOT, beforeMs: 0 }),
  // It takes no part, and asks what the nodes ask.
  "pages without stamp": () => ({ visitor: undefined, beforeMs: UNSTORED_MS }),
  [PROMOTION]: () => ({ visitor: undefined, beforeMs: LOST_MS }),
};

function ofNode({ egress }: Node): { readonly visitor: string; readonly beforeMs: number } {
  return { visitor: egress, beforeMs: UNSTORED_MS };
}

const TROUBLES_BEGIN: Readonly<Record<TroubleName, Begin>> = {
  "kill -9": async (_, node) => {
    await node.keeper.end("SIGKILL");
    return () => node.keeper.start();
  },
  "kill -9 for long": async (_, node) => {
    await node.keeper.end("SIGKILL");
    return () => node.keeper.start();
  },
  "kill -9, another place": async (scene, node) => {
    await node.keeper.end("SIGKILL");
    return () => startAnew(scene, node, { HTTP_PORT: String(freePort()) });
  },
  "SIGTERM": (_, node) => stopped(node, () => node.keeper.start()),
  "SIGTERM, other settings": (scene, node) =>
    stopped(node, () => startAnew(scene, node, { GAP_ALERT_PERCENT: "7" })),
  "SIGSTOP past the lease": (_, node) => {
    node.keeper.signal("SIGSTOP");
    return () => node.keeper.signal("SIGCONT");
  },
  "writes held": (_, { proxy }) => {
    proxy?.hold(true);
    return () => proxy?.hold(false);
  },
  "partition": (_, { proxy }) => {
    proxy?.swallow(true);
    return () => proxy?.swallow(false);
  },
  "connections cut": (_, { proxy }) => {
    const stop = new AbortController();
    const cutting = (async () => {
      while (!stop.signal.aborted) {
        proxy?.cut();
        await systemClock.sleep(100, { signal: stop.signal }).catch(() => {});
      }
    })();
    return async () => {
      stop.abort();
      await cutting;
    };
  },
  "address banned": ({ exchange, banned }, { egress }) => {
    banned.add(egress);
    exchange.faults.add({
      when: { visitor: egress },
      fault: { kind: "status", status: 418, retryAfterSeconds: BAN_SECONDS },
    });
    return () => {};
  },
  "node joins": (scene) => {
    const node = scene.addNode(JOINING);
    return async () => {
      scene.nodes.splice(scene.nodes.indexOf(node), 1);
      const code = await node.keeper.end("SIGTERM");
      noteEnd(scene, { code, node, what: "a node that joined" });
      await node.proxy?.close();
    };
  },
  "one-shot backfill": oneShot,
  "pages without stamp": unstamped,
  [PROMOTION]: async ({ server }) => {
    await server.promote?.();
    return () => {};
  },
  "rolling upgrade": async (scene, safe, pauseMs) => {
    await upgradeAll(scene, { safe, isWhole: true, pauseMs });
    return () => {};
  },
  "half a rolling upgrade": async (scene, safe, pauseMs) => {
    await upgradeAll(scene, { safe, isWhole: false, pauseMs });
    return () => {};
  },
};

/** Behind a hanging server a stop takes as long as it takes. */
function stopped({ keeper }: Node, restart: () => void): End {
  const ended = keeper.end("SIGTERM");
  return async () => {
    await ended;
    restart();
  };
}

/** A command takes its share beside the nodes, and gives it back when it is stopped. */
function oneShot(scene: NodesScene): End {
  const { cwd, server, crashes } = scene;
  const { HTTP_PORT: _, ...env } = scene.envOf(ONE_SHOT, server.nodeUrl);
  const program = scene.installed;
  const running = start(["backfill"], { cwd, env: { ...env, EXCHANGES: "binance" }, program });
  return async () => {
    running.kill("SIGTERM");
    const { code } = await running.ended;
    // It fails for what it leaves to the nodes.
    const isLeft = code === 1 && /left to other nodes/.test(running.stdout());
    // After RETRY_ATTEMPTS it gives up where the server is away, and says that.
    const isAway = code === 1 && server.promote !== undefined &&
      /^Cannot .* Start that server/m.test(running.stderr());
    if (code !== 0 && code !== 143 && !isLeft && !isAway) {
      const said = `${running.stdout().slice(-2_000)}${running.stderr().slice(-1_000)}`;
      crashes.push(`the one-shot backfill ended with ${code}: ${said}`);
    }
  };
}

/** What a program does that knows nothing of leases: its pages carry no stamp. */
async function unstamped({ server, symbols, variables, schedule }: NodesScene): Promise<End> {
  const database = await openDatabase({
    url: server.url,
    dataDir: "",
    poolMax: 2,
    clock: systemClock,
  });
  const settings = {
    ...variables,
    SYMBOLS: symbols[schedule.seed % symbols.length]?.symbol ?? "",
  };
  const stop = new AbortController();
  // The server may go away meanwhile.
  const running = openTestArchive(database, settings, systemClock)
    .then((archive) => backfill(archive, { patient: false, signal: stop.signal }))
    .catch(() => {});
  return async () => {
    stop.abort();
    await running;
    await database.close();
  };
}

function noteEnd(
  { crashes }: NodesScene,
  { code, node, what }: {
    readonly code: number | undefined;
    readonly node: Node;
    readonly what: string;
  },
): void {
  if (code === 0 || code === 143) return;
  crashes.push(`${what} at ${node.egress} ended with ${code}: ${node.keeper.lastWords()}`);
}
