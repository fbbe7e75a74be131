/**
 * Several nodes on one archive among troubles, by seeded random schedules: killed, stopped for longer than a lease, cut off,
 * banned. What is left is compared with the truth, the exchange's log with what nodes may ask, and posts with events.
 *
 * `--seeds 1..200`; `--only "kill -9,writes held"` for these troubles alone, or `--without`; `--server promoted` for one
 * kind of server; `--parallel 2`; `--verbose`. A seed that fails is printed with its schedule, and `--seeds 17..17` with
 * the same options plays it again. What hits when depends on the machine as well. TEST_DATABASE_URL names a server of
 * yours, which may have TimescaleDB.
 * @module
 */
import { parseArgs } from "node:util";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { RUNS_SOURCES } from "../support/program.ts";
import { type NodesOutcome, runNodes } from "./run.ts";
import {
  type NodesSchedule,
  PROMOTION,
  scheduleOf,
  scheduleText,
  TROUBLES,
  UPGRADES,
} from "./schedule.ts";
import type { ServerOfSchedule } from "./schedule.ts";
import { canPromote, makeTemplate, serverOf } from "./servers.ts";

/** What must be zero. */
const FAILURES = [
  "lost",
  "wrong",
  "duplicated",
  "unexplained",
  "disagreeing",
  "putBack",
  "askedTwice",
  "unpolled",
  "posts",
  "crashes",
] as const;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seeds: { type: "string" },
    only: { type: "string" },
    without: { type: "string" },
    server: { type: "string" },
    parallel: { type: "string" },
    verbose: { type: "boolean" },
  },
});
const seeds = seedsOf(values.seeds ?? "1..8");
const [chosen, leftOut] = [namesOf(values.only), namesOf(values.without)];
const isWanted = (name: string): boolean =>
  chosen?.includes(name) !== false && leftOut?.includes(name) !== true &&
  (RUNS_SOURCES || !UPGRADES.some((one) => one === name));
const parallel = Number(values.parallel ?? 2);
if (!(parallel >= 1)) throw new RangeError("Cannot run: --parallel takes a number");

const given = Deno.env.get("TEST_DATABASE_URL");
const shared = given ? { url: given, stop: async () => {} } : await startPostgres();
if (shared === undefined) {
  // Several nodes need a server.
  Deno.exit(0);
}
const pgbouncer = given ? undefined : await startPgbouncer(shared.url);
if (pgbouncer === undefined) console.error("no PgBouncer is installed: none is tried");
const servers = ["server", ...(pgbouncer === undefined ? [] : ["pgbouncer"] as const)] as const;
const all: readonly ServerOfSchedule[] = !given && await canPromote()
  ? [...servers, "promoted"]
  : servers;
const total: Record<string, number> = { schedules: 0, askedAgain: 0, longestUnpolledMs: 0 };
for (const name of FAILURES) total[name] = 0;
try {
  const template = given ? undefined : await makeTemplate(shared.url);
  const pending = seeds.values();
  await Promise.all(Array.from({ length: parallel }, async () => {
    for (const seed of pending) count(await play(drawn(seed), template));
  }));
} finally {
  await pgbouncer?.stop();
  await shared.stop();
}
console.log(JSON.stringify(total));
Deno.exit(FAILURES.every((name) => total[name] === 0) ? 0 : 1);

function drawn(seed: number): NodesSchedule {
  const schedule = scheduleOf(seed, {
    servers: values.server === undefined ? all : [values.server as ServerOfSchedule],
    isWanted,
  });
  return values.server === undefined
    ? schedule
    : { ...schedule, server: values.server as ServerOfSchedule };
}

async function play(
  schedule: NodesSchedule,
  template: string | undefined,
): Promise<Partial<NodesOutcome>> {
  const startMs = performance.now();
  const outcome = await serverOf(schedule.server, { sharedUrl: shared!.url, template, pgbouncer })
    .then((server) => runNodes(schedule, server))
    .catch((error: unknown): Partial<NodesOutcome> => ({
      crashes: 1,
      notes: [error instanceof Error ? error.stack ?? error.message : String(error)],
    }));
  const isSound = FAILURES.every((name) => (outcome[name] ?? 0) === 0);
  if (!isSound || values.verbose === true) {
    console.error([scheduleText(schedule), outcome.times, ...outcome.notes ?? []].join("\n"));
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(
    `seed ${schedule.seed}: ${isSound ? "ok" : "FAILED"} (${seconds} s, ` +
      `unpolled for ${outcome.longestUnpolledMs} ms at most)`,
  );
  return outcome;
}

function count(outcome: Partial<NodesOutcome>): void {
  total["schedules"]!++;
  for (const name of [...FAILURES, "askedAgain"] as const) total[name]! += outcome[name] ?? 0;
  const { longestUnpolledMs = 0 } = outcome;
  total["longestUnpolledMs"] = Math.max(total["longestUnpolledMs"]!, longestUnpolledMs);
}

function namesOf(list: string | undefined): readonly string[] | undefined {
  const names = list?.split(",").map((name) => name.trim());
  const known = [...Object.keys(TROUBLES), PROMOTION, ...UPGRADES];
  const unknown = names?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0) {
    throw new RangeError(`No such trouble: ${unknown.join(", ")}. There are: ${known.join(", ")}`);
  }
  return names;
}

function seedsOf(text: string): readonly number[] {
  const [, first, last] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  if (first === undefined) throw new RangeError(`Cannot read seeds ${text}: expected 1..200`);
  const length = Number(last ?? first) - Number(first) + 1;
  return Array.from({ length: Math.max(0, length) }, (_, i) => Number(first) + i);
}
