/** Runs one schedule: everything breaks for some seconds, then nothing does, then the archive is judged. @module */
import { type Clock, systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { bringUpToDate } from "../../lib/gap/look_through.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { addCandles, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Status } from "../../lib/serve/status.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { openTestArchive } from "../support/local_archive.ts";
import { type Begin, EXCHANGE_FAULTS } from "./exchange_faults.ts";
import { judgeSeries, judgeStreamed, judgeViews, sumVerdicts, type Verdict } from "./oracle.ts";
import { Random } from "./random.ts";
import { openScene, reachesOf, type Scene, type SceneOptions } from "./scene.ts";
import { type FaultName, FAULTS, type Schedule, type Step } from "./schedule.ts";
import { SYSTEM_FAULTS } from "./system_faults.ts";

export interface Outcome extends Verdict {
  /** Ends of the daemon that a restart does not mend. */
  readonly crashes: number;
  /** Ends of the daemon that nobody asked for, whether a restart mended them or not. */
  readonly restarts: number;
  /** Candles that the last daemon's streams have stored before an answer told of them. */
  readonly streamed: number;
  /** What to look at, if anything went wrong. */
  readonly notes: readonly string[];
}

const CALM_MS = 2_500;
const SETTLE_MS_MAX = 60_000;

/** Candles that closed so little ago may be owed: they may not be final, and a daemon that catches up lacks some. */
const YOUNG_MS_MAX = 125_000;

/** By then the candles of the faults are final at any exchange. */
const FINAL_MS = 5 * 60_000;

/** Nothing is asked of an exchange that refuses this address, for a minute at first. */
const DENIED_MS = 70_000;

/** Markets are loaded by the day and at every start: what these do is seen then. */
const SEEN_AT_START: readonly FaultName[] = [
  "vanishing symbol",
  "market replaced",
  "market doubled",
  "kind refused",
];

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
    const calmMs = scene.clock.now();
    if (schedule.steps.some(({ fault }) => SEEN_AT_START.includes(fault))) {
      await scene.program.end("SIGTERM");
    }
    scene.program.start();
    await systemClock.sleep(CALM_MS);
    const unsettled = await untilSettled(scene, scene.clock.now());
    const lastWords = unsettled === undefined ? "" : scene.program.lastWords();
    const streamed = await streamedCandles(scene).catch(() => 0);
    const code = await scene.program.end("SIGTERM");
    const verdict = await judge(scene, calmMs);
    const { crashes } = scene.program;
    const hasCrashed = unsettled !== undefined ||
      (code !== undefined && code !== 143 && code !== 0);
    return {
      ...verdict,
      crashes: hasCrashed ? 1 : 0,
      restarts: crashes.length,
      streamed,
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
  // Any of them may be a status that refuses the address.
  const isDenied = scene.schedule.steps.some(({ fault }) =>
    ["status", "denied", "kind refused"].includes(fault)
  );
  const deadlineMs = systemClock.now() + SETTLE_MS_MAX + (isDenied ? DENIED_MS : 0);
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
    const expected = judgedSymbols(scene);
    const series = answer.series.filter(({ symbol }) => expected.includes(symbol));
    const behind = series.filter(({ symbol, owed, timeframe, last }) =>
      (owed - 1) * stepMs(timeframe) > YOUNG_MS_MAX ||
      (timeframe === "1s" && !scene.seconds.has(symbol) && !(Date.parse(last ?? "") >= sinceMs))
    );
    const isAll = series.length === expected.flatMap((one) => reachesOf(scene, one)).length;
    if (isAll && behind.length === 0) return undefined;
    amiss = `${series.length} series, ${
      behind.map(({ symbol, timeframe, owed, last, lastError }) =>
        `${symbol} ${timeframe} owes ${owed}, has candles to ${last} (${lastError})`
      ).join("; ")
    }`;
  }
  return amiss;
}

function stepMs(timeframe: string): number {
  return addCandles(parseTimeframe(timeframe), 0, 1);
}

/** All but those whose kind is refused for good. */
function judgedSymbols({ symbols, refused }: Scene): readonly string[] {
  return symbols.map(({ symbol }) => symbol).filter((symbol) => !refused.has(symbol));
}

async function status({ env }: Scene): Promise<Status> {
  const response = await fetch(`http://127.0.0.1:${env["HTTP_PORT"]}/status`, {
    signal: AbortSignal.timeout(5_000),
  });
  if (!response.ok) throw new Error(`/status answers ${response.status}`);
  return await response.json();
}

async function streamedCandles({ env }: Scene): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${env["HTTP_PORT"]}/metrics`);
  const stored = /^titan10_stream_candles_total\{.*outcome="stored"\} (\d+)$/m;
  return Number(stored.exec(await response.text())?.[1] ?? 0);
}

/** Lets hours pass in which what is owed and what is missing is asked for again, and compares. */
async function judge(scene: Scene, calmMs: number): Promise<Verdict> {
  const { env, exchange, exchangeClock, schedule, seconds } = scene;
  const database = await openDatabase({
    url: env["DATABASE_URL"],
    dataDir: env["DATA_DIR"] ?? "",
    poolMax: 2,
    clock: systemClock,
  });
  try {
    const later = { ms: 0 };
    const clock: Clock = {
      ...scene.clock,
      now: () => scene.clock.now() + later.ms,
    };
    const archive = await openTestArchive(database, env, clock);
    for (const one of archive.exchanges) await refreshMarkets(archive, one);
    await backfill(archive, { patient: false });
    await repairGaps(archive);
    const nowMs = scene.clock.now();
    exchangeClock.shiftMs = FINAL_MS;
    later.ms = FINAL_MS;
    await backfill(archive, { patient: false });
    await repairGaps(archive);
    const verdicts: Verdict[] = [await judgeViews(archive)];
    for (const ms of LATER_MS) {
      later.ms = FINAL_MS + ms;
      await repairGaps(archive);
    }
    // By then hardly anything of the schedule's time is wanted any more. What was wanted then is judged.
    const finalMs = nowMs + FINAL_MS;
    later.ms = finalMs - scene.clock.now();
    await bringUpToDate(archive);
    verdicts.push(await judgeStreamed(database, calmMs));
    for (const symbol of judgedSymbols(scene)) {
      for (const [timeframe, reachMs] of reachesOf(scene, symbol)) {
        const step = stepMs(timeframe);
        const sinceMs = Math.ceil((finalMs - reachMs) / step) * step;
        const window = { sinceMs, untilMs: Math.floor(calmMs / step) * step };
        const second = seconds.get(symbol);
        const series = { exchange: schedule.exchange, symbol, timeframe, window, second };
        verdicts.push(await judgeSeries(database, exchange, series));
      }
    }
    return sumVerdicts(verdicts);
  } finally {
    await database.close();
  }
}
