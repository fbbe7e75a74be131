/** What must hold while the daemon is attacked: its memory, the good exchange's polls, and what readiness says. @module */
import { systemClock } from "../../lib/clock.ts";
import type { Scene } from "./scene.ts";

/** A poll is due each second, and may be this late. */
export const LATE_MS_MAX = 2_000;
/** Between two looks. */
const LOOK_MS = 250;
/** Ready, and nothing written for so long: that is not ready. A write in hand may take its deadline. */
const UNTRUE_MS_MAX = 12_000;

export interface Sight {
  /** The most bytes resident since the last sight. */
  readonly peakBytes: number;
  /** The longest time between two asks for the good exchange's candles. */
  readonly latestMs: number;
  /** How often readiness was asked, and answered 200. */
  readonly asked: number;
  readonly ready: number;
  /** What was wrong; empty when all was well. */
  readonly failures: readonly string[];
}

/** Looks until `over` resolves. */
export async function watch(scene: Scene, over: Promise<unknown>): Promise<Sight> {
  const failures: string[] = [];
  let isOver = false;
  over.finally(() => isOver = true).catch(() => {});
  await forgetPeak(scene.daemon.pid);
  const sinceMs = systemClock.now();
  let [asked, ready] = [0, 0];
  let written = await candlesOf(scene);
  let writtenMs = systemClock.now();
  while (!isOver) {
    await systemClock.sleep(LOOK_MS);
    const isReady = await readiness(scene);
    if (isReady !== undefined) asked++;
    if (isReady === true) ready++;
    const now = await candlesOf(scene);
    if (now !== undefined && now !== written) {
      [written, writtenMs] = [now, systemClock.now()];
    }
    const idleMs = systemClock.now() - writtenMs;
    if (isReady === true && now !== undefined && idleMs > UNTRUE_MS_MAX) {
      failures.push(`ready, and no candle was written for ${(idleMs / 1000).toFixed(1)} s`);
      writtenMs = systemClock.now();
    }
  }
  const latestMs = longestPause(scene, sinceMs, systemClock.now());
  if (latestMs > 1_000 + LATE_MS_MAX) {
    failures.push(`a poll of the good exchange came ${latestMs - 1_000} ms late`);
  }
  return { peakBytes: await peak(scene.daemon.pid), latestMs, asked, ready, failures };
}

/** Waits until the daemon is ready and writes. */
export async function untilWell(scene: Scene, msMax: number): Promise<boolean> {
  const untilMs = systemClock.now() + msMax;
  const before = await candlesOf(scene);
  while (systemClock.now() < untilMs) {
    await systemClock.sleep(LOOK_MS);
    const now = await candlesOf(scene);
    if (await readiness(scene) === true && now !== undefined && now !== before) return true;
  }
  return false;
}

/** Undefined where no answer came: a flood may have filled the queue. */
async function readiness({ url }: Scene): Promise<boolean | undefined> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return undefined;
  }
}

/** Candles written so far, as the metrics say. */
async function candlesOf({ url }: Scene): Promise<number | undefined> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(2_000) });
    const text = await response.text();
    if (!response.ok) return undefined;
    const lines = text.matchAll(/^titan10_candles_written_total\{exchange="binance"\} (\d+)$/gm);
    return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
  } catch {
    return undefined;
  }
}

function longestPause({ good }: Scene, sinceMs: number, untilMs: number): number {
  const times = good.requests.filter(({ path }) => path.endsWith("/klines"))
    .map(({ timeMs }) => timeMs).filter((ms) => ms >= sinceMs && ms <= untilMs);
  const marks = [sinceMs, ...times, untilMs];
  return marks.slice(1).reduce((most, ms, i) => Math.max(most, ms - (marks[i] ?? ms)), 0);
}

/** So that the high-water mark is of this time alone, as Linux lets it. */
async function forgetPeak(pid: number): Promise<void> {
  await outputOf("sh", ["-c", `echo 5 > /proc/${pid}/clear_refs`]);
}

async function peak(pid: number): Promise<number> {
  const status = await outputOf("cat", [`/proc/${pid}/status`]);
  return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? NaN);
}

async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args: [...args], stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}
