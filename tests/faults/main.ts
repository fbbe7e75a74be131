/**
 * Breaks everything that can break, by seeded random schedules, and compares what is left with the truth.
 *
 * `--seeds 1..500`; `--only exchange,database,process`; `--faults "late final,busy"` for these faults alone, or
 * `--without "class alias"` for all others; `--parallel 3`; `--json` for one line at the end. A seed that fails is printed
 * with its schedule, and `--seeds 17..17` with the same options plays it again. What hits when depends on the machine as
 * well, so that a seed repeats the faults and not each interleaving.
 * @module
 */
import { parseArgs } from "node:util";
import { type PostgresServer, startPostgres } from "../support/postgres_server.ts";
import { CLOCKS_CAN_JUMP } from "./machine_clock.ts";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { type Outcome, runSchedule } from "./run.ts";
import {
  CLASS_ALIAS,
  type DatabaseOfSchedule,
  type FaultFloor,
  FAULTS,
  type Schedule,
  scheduleOf,
  scheduleText,
} from "./schedule.ts";
import { mountSmallDisk } from "./small_disk.ts";

/** What must be zero. */
const FAILURES = ["lost", "wrong", "duplicated", "unexplained", "disagreeing", "crashes"] as const;

const FLOORS: readonly FaultFloor[] = ["exchange", "database", "process"];

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seeds: { type: "string" },
    only: { type: "string" },
    faults: { type: "string" },
    without: { type: "string" },
    parallel: { type: "string" },
    json: { type: "boolean" },
    verbose: { type: "boolean" },
  },
});
const seeds = seedsOf(values.seeds ?? "1..20");
const floors = values.only === undefined
  ? FLOORS
  : FLOORS.filter((floor) => values.only?.split(",").includes(floor));
const parallel = Number(values.parallel ?? 2);
if (floors.length === 0 || !(parallel >= 1)) {
  throw new RangeError("Cannot run: --only takes exchange, database, process; --parallel a number");
}

const [chosen, leftOut] = [namesOf(values.faults), namesOf(values.without)];
const isWanted = (name: string): boolean =>
  (chosen === undefined || chosen.includes(name)) && leftOut?.includes(name) !== true;

const shared = await startPostgres();
const smallDisk = shared === undefined ? undefined : await mountSmallDisk();
if (smallDisk === undefined) console.error("no small disk can be mounted: none is filled up");
const pgbouncer = shared === undefined ? undefined : await startPgbouncer(shared.url);
if (pgbouncer === undefined) console.error("no PgBouncer is installed: none is tried");
if (!CLOCKS_CAN_JUMP) {
  console.error("no libfaketime is installed: the machine's clock is left alone");
}
const databases: readonly DatabaseOfSchedule[] = shared === undefined ? ["embedded"] : [
  "server",
  "own server",
  "embedded",
  ...(smallDisk === undefined ? [] : ["full disk"] as const),
];
const total = {
  schedules: 0,
  lost: 0,
  wrong: 0,
  duplicated: 0,
  unexplained: 0,
  disagreeing: 0,
  crashes: 0,
  restarts: 0,
  streamed: 0,
};
/** Only one schedule can fill the disk at a time. */
let diskFree: Promise<void> = Promise.resolve();
/** Servers that may be killed, kept for the next schedule. */
const idle: PostgresServer[] = [];
try {
  const pending = seeds.values();
  await Promise.all(Array.from({ length: parallel }, async () => {
    for (const seed of pending) {
      count(await play(scheduleOf(seed, { floors, databases, isWanted })));
    }
  }));
} finally {
  for (const server of idle) await server.stop();
  await pgbouncer?.stop();
  await shared?.stop();
  await smallDisk?.unmount();
}
console.log(JSON.stringify(total));
Deno.exit(FAILURES.every((name) => total[name] === 0) ? 0 : 1);

async function play(schedule: Schedule): Promise<Outcome> {
  const startMs = performance.now();
  const outcome = await onItsDatabase(schedule).catch((error): Outcome => ({
    lost: 0,
    wrong: 0,
    duplicated: 0,
    unexplained: 0,
    disagreeing: 0,
    findings: [],
    crashes: 1,
    restarts: 0,
    streamed: 0,
    notes: [error instanceof Error ? error.stack ?? error.message : String(error)],
  }));
  const isSound = FAILURES.every((name) => outcome[name] === 0);
  if (!isSound || values.verbose === true) {
    console.error(`${scheduleText(schedule)}\n${outcome.notes.join("\n")}`);
  }
  if (values.json !== true) {
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(`seed ${schedule.seed}: ${isSound ? "ok" : "FAILED"} (${seconds} s)`);
  }
  return outcome;
}

async function onItsDatabase(schedule: Schedule): Promise<Outcome> {
  switch (schedule.database) {
    case "embedded":
      return await runSchedule(schedule, { server: undefined, smallDisk: undefined });
    case "server":
      return await runSchedule(schedule, { server: shared, smallDisk: undefined });
    case "pgbouncer":
      return await runSchedule(schedule, {
        server: shared,
        smallDisk: undefined,
        port: pgbouncer?.port,
      });
    case "own server": {
      const server = idle.pop() ?? await startPostgres();
      try {
        return await runSchedule(schedule, { server, smallDisk: undefined });
      } finally {
        if (server !== undefined) idle.push(server);
      }
    }
    case "full disk": {
      const before = diskFree;
      const { promise, resolve } = Promise.withResolvers<void>();
      diskFree = promise;
      await before;
      const server = await startPostgres({ within: smallDisk?.path });
      try {
        return await runSchedule(schedule, { server, smallDisk: smallDisk?.path });
      } finally {
        await server?.stop();
        resolve();
      }
    }
  }
}

function count(outcome: Outcome): void {
  total.schedules++;
  for (const name of [...FAILURES, "restarts", "streamed"] as const) total[name] += outcome[name];
}

function namesOf(list: string | undefined): readonly string[] | undefined {
  const names = list?.split(",").map((name) => name.trim());
  const known = [...Object.keys(FAULTS), CLASS_ALIAS];
  const unknown = names?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0) {
    throw new RangeError(`No such fault: ${unknown.join(", ")}. There are: ${known.join(", ")}`);
  }
  return names;
}

function seedsOf(text: string): readonly number[] {
  const [, first, last] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  if (first === undefined) throw new RangeError(`Cannot read seeds ${text}: expected 1..500`);
  const length = Number(last ?? first) - Number(first) + 1;
  return Array.from({ length: Math.max(0, length) }, (_, i) => Number(first) + i);
}
