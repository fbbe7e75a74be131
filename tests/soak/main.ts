/**
 * The daemon for a long time: 400 series of twenty local exchanges that fail at random, some with streams that are cut
 * every few seconds, on a PostgreSQL. In the end it
 * must still be the same process, take as much memory, files, threads and connections as early on, owe nothing, and
 * have stored what the exchanges say, candle by candle, with a reason for each that is missing. How many timers it
 * holds is not looked at: nothing outside the process tells.
 *
 * `--minutes 60` is how long exchanges fail, after which it may recover; `--server URL` takes a server instead of
 * starting one, `--seed N` repeats a run's faults, `--json` adds one line for machines. Exit code 1 when something is
 * wrong.
 * @module
 */
import { parseArgs } from "node:util";
import postgres from "postgres";
import { systemClock } from "../../lib/clock.ts";
import { SETTLE_MS } from "../../lib/market/answer.ts";
import type { Status } from "../../lib/serve/status.ts";
import { type ManyExchanges, startManyExchanges } from "../support/many_exchanges.ts";
import { startManyStreams } from "../support/many_streams.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { withDirectory } from "../support/program.ts";
import { createServerDatabase } from "../support/test_database.ts";
import { type Daemon, HISTORY_MS, type Metrics, startDaemon } from "./daemon.ts";
import { judge, type Judgement } from "./oracle.ts";
import { type Sample, SAMPLES_MIN, takeSample, type Trend, trendsOf } from "./sample.ts";
import { startStorm, type Storm } from "./storm.ts";
import { startStreamStorm, type StreamStorm } from "./stream_storm.ts";

const SAMPLE_EVERY_MS = 5_000;
const MINUTE_MS = 60_000;

/** How long it may take to start, to recover, and to stop. */
const START_MS_MAX = 60_000;
const RECOVERY_MS_MAX = 4 * 60_000;

/** After the last fault, what the exchanges seemed not to have is asked for again by then: a minute later. */
const DOUBTED_MS = 65_000;
const STOP_MS_MAX = 20_000;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    minutes: { type: "string" },
    server: { type: "string" },
    seed: { type: "string" },
    exchanges: { type: "string" },
    symbols: { type: "string" },
    json: { type: "boolean" },
  },
});
const size = {
  minutes: Number(values.minutes ?? 60),
  seed: Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]),
  exchanges: Number(values.exchanges ?? 20),
  symbols: Number(values.symbols ?? 20),
};
if (!(size.minutes > 0) || !Number.isInteger(size.seed)) {
  throw new RangeError("Cannot soak: --minutes takes a number above 0, --seed a whole one");
}

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
}

let failures: readonly string[];
try {
  failures = await withServer((url) => withDirectory((cwd) => soak(url, cwd)));
} catch (error) {
  failures = [error instanceof Error ? error.message : String(error)];
}
for (const failure of failures) console.error(`FAILED: ${failure}`);
if (failures.length > 0) console.error(`again with the same faults: --seed ${size.seed}`);
Deno.exit(failures.length > 0 ? 1 : 0);

async function withServer<T>(use: (url: string) => Promise<T>): Promise<T> {
  const server = values.server === undefined ? await startPostgres() : undefined;
  const url = values.server ?? server?.url;
  if (url === undefined) throw new Error("Cannot soak without a PostgreSQL");
  try {
    const database = await createServerDatabase(url);
    try {
      return await use(database.url);
    } finally {
      await database.drop();
    }
  } finally {
    await server?.stop();
  }
}

/** What went wrong; nothing if all is well. */
async function soak(url: string, cwd: string): Promise<readonly string[]> {
  const startMs = systemClock.now();
  const many = await startManyExchanges({ ...size, clock: systemClock });
  const streams = startManyStreams(many, { clock: systemClock });
  const storm = startStorm(many.exchanges, size.seed);
  const streamStorm = startStreamStorm(streams, size.seed);
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const daemon = startDaemon(streams, url, cwd);
  const ended = new Promise<never>((_, reject) => {
    daemon.ended.then(({ code }) => reject(new Error(`the daemon ended by itself, code ${code}`)));
    interrupted.signal.addEventListener("abort", () => reject(interrupted.signal.reason));
  });
  // It is only waited for while something else is.
  ended.catch(() => {});
  console.log(
    `soak: seed ${size.seed}, ${size.exchanges * size.symbols} series, ${size.minutes} minutes`,
  );
  try {
    const samples = await Promise.race([ended, watch(daemon, sql, storm)]);
    storm.end();
    streamStorm.end();
    const metrics = await daemon.metrics();
    const { recoveryMs, finalUntilMs } = await Promise.race([ended, recover(daemon)]);
    await stop(daemon);
    return report({
      trends: trendsOf(samples),
      samples,
      metrics,
      struck: storm.struck,
      cut: streamStorm.struck,
      recoveryMs,
      judgement: await judge(sql, many, {
        // What is owed again after a proof that was wrong reaches back from then on.
        sinceMs: Math.max(startMs - HISTORY_MS / 2, systemClock.now() - HISTORY_MS) + MINUTE_MS,
        untilMs: finalUntilMs,
      }),
    });
  } catch (error) {
    const log = `${daemon.stdout()}\n${daemon.stderr()}`.trim();
    if (log !== "") console.error(`the daemon's log:\n${log.slice(-10_000)}`);
    throw error;
  } finally {
    storm.end();
    streamStorm.end();
    await stop(daemon);
    await sql.end();
    await streams.close();
    await closeAll(many);
  }
}

/** Looks at the daemon until the time is over, and prints a line a minute. */
async function watch(daemon: Daemon, sql: postgres.Sql, storm: Storm): Promise<readonly Sample[]> {
  await untilTrue("start", START_MS_MAX, () => daemon.metrics().then(() => true, () => false));
  const startMs = systemClock.now();
  const samples: Sample[] = [];
  for (let minute = 1; systemClock.now() < startMs + size.minutes * MINUTE_MS;) {
    await systemClock.sleep(SAMPLE_EVERY_MS);
    const sample = await takeSample(daemon.pid, sql);
    samples.push(sample);
    const metrics = await daemon.metrics();
    if (systemClock.now() < startMs + minute * MINUTE_MS) continue;
    console.log(
      `minute ${minute}: ${lineOf(sample)}, ${metrics.cpuSeconds.toFixed(0)} s CPU; ` +
        `${metrics.written} candles by ${metrics.requests} requests, ${storm.struck} spoiled, ` +
        `${metrics.failures} failed; ${owing(await daemon.status())}`,
    );
    minute++;
  }
  return samples;
}

interface Recovery {
  readonly recoveryMs: number;
  /** Candles before this were owed when nothing was any more. Those since then may still be on their way. */
  readonly finalUntilMs: number;
}

/** Waits until nothing is owed, what was written off was asked for again, and all was looked through for gaps. */
async function recover(daemon: Daemon): Promise<Recovery> {
  const startMs = systemClock.now();
  let doneMs = Infinity;
  let finalUntilMs = -Infinity;
  await untilTrue("recover", RECOVERY_MS_MAX, async () => {
    const askedMs = systemClock.now();
    const status = await daemon.status();
    const isComplete = status.series.length === size.exchanges * size.symbols &&
      status.series.every(({ owed }) => owed === 0);
    // Older candles that come after all are owed again.
    if (!isComplete) doneMs = Infinity;
    if (isComplete && doneMs === Infinity) {
      doneMs = systemClock.now();
      finalUntilMs = Math.floor((askedMs - SETTLE_MS) / MINUTE_MS) * MINUTE_MS;
    }
    const lastOf = (name: string): Status["jobs"][number] | undefined =>
      status.jobs.find(({ job }) => job === name);
    // It asks for them first.
    const isDoubted = Date.parse(lastOf("backfill")?.lastStart ?? "") > startMs + DOUBTED_MS &&
      lastOf("backfill")?.lastOutcome === "success";
    return isDoubted && Date.parse(lastOf("gaps")?.lastSuccess ?? "") > doneMs;
  });
  return { recoveryMs: doneMs - startMs, finalUntilMs };
}

async function untilTrue(
  what: string,
  msMax: number,
  look: () => Promise<boolean>,
): Promise<void> {
  const startMs = systemClock.now();
  while (!await look()) {
    if (systemClock.now() > startMs + msMax) {
      throw new Error(`the daemon does not ${what} within ${msMax / 1000} s`);
    }
    await systemClock.sleep(500);
  }
}

interface Findings {
  readonly trends: readonly Trend[];
  readonly samples: readonly Sample[];
  readonly metrics: Metrics;
  readonly struck: number;
  readonly cut: StreamStorm["struck"];
  readonly recoveryMs: number;
  readonly judgement: Judgement;
}

/** Prints the end of it. */
function report(findings: Findings): readonly string[] {
  const { trends, samples, metrics, struck, cut, recoveryMs, judgement } = findings;
  const isJudged = samples.length >= SAMPLES_MIN;
  const failures = [...judgement.differences];
  console.log("measure      early (2nd quarter)   late (4th quarter)   most");
  for (const { measure, early, late, most, isFlat } of trends) {
    const verdict = isJudged ? (isFlat ? "flat" : "GROWS") : "too short to tell";
    const cells = [early, late, most].map((value) => shown(measure, value).padEnd(20));
    console.log(`${measure.padEnd(13)}${cells.join(" ")} ${verdict}`);
    if (isJudged && !isFlat) {
      failures.push(`${measure} grew from ${shown(measure, early)} to ${shown(measure, late)}`);
    }
  }
  console.log(
    `${metrics.requests} requests, ${struck} spoiled, ${metrics.failures} failed, ` +
      `${metrics.retries} asked again, ${metrics.rejected} candles rejected\n` +
      `streams: ${cut.killed} times killed, ${cut.halfOpen} half-open, ${cut.silent} silent, ` +
      `${metrics.streamEnds} connections ended; ${metrics.streamed} candles stored, ` +
      `${metrics.confirmed} confirmed, ${metrics.revised} revised, ${metrics.withdrawn} withdrawn\n` +
      `nothing owed ${
        (recoveryMs / 1000).toFixed(0)
      } s after the last fault; ${judgement.series} series, ` +
      `${judgement.right} candles as the exchanges have them, ${judgement.explained} missing with a reason, ` +
      `${judgement.differences.length} differences`,
  );
  if (isJudged && metrics.streamed === 0) failures.push("no candle has come over a stream");
  if (struck === 0) failures.push("no fault has struck: nothing was tried");
  if (values.json === true) {
    const { differences: _, ...judged } = judgement;
    const ok = failures.length === 0;
    console.log(
      JSON.stringify({
        soak: size,
        ok,
        failures,
        ...judged,
        struck,
        cut,
        recoveryMs,
        metrics,
        trends,
      }),
    );
  }
  return failures;
}

function owing({ series }: Status): string {
  const of = (name: "owed" | "missing" | "explained"): number =>
    series.reduce((total, one) => total + one[name], 0);
  // One candle may be on its way.
  const behind = series.filter(({ owed }) => owed > 1).length;
  return `${of("owed")} owed (${behind} series over one), ${of("missing")} missing, ` +
    `${of("explained")} explained`;
}

function lineOf(sample: Sample): string {
  return `${shown("rssBytes", sample.rssBytes)}, ${sample.openFiles} files, ` +
    `${sample.threads} threads, ${sample.connections} connections`;
}

function shown(measure: keyof Sample, value: number): string {
  return measure === "rssBytes" ? `${(value / 1e6).toFixed(0)} MB` : String(value);
}

/** @throws when it has to be killed. */
async function stop(daemon: Daemon): Promise<void> {
  daemon.kill("SIGTERM");
  const patience = new AbortController();
  const isLate = await Promise.race([
    daemon.ended.then(() => false),
    systemClock.sleep(STOP_MS_MAX, patience).then(() => true, () => false),
  ]);
  patience.abort();
  if (!isLate) return;
  daemon.kill("SIGKILL");
  await daemon.ended;
  throw new Error(`the daemon does not stop within ${STOP_MS_MAX / 1000} s`);
}

async function closeAll({ exchanges }: ManyExchanges): Promise<void> {
  await Promise.all(exchanges.map(({ local }) => local.close()));
}
