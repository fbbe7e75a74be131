/** Runs one schedule: everything breaks for some seconds, then nothing does, then the archive is judged. @module */
import { type Clock, systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import type { Status } from "../../lib/serve/status.ts";
import type { CapabilityRow } from "../../lib/store/capabilities.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { openTestArchive } from "../support/local_archive.ts";
import { type Begin, EXCHANGE_FAULTS } from "./exchange_faults.ts";
import { judgeSeries, sumVerdicts, type Verdict } from "./oracle.ts";
import { Random } from "./random.ts";
import { openScene, REACH_MS, type Scene, type SceneOptions } from "./scene.ts";
import { type FaultName, FAULTS, type Schedule, type Step } from "./schedule.ts";
import { SYSTEM_FAULTS } from "./system_faults.ts";

export interface Outcome extends Verdict {
  /** Ends of the daemon that a restart does not mend. */
  readonly crashes: number;
  /** Ends of the daemon that nobody asked for, whether a restart mended them or not. */
  readonly restarts: number;
  /** What to look at, if anything went wrong. */
  readonly notes: readonly string[];
}

const CALM_MS = 2_500;
const SETTLE_MS_MAX = 60_000;

/** The local exchange's candles are final at once. They are taken for final this long after the last fault. */
const SETTLED_MS = 10_000;

/** A daemon that catches up may lack the newest seconds. */
const NEWEST_MAX = 5;

/** After these times gaps are asked for again; the last of them is when every search has ended. */
const LATER_MS = [0, 6, 70, 75, 80, 85, 90, 95, 100, 8 * 60, 26 * 60, 50 * 60].map((minutes) =>
  minutes * 60_000
);

/** Plays a schedule from its start to the verdict. */
export async function runSchedule(schedule: Schedule, options: SceneOptions): Promise<Outcome> {
  const scene = await openScene(schedule, options);
  try {
    scene.program.start();
    const locks = new Map<string, Promise<void>>();
    await Promise.all(schedule.steps.map((step) => strike(scene, step, locks)));
    const calmMs = systemClock.now();
    // A market that has gone is looked for again by the hour, and at every start.
    if (schedule.steps.some(({ fault }) => fault === "vanishing symbol")) {
      await scene.program.end("SIGTERM");
    }
    scene.program.start();
    await systemClock.sleep(CALM_MS);
    const unsettled = await untilSettled(scene, systemClock.now());
    const lastWords = unsettled === undefined ? "" : scene.program.lastWords();
    const code = await scene.program.end("SIGTERM");
    const verdict = await judge(scene, calmMs);
    const { crashes } = scene.program;
    const hasCrashed = unsettled !== undefined ||
      (code !== undefined && code !== 143 && code !== 0);
    return {
      ...verdict,
      crashes: hasCrashed ? 1 : 0,
      restarts: crashes.length,
      notes: [
        ...verdict.findings,
        ...(unsettled === undefined ? [] : [`not settled: ${unsettled}`, lastWords]),
        ...(hasCrashed ? [`last exit code ${code}`] : []),
        ...crashes,
      ],
    };
  } finally {
    await scene.close();
  }
}

const ALL_FAULTS: Readonly<Record<FaultName, Begin>> = { ...EXCHANGE_FAULTS, ...SYSTEM_FAULTS };

async function strike(scene: Scene, step: Step, locks: Map<string, Promise<void>>): Promise<void> {
  await systemClock.sleep(step.atMs);
  const { floor } = FAULTS[step.fault];
  const run = async (): Promise<void> => {
    const end = await ALL_FAULTS[step.fault](scene, new Random(step.seed));
    await systemClock.sleep(step.forMs);
    await end();
  };
  // What is killed cannot be killed again, nor be changed while it is down.
  if (floor === "exchange") return await run();
  const turn = (locks.get(floor) ?? Promise.resolve()).then(run);
  locks.set(floor, turn);
  await turn;
}

/**
 * Resolves to what is still amiss when the daemon has had enough time. Every series must hold a candle that opened after
 * `sinceMs`, so that polls have asked again for what the exchange said of its newest candles during the faults.
 */
async function untilSettled(scene: Scene, sinceMs: number): Promise<string | undefined> {
  const deadlineMs = systemClock.now() + SETTLE_MS_MAX;
  let amiss = "no answer";
  while (systemClock.now() < deadlineMs) {
    await systemClock.sleep(200);
    // As a supervisor would.
    scene.program.start();
    const answer = await status(scene).catch((error) => String(error));
    if (typeof answer === "string") {
      amiss = answer;
      continue;
    }
    const series = answer.series.filter(({ owed, timeframe, last }) =>
      timeframe === "1s" ? owed > NEWEST_MAX || !(Date.parse(last ?? "") >= sinceMs) : owed > 0
    );
    if (answer.series.length === 2 * scene.symbols.length && series.length === 0) return undefined;
    amiss = `${answer.series.length} series, ${
      series.map(({ symbol, timeframe, owed, last, lastError }) =>
        `${symbol} ${timeframe} owes ${owed}, has candles to ${last} (${lastError})`
      ).join("; ")
    }`;
  }
  return amiss;
}

async function status({ env }: Scene): Promise<Status> {
  const response = await fetch(`http://127.0.0.1:${env["HTTP_PORT"]}/status`, {
    signal: AbortSignal.timeout(5_000),
  });
  if (!response.ok) throw new Error(`/status answers ${response.status}`);
  return await response.json();
}

/** A timeframe that no schedule archives, with nothing learned. */
const NEVER_ASKED: CapabilityRow = {
  exchange: "binance",
  timeframe: "3d",
  pageRows: 1_000,
  pageRowsSource: "ccxt",
  rowsSeen: 0,
  isSinceHonoured: undefined,
  isUntilNeeded: false,
  newestCandles: undefined,
  omitsSilent: undefined,
  settleSeconds: undefined,
  learnedAtMs: 0,
};

/** Lets days pass in which gaps are asked for again, and compares. */
async function judge(scene: Scene, calmMs: number): Promise<Verdict> {
  const { env, symbols, exchange } = scene;
  const database = await openDatabase({
    url: env["DATABASE_URL"],
    dataDir: env["DATA_DIR"] ?? "",
    poolMax: 2,
    clock: systemClock,
  });
  try {
    const later = { ms: 0 };
    const clock: Clock = {
      now: () => systemClock.now() + later.ms,
      sleep: (ms, options) => systemClock.sleep(ms, options),
    };
    const archive = await openTestArchive(database, env, clock);
    for (const one of archive.exchanges) await refreshMarkets(archive, one);
    // The longest settling time of all timeframes counts.
    archive.exchanges[0]?.capabilities.restore([{
      ...NEVER_ASKED,
      settleSeconds: SETTLED_MS / 1000,
    }]);
    await systemClock.sleep(calmMs + SETTLED_MS + 1_000 - systemClock.now());
    await backfill(archive, { patient: false });
    for (const ms of LATER_MS) {
      later.ms = ms;
      await repairGaps(archive);
    }
    const nowMs = systemClock.now();
    const verdicts: Verdict[] = [];
    for (const { symbol } of symbols) {
      for (const [timeframe, stepMs] of [["1m", 60_000], ["1s", 1_000]] as const) {
        const sinceMs = Math.ceil((nowMs - REACH_MS[timeframe]) / stepMs) * stepMs;
        const window = { sinceMs, untilMs: Math.floor(calmMs / stepMs) * stepMs };
        verdicts.push(await judgeSeries(database, exchange, { symbol, timeframe, window }));
      }
    }
    return sumVerdicts(verdicts);
  } finally {
    await database.close();
  }
}
