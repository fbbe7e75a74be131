/** Which nodes there are and what befalls them, made from a seed alone, so that a failure can be seen again. @module */
import { Random } from "../faults/random.ts";

/** Where the nodes find their database. */
export type ServerOfSchedule = "server" | "pgbouncer" | "promoted";

export interface NodesSchedule {
  readonly seed: number;
  readonly server: ServerOfSchedule;
  /** The address that each node reaches exchanges from. */
  readonly egresses: readonly string[];
  readonly symbols: number;
  /** In the order in which they begin. */
  readonly steps: readonly Step[];
}

export interface Step {
  readonly trouble: TroubleName;
  /** Which node it befalls, where it befalls one. */
  readonly node: number;
  /** After the first polls of all nodes. Milliseconds. */
  readonly atMs: number;
  readonly forMs: number;
}

interface TroubleKind {
  /** How long it lasts. Milliseconds. */
  readonly forMs: readonly [least: number, most: number];
  /** Whether another node takes over meanwhile, if it comes to that. */
  readonly isLong?: boolean;
  /** Whether it needs a proxy of the node's own before the server. */
  readonly needsProxy?: boolean;
  /** Whether it befalls no node, but the archive or the exchange. */
  readonly isCommon?: boolean;
}

/** Longer than a lease, by more than a heartbeat. */
const LONG_MS = [17_000, 21_000] as const;

export const TROUBLES = {
  "kill -9": { forMs: [0, 3_000] },
  "kill -9, another place": { forMs: [0, 3_000] },
  "kill -9 for long": { forMs: LONG_MS, isLong: true },
  "SIGTERM": { forMs: [0, 3_000] },
  "SIGTERM, other settings": { forMs: [0, 2_000] },
  "SIGSTOP past the lease": { forMs: LONG_MS, isLong: true },
  "writes held": { forMs: LONG_MS, isLong: true, needsProxy: true },
  "partition": { forMs: LONG_MS, isLong: true, needsProxy: true },
  "connections cut": { forMs: [500, 3_000], needsProxy: true },
  "address banned": { forMs: [17_000, 21_000], isLong: true },
  "node joins": { forMs: [8_000, 15_000], isCommon: true },
  "one-shot backfill": { forMs: [12_000, 18_000], isCommon: true },
  "pages without stamp": { forMs: [1_000, 4_000], isCommon: true },
} as const satisfies Readonly<Record<string, TroubleKind>>;

/** A standby becomes the primary while a node is killed. */
export const PROMOTION = "promotion";

/** One node after the other is started anew as a later version: all of them, or all but the one that is left alone. */
export const UPGRADES = ["rolling upgrade", "half a rolling upgrade"] as const;

/** Between two of these starts. Milliseconds. */
const UPGRADE_PAUSE_MS = [0, 4_000] as const;

const UPGRADES_SHARE = 0.2;

export type TroubleName =
  | keyof typeof TROUBLES
  | typeof PROMOTION
  | typeof UPGRADES[number];

/** The last trouble begins before this. */
const BEGINS_MS = 4_000;

/** Another trouble of the same node begins so much later: by then it is at work again. */
const APART_MS = 6_000;

const SHARES_EGRESS = 0.25;

/** The schedule of a seed. One node is left alone, so that there is always one that can take over. */
export function scheduleOf(
  seed: number,
  { servers, isWanted = () => true }: {
    readonly servers: readonly ServerOfSchedule[];
    /** Leaves out troubles by name. @default all are wanted */
    readonly isWanted?: (name: string) => boolean;
  },
): NodesSchedule {
  const random = new Random(seed);
  const draw = random.next();
  const wanted = draw < 0.15 ? "promoted" : draw < 0.3 ? "pgbouncer" : "server";
  const server = servers.includes(wanted) ? wanted : "server";
  const nodes = random.whole(2, 3);
  const egresses = Array.from({ length: nodes }, (_, i) => `127.0.0.${2 + i}`);
  if (random.next() < SHARES_EGRESS) egresses[nodes - 1] = egresses[0] ?? "";
  const safe = random.whole(0, nodes - 1);
  const isPossible = (name: string, node: number): boolean => {
    const kind: TroubleKind = TROUBLES[name as keyof typeof TROUBLES];
    if (!isWanted(name) || (kind.needsProxy === true && server === "promoted")) return false;
    return name !== "address banned" || egresses[node] !== egresses[safe];
  };
  const names = Object.keys(TROUBLES) as (keyof typeof TROUBLES)[];
  const steps = egresses.flatMap((_, node): Step[] => {
    if (node === safe) return [];
    const own = names.filter((name) => !isCommon(name) && isPossible(name, node));
    return own.length === 0 ? [] : troublesOf(node, own, random);
  });
  const common = names.filter((name) => isCommon(name) && isPossible(name, safe));
  if (common.length > 0 && random.next() < 0.5) {
    steps.push(stepOf(random.pick(common), safe, random));
  }
  if (server === "promoted" && isWanted(PROMOTION)) {
    // While another node takes over what one has lost, at best.
    const atMs = (steps.find(({ node }) => node !== safe)?.atMs ?? 0) + random.whole(0, 18_000);
    steps.push({ trouble: PROMOTION, node: safe, atMs, forMs: 0 });
  }
  const symbols = random.whole(4, 7);
  const upgrades = server === "promoted" ? [] : UPGRADES.filter(isWanted);
  if (upgrades.length > 0 && (random.next() < UPGRADES_SHARE || steps.length === 0)) {
    const atMs = random.whole(0, BEGINS_MS);
    const [least, most] = UPGRADE_PAUSE_MS;
    const forMs = random.whole(least, most);
    steps.push({ trouble: random.pick(upgrades), node: safe, atMs, forMs });
  }
  return {
    seed,
    server,
    egresses,
    symbols,
    steps: steps.sort((a, b) => a.atMs - b.atMs),
  };
}

/** One that lasts, or two that are soon over. */
function troublesOf(
  node: number,
  names: readonly (keyof typeof TROUBLES)[],
  random: Random,
): Step[] {
  const first = stepOf(random.pick(names), node, random);
  const short = names.filter((name) => !isLong(name));
  if (isLong(first.trouble) || short.length === 0) return [first];
  const second = stepOf(random.pick(short), node, random);
  return [first, { ...second, atMs: first.atMs + first.forMs + APART_MS }];
}

function stepOf(trouble: keyof typeof TROUBLES, node: number, random: Random): Step {
  const [least, most] = TROUBLES[trouble].forMs;
  return { trouble, node, atMs: random.whole(0, BEGINS_MS), forMs: random.whole(least, most) };
}

function kindOf(name: TroubleName): TroubleKind {
  return name in TROUBLES
    ? TROUBLES[name as keyof typeof TROUBLES]
    : { forMs: [0, 0], isCommon: true };
}

function isLong(name: TroubleName): boolean {
  return kindOf(name).isLong === true;
}

/** Whether it befalls no node of its own. */
export function isCommon(name: TroubleName): boolean {
  return kindOf(name).isCommon === true;
}

/** One line a step, for whoever has to find out what went wrong. */
export function scheduleText({ seed, server, egresses, symbols, steps }: NodesSchedule): string {
  return [
    `seed ${seed}: ${egresses.length} nodes at ${
      egresses.join(", ")
    } on ${server}, ${symbols} symbols`,
    ...steps.map(({ trouble, node, atMs, forMs }) =>
      `  ${atMs} ms: ${trouble} for ${forMs} ms, node ${node}`
    ),
  ].join("\n");
}
