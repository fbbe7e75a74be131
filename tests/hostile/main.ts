/**
 * Attacks a running daemon from four sides, by seed: exchanges that answer with what should end it, visitors of its HTTP, and
 * authors of queries, and givers of files. It must live, within its memory, ask the good exchange on time, say truly whether it can write,
 * and have every candle of the good exchange in the end.
 *
 * `--seeds 1..200`; `--database server,embedded`; `--only answers,visitors,queries,files`; `--names "deep brackets"` for these
 * attacks alone; `--json` for one line at the end. Exit code 1 when something was wrong.
 * @module
 */
import { parseArgs } from "node:util";
import { systemClock } from "../../lib/clock.ts";
import { Random } from "../faults/random.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { peakOf } from "../support/peak_memory.ts";
import { start, withArchiveDirectory, withDirectory } from "../support/program.ts";
import { createServerDatabase } from "../support/test_database.ts";
import { ANSWER_ATTACKS } from "./answer_attacks.ts";
import { FILE_ATTACKS, type FileAttack } from "./file_attacks.ts";
import { judge } from "./judge.ts";
import { QUERY_ATTACKS, type QueryAttack } from "./query_attacks.ts";
import { type Scene, startScene } from "./scene.ts";
import { VISITOR_ATTACKS } from "./visitor_attacks.ts";
import { untilWell, watch } from "./watch.ts";

const MEMORY_MAX: Readonly<Record<Kind, number>> = { server: 450e6, embedded: 700e6 };
const ROUND_MS = 2_500;
const WELL_MS_MAX = 30_000;
const QUERY_TIMEOUT_MS = 2_000;
/** Beyond its timeout: a crash of the embedded server may have to be mended first. */
const QUERY_MS_MAX = 30_000;
const SIDES = ["answers", "visitors", "queries", "files"] as const;

type Kind = "server" | "embedded";
type Side = typeof SIDES[number];

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seeds: { type: "string" },
    database: { type: "string" },
    only: { type: "string" },
    names: { type: "string" },
    json: { type: "boolean" },
    verbose: { type: "boolean" },
  },
});
const seeds = seedsOf(values.seeds ?? "1..20");
const kinds = listOf<Kind>(values.database, ["server", "embedded"]);
const sides = listOf<Side>(values.only, SIDES);
const names = values.names?.split(",").map((name) => name.trim());
if (seeds.length === 0 || kinds.length === 0 || sides.length === 0) {
  throw new RangeError(
    "Cannot attack: --seeds takes 1..200, --database server,embedded, --only answers,visitors,queries,files",
  );
}

interface Attacks {
  readonly answers: readonly string[];
  readonly visitors: readonly string[];
  readonly queries: readonly QueryAttack[];
  readonly files: readonly FileAttack[];
}

const total = {
  rounds: 0,
  failures: 0,
  struck: 0,
  visits: 0,
  queries: 0,
  files: 0,
  peakBytes: 0,
  latestMs: 0,
};
for (const kind of kinds) await attackAll(kind);
console.log(
  `${total.rounds} rounds: ${total.struck} hostile answers, ${total.visits} visits, ${total.queries} queries, ${total.files} files; ` +
    `most memory ${mb(total.peakBytes)}, latest poll ${
      Math.max(0, total.latestMs - 1_000)
    } ms late; ` +
    `${total.failures} failures`,
);
if (values.json === true) console.log(JSON.stringify({ hostile: total }));
const isNothingTried = total.struck + total.visits + total.queries + total.files === 0;
if (isNothingTried) console.error("FAILED: nothing was tried");
Deno.exit(total.failures > 0 || isNothingTried ? 1 : 0);

function fail(kind: Kind, what: string): void {
  total.failures++;
  console.error(`FAILED (${kind}): ${what}`);
}

async function attackAll(kind: Kind): Promise<void> {
  if (kind === "embedded") {
    return await withArchiveDirectory((cwd) => attackOne(kind, { cwd, database: undefined }));
  }
  const server = await startPostgres();
  if (server === undefined) return console.error("no PostgreSQL server: none is attacked");
  try {
    const database = await createServerDatabase(server.url);
    try {
      await withDirectory((cwd) => attackOne(kind, { cwd, database: database.url }));
    } finally {
      await database.drop();
    }
  } finally {
    await server.stop();
  }
}

async function attackOne(
  kind: Kind,
  place: { readonly cwd: string; readonly database: string | undefined },
): Promise<void> {
  const scene = await startScene(place);
  let status: Deno.CommandStatus | undefined;
  scene.daemon.ended.then((how) => status = how);
  try {
    if (!await untilWell(scene, 60_000)) fail(kind, "the daemon does not start to write");
    for (const seed of seeds) {
      await playRound(kind, scene, seed);
      if (status !== undefined) {
        fail(kind, `seed ${seed}: the daemon ended by itself, code ${status.code}`);
        break;
      }
    }
    scene.daemon.kill("SIGTERM");
    const { code, signal } = await scene.daemon.ended;
    if (status === undefined && code !== 143) fail(kind, `it stopped with ${signal ?? code}`);
    for (const difference of await judge(scene)) fail(kind, difference);
  } finally {
    scene.daemon.kill("SIGKILL");
    await scene.daemon.ended;
    await scene.close();
    const log = scene.daemon.stderr() + scene.daemon.stdout();
    if (values.verbose === true) console.error(log.slice(-20_000));
  }
}

async function playRound(kind: Kind, scene: Scene, seed: number): Promise<void> {
  const { answers, visitors, queries, files } = attacksOf(new Random(seed));
  const random = new Random(seed + 1_000_000);
  let struck = 0;
  let answered: Readonly<Record<string, number>> = {};
  const failures: string[] = [];
  const over = Promise.all([
    scene.attack({ seed, ms: ROUND_MS, answers, visitors }).then((end) => {
      struck = Object.values(end.struck).reduce((sum, count) => sum + count, 0);
      answered = end.answered;
    }),
    ...queries.map(async (attack) => failures.push(...await ask(scene, attack.text(random)))),
    ...files.map(async (attack) => failures.push(...await give(scene, attack.bytes(random)))),
  ]);
  const sight = await watch(scene, over);
  await over;
  const isWell = await untilWell(scene, WELL_MS_MAX);
  if (!isWell) failures.push(`not ready and writing ${WELL_MS_MAX / 1000} s after the attack`);
  if (sight.peakBytes > MEMORY_MAX[kind]) failures.push(`took ${mb(sight.peakBytes)}`);
  total.rounds++;
  total.struck += struck;
  total.visits += Object.values(answered).reduce((sum, count) => sum + count, 0);
  total.queries += queries.length;
  total.files += files.length;
  total.peakBytes = Math.max(total.peakBytes, sight.peakBytes);
  total.latestMs = Math.max(total.latestMs, sight.latestMs);
  const attacks = [...answers, ...visitors, ...[...queries, ...files].map(({ name }) => name)].join(
    "; ",
  );
  console.log(
    `${kind} ${seed}: ${
      mb(sight.peakBytes)
    }, asked after ${sight.latestMs} ms at most, ready ${sight.ready}/${sight.asked}, ` +
      `${struck} struck, ${JSON.stringify(answered)} | ${attacks}`,
  );
  for (const failure of [...failures, ...sight.failures]) {
    fail(kind, `seed ${seed}: ${failure} [${attacks}]`);
  }
}

/** One or two attacks of each side that takes part. */
function attacksOf(random: Random): Attacks {
  const chosen = sides.filter(() => random.next() < 0.6);
  const taking: readonly Side[] = chosen.length === 0 ? [random.pick(sides)] : chosen;
  const some = <T extends { readonly name: string }>(side: Side, attacks: readonly T[]): T[] => {
    const wanted = attacks.filter(({ name }) => names === undefined || names.includes(name));
    const isTaking = names === undefined ? taking.includes(side) : sides.includes(side);
    if (!isTaking || wanted.length === 0) return [];
    return Array.from({ length: random.whole(1, 2) }, () => random.pick(wanted));
  };
  return {
    answers: some("answers", ANSWER_ATTACKS).map(({ name }) => name),
    visitors: some("visitors", VISITOR_ATTACKS).map(({ name }) => name),
    queries: some("queries", QUERY_ATTACKS),
    files: some("files", FILE_ATTACKS),
  };
}

/** What was wrong with how a query ended: too late, with what no person should read, or with a change made. */
async function ask({ where }: Scene, text: string): Promise<readonly string[]> {
  const startMs = systemClock.now();
  const args = ["query", "--csv", "--timeout", `${QUERY_TIMEOUT_MS / 1000}s`, "--limit", "5", text];
  const ended = await runBounded(args, where);
  const tookMs = systemClock.now() - startMs;
  const failures = judgeEnd("a query", ended);
  if (tookMs > QUERY_TIMEOUT_MS + QUERY_MS_MAX) failures.push(`a query took ${tookMs} ms`);
  return failures;
}

/** What was wrong with how an import ended. What it may store is of a market that nobody else asks for. */
async function give({ where }: Scene, bytes: Uint8Array): Promise<readonly string[]> {
  const path = `${where.cwd}/given-${crypto.randomUUID()}.csv`;
  await Deno.writeFile(path, bytes);
  const series = ["--exchange", "kraken", "--symbol", "GIVEN/USD", "--timeframe", "1m"];
  const ended = await runBounded(["import", path, ...series], where);
  await Deno.remove(path);
  return judgeEnd("an import", ended);
}

interface Ended {
  readonly code: number;
  readonly stderr: string;
  readonly peakBytes: number;
}

async function runBounded(args: readonly string[], where: Scene["where"]): Promise<Ended> {
  const program = start(args, where);
  const [peakBytes, { code }] = await Promise.all([peakOf(program), program.ended]);
  return { code, stderr: program.stderr(), peakBytes };
}

/** By signal, with a long or dangerous text, or with a stack, is no way for a command to end. */
function judgeEnd(
  what: string,
  { code, stderr, peakBytes }: Ended,
): string[] {
  const failures: string[] = [];
  if (peakBytes > MEMORY_MAX.server) failures.push(`${what} took ${mb(peakBytes)} itself`);
  const shown = JSON.stringify(stderr.slice(0, 500));
  if (![0, 1, 2].includes(code)) failures.push(`${what} ended with ${code}: ${shown}`);
  if (stderr.length > 4_000) failures.push(`${what} was told ${stderr.length} characters`);
  if (/^\s+at .*:\d+:\d+\)?$/m.test(stderr)) failures.push(`${what} showed a stack: ${shown}`);
  if (/[^\P{Cc}\t\n]/u.test(stderr)) failures.push(`${what} sent control bytes: ${shown}`);
  return failures;
}

function listOf<T extends string>(text: string | undefined, all: readonly T[]): readonly T[] {
  return text === undefined ? all : all.filter((one) => text.split(",").includes(one));
}

function seedsOf(text: string): readonly number[] {
  const [, first, last] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  const from = Number(first);
  const to = Number(last ?? first);
  return Array.from({ length: Math.max(0, to - from + 1) || 0 }, (_, i) => from + i);
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
