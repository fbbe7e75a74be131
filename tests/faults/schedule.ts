/** What goes wrong, when and for how long: made from a seed alone, so that a failure can be seen again. @module */
import { ALIASES, BINANCE } from "./exchange_class.ts";
import { Random } from "./random.ts";

export type FaultFloor = "exchange" | "database" | "process";

/** Where the archive of one schedule lives. A server of its own is one that may be killed. */
export type DatabaseOfSchedule = "server" | "pgbouncer" | "own server" | "full disk" | "embedded";

export interface Schedule {
  readonly seed: number;
  readonly database: DatabaseOfSchedule;
  /** CCXT id. */
  readonly exchange: string;
  readonly symbols: number;
  readonly pageLimit: number;
  /** Files that the program may have open at once; undefined for as many as this machine allows. */
  readonly openFilesMax: number | undefined;
  /** In the order in which they begin. */
  readonly steps: readonly Step[];
}

export interface Step {
  readonly fault: FaultName;
  /** After the start of the program. Milliseconds. */
  readonly atMs: number;
  readonly forMs: number;
  /** What a fault that has variants draws them from. */
  readonly seed: number;
}

interface FaultKind {
  readonly floor: FaultFloor;
  readonly on: readonly DatabaseOfSchedule[];
  /** Whether it needs what only the scene of Binance has: seconds, ids of markets, futures, a stream. */
  readonly isBinanceOnly?: boolean;
}

const EVERYWHERE: readonly DatabaseOfSchedule[] = [
  "server",
  "pgbouncer",
  "own server",
  "full disk",
  "embedded",
];
const SERVERS: readonly DatabaseOfSchedule[] = ["server", "pgbouncer", "own server"];
const OWN: readonly DatabaseOfSchedule[] = ["own server"];
const exchange: FaultKind = { floor: "exchange", on: EVERYWHERE };
const binanceOnly: FaultKind = { ...exchange, isBinanceOnly: true };
const process: FaultKind = { floor: "process", on: EVERYWHERE };
const server: FaultKind = { floor: "database", on: SERVERS };
const ownServer: FaultKind = { floor: "database", on: OWN };

export const FAULTS = {
  "latency": exchange,
  "status": exchange,
  "hang": exchange,
  "reset": exchange,
  "truncated": exchange,
  "html": exchange,
  "empty body": exchange,
  "short page": exchange,
  "empty page": exchange,
  "moved start": exchange,
  "duplicate rows": exchange,
  "unordered rows": exchange,
  "forming candle": exchange,
  "revision": binanceOnly,
  "holes": exchange,
  "bad value": exchange,
  "slow drip": exchange,
  "wrong content length": exchange,
  "gzip garbage": exchange,
  "huge body": exchange,
  "redirect loop": exchange,
  "untrusted TLS": exchange,
  "clock ahead": exchange,
  "clock behind": exchange,
  "vanishing symbol": exchange,
  "busy": exchange,
  "denied": exchange,
  "late final": exchange,
  "market replaced": binanceOnly,
  "market doubled": binanceOnly,
  "kind refused": binanceOnly,
  "stream killed": binanceOnly,
  "stream half-open": binanceOnly,
  "stream unopened": binanceOnly,
  "stream garbage": binanceOnly,
  "stream late": binanceOnly,
  "stream two finals": binanceOnly,
  "stream flat": binanceOnly,
  "stream mistaken": binanceOnly,
  "stream missing": binanceOnly,
  "stream burst": binanceOnly,
  "connections terminated": server,
  "connections used up": server,
  "read only": server,
  "lock held": server,
  "statement timeout": server,
  "deadlock": server,
  "server killed": ownServer,
  "server killed at start": ownServer,
  "server stopped in its tracks": ownServer,
  "slow commit": ownServer,
  "disk full": { floor: "database", on: ["full disk"] },
  "kill -9": process,
  "SIGTERM": process,
  "SIGSTOP": process,
  "second daemon": process,
  "machine clock jumps": process,
} as const satisfies Readonly<Record<string, FaultKind>>;

export type FaultName = keyof typeof FAULTS;

/** Not a fault of its own: the exchange is a class of CCXT that inherits from a tested one. */
export const CLASS_ALIAS = "class alias";
const ALIAS_SHARE = 0.25;

/** The last fault begins before this. */
const FAULTY_MS = 2_500;
const FAULT_MS = { least: 100, most: 1_200 };
const STEPS = { least: 2, most: 6 };

/** Too few for all connections; the embedded server's own files come on top. */
const OPEN_FILES_MAX: Readonly<Record<DatabaseOfSchedule, number>> = {
  "server": 48,
  "pgbouncer": 48,
  "own server": 48,
  "full disk": 48,
  "embedded": 112,
};

/** The schedule of a seed, out of the faults of some floors. */
export function scheduleOf(
  seed: number,
  { floors, databases, isWanted = () => true }: {
    readonly floors: readonly FaultFloor[];
    readonly databases: readonly DatabaseOfSchedule[];
    /** Leaves out faults, and {@linkcode CLASS_ALIAS}, by name. @default all are wanted */
    readonly isWanted?: (name: string) => boolean;
  },
): Schedule {
  const random = new Random(seed);
  const database = drawDatabase(random, databases);
  const isAlias = random.next() < ALIAS_SHARE && isWanted(CLASS_ALIAS);
  const exchange = isAlias ? random.pick(Object.keys(ALIASES)) : BINANCE;
  const names = (Object.keys(FAULTS) as FaultName[]).filter((name) => {
    const kind: FaultKind = FAULTS[name];
    return floors.includes(kind.floor) && kind.on.includes(database) && isWanted(name) &&
      !(isAlias && kind.isBinanceOnly === true);
  });
  const count = names.length === 0 ? 0 : random.whole(STEPS.least, STEPS.most);
  const steps = Array.from({ length: count }, (): Step => ({
    fault: random.pick(names),
    atMs: random.whole(0, FAULTY_MS),
    forMs: random.whole(FAULT_MS.least, FAULT_MS.most),
    seed: random.whole(1, 1_000_000),
  }));
  if (database === "full disk" && floors.includes("database") && isWanted("disk full")) {
    steps.push({ fault: "disk full", atMs: random.whole(0, FAULTY_MS), forMs: 800, seed: 1 });
  }
  return {
    seed,
    database,
    exchange,
    symbols: random.whole(2, 4),
    pageLimit: random.pick([50, 100, 250, 1000]),
    openFilesMax: random.next() < 0.1 ? OPEN_FILES_MAX[database] : undefined,
    steps: steps.sort((a, b) => a.atMs - b.atMs),
  };
}

/** Most schedules share a server, which costs them nothing. */
function drawDatabase(
  random: Random,
  databases: readonly DatabaseOfSchedule[],
): DatabaseOfSchedule {
  const draw = random.next();
  const wanted = draw < 0.65
    ? draw < 0.1 ? "pgbouncer" : "server"
    : draw < 0.88
    ? "own server"
    : draw < 0.96
    ? "embedded"
    : "full disk";
  return databases.includes(wanted) ? wanted : "server";
}

/** One line a step, for whoever has to find out what went wrong. */
export function scheduleText(schedule: Schedule): string {
  const { seed, database, exchange, symbols, pageLimit, openFilesMax, steps } = schedule;
  const files = openFilesMax === undefined ? "" : `, at most ${openFilesMax} open files`;
  return [
    `seed ${seed}: ${exchange} on ${database}, ${symbols} symbols, pages of ${pageLimit}${files}`,
    ...steps.map(({ fault, atMs, forMs }) => `  ${atMs} ms: ${fault} for ${forMs} ms`),
  ].join("\n");
}
