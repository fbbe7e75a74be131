/** Detects a job whose runs no longer begin or no longer end. Counts only time in which the process ran. @module */
import { Cron } from "croner";
import type { Clock } from "../clock.ts";
import type { Logger } from "../telemetry/log.ts";

interface WatchdogOptions {
  /** The job's name in messages. */
  readonly job: string;
  /** The job's times: five or six cron fields. */
  readonly cron: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often the watchdog reads the clock: once per beat. */
export const BEAT_MS = 5_000;

/** If more beats than this pass at once, the clock was set or the process was stopped (a suspended laptop, SIGSTOP). */
const BEATS_MAX = 6;

/** After this many ticks without a run, `/healthz` fails. */
const TICKS_LATE = 3;

/** After this many ticks without a run, and at least this long, the schedule is dead, and only a restart fixes it. */
const TICKS_DEAD = 10;
const DEAD_MS_MIN = 10 * 60_000;

/** On a busy machine a run may begin this much later than its tick. */
const GRACE_MS = 30_000;

/** When runs begin but none ends for this long, they hang. */
const ENDLESS_MS = 15 * 60_000;

/**
 * Watches one job. It adds up the time between its beats, a jump as one beat. So a job does not look late after the
 * clock was set or the process was stopped for hours.
 *
 * A long run is fine as long as other runs begin and end meanwhile. Whether runs succeed does not matter here: a
 * restart does not help when a database or an exchange is down.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  /** Time awake so far, and the times awake at which the job counts as late, dead or endless. Milliseconds. */
  #awakeMs = 0;
  #lateAtMs = Infinity;
  #deadAtMs = Infinity;
  #endlessAtMs = Infinity;
  #seenMs: number;
  #underWay = 0;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#seenMs = options.clock.now();
    this.#expectTicks();
  }

  /** Call when a run begins. */
  begun(): void {
    this.#expectTicks();
    if (this.#underWay++ === 0) this.#endlessAtMs = this.#awakeMs + ENDLESS_MS;
  }

  /** Call when a run has ended and its outcome is stored. */
  ended(): void {
    this.#endlessAtMs = --this.#underWay === 0 ? Infinity : this.#awakeMs + ENDLESS_MS;
  }

  /** Why the process makes no progress; undefined while it does. */
  get trouble(): string | undefined {
    const { job } = this.#options;
    if (this.#awakeMs > this.#lateAtMs) {
      return `the job ${job} has missed ${TICKS_LATE} of its scheduled runs or more`;
    }
    if (this.#awakeMs > this.#endlessAtMs) {
      return `no run of the job ${job} has ended for over ${ENDLESS_MS / 60_000} minutes`;
    }
    return undefined;
  }

  /**
   * Watches until `signal` is aborted.
   *
   * @param onClockSet is called when the clock was set, or the process was stopped, since the last beat.
   * @throws Error when runs no longer begin, which only a restart fixes.
   */
  async guard(
    signal: AbortSignal,
    { onClockSet }: { readonly onClockSet?: () => void } = {},
  ): Promise<void> {
    const { clock, job } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(BEAT_MS, { signal }).catch(() => {});
      const isSteady = this.#beat();
      if (!isSteady && !signal.aborted) onClockSet?.();
      if (this.#awakeMs > this.#deadAtMs) {
        throw new Error(
          `Cannot go on: the job ${job} has missed ${TICKS_DEAD} of its scheduled runs (${this.#options.cron}) or more`,
        );
      }
    }
  }

  /** Reads the clock. Returns false if the clock was set or the process was stopped since the last beat. */
  #beat(): boolean {
    const { clock, log } = this.#options;
    const nowMs = clock.now();
    const passedMs = nowMs - this.#seenMs;
    this.#seenMs = nowMs;
    const isSteady = passedMs >= 0 && passedMs <= BEATS_MAX * BEAT_MS;
    if (!isSteady) {
      log.warn("the clock was set, or the process was stopped", { seconds: passedMs / 1000 });
    }
    this.#awakeMs += isSteady ? passedMs : BEAT_MS;
    return isSteady;
  }

  #expectTicks(): void {
    const nowMs = this.#options.clock.now();
    const cron = new Cron(this.#options.cron, { paused: true, timezone: "UTC" });
    const ticks = cron.nextRuns(TICKS_DEAD, new Date(nowMs)).map((tick) => tick.getTime() - nowMs);
    cron.stop();
    const inMs = (count: number): number => (ticks[count - 1] ?? Infinity) + GRACE_MS;
    this.#lateAtMs = this.#awakeMs + inMs(TICKS_LATE);
    this.#deadAtMs = this.#awakeMs + Math.max(inMs(TICKS_DEAD), DEAD_MS_MIN);
  }
}
