/** Notices when a job's ticks stop coming or its runs stop ending, by the time in which the process was awake. @module */
import { Cron } from "croner";
import type { Clock } from "../clock.ts";
import type { Logger } from "../telemetry/log.ts";

interface WatchdogOptions {
  /** Names the job in sentences. */
  readonly job: string;
  /** When the job begins, five cron fields or six. */
  readonly cron: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often it looks at the clock. */
export const BEAT_MS = 5_000;

/** So many times that, and the clock was set or the process was stopped meanwhile: a suspended laptop, SIGSTOP. */
const BEATS_MAX = 6;

/** After so many ticks without a run `/healthz` fails. */
const TICKS_LATE = 3;

/** After so many ticks without a run, and this long at least, the schedule is dead, and only a restart mends it. */
const TICKS_DEAD = 10;
const DEAD_MS_MIN = 10 * 60_000;

/** A tick may begin this late on a machine that is busy. */
const GRACE_MS = 30_000;

/** When runs begin but none ends for so long, somebody waits for what never comes. */
const ENDLESS_MS = 15 * 60_000;

/**
 * Watches one job. It counts only time that it has seen pass beat by beat, so that neither a clock that is set nor a
 * process that was stopped for hours looks like a job that is late.
 *
 * A run that takes long is no trouble as long as others begin and end beside it; whether it succeeds is none of this
 * watchdog's business: a database or an exchange that is away is not mended by a restart.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  /** Time awake so far, and at which the next states are reached. Milliseconds. */
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

  /** To be told of every run that begins. */
  begun(): void {
    this.#expectTicks();
    if (this.#underWay++ === 0) this.#endlessAtMs = this.#awakeMs + ENDLESS_MS;
  }

  /** To be told of every run that has ended, when all that belongs to it is done. */
  ended(): void {
    this.#endlessAtMs = --this.#underWay === 0 ? Infinity : this.#awakeMs + ENDLESS_MS;
  }

  /** Why the process makes no progress; undefined while it does. */
  get trouble(): string | undefined {
    const { job } = this.#options;
    if (this.#awakeMs > this.#lateAtMs) {
      return `no ${job} has begun for ${TICKS_LATE} of its times or more`;
    }
    if (this.#awakeMs > this.#endlessAtMs) {
      return `no ${job} has ended for over ${ENDLESS_MS / 60_000} minutes`;
    }
    return undefined;
  }

  /**
   * Watches until `signal` is aborted.
   *
   * @param onClockSet is told when the clock was set, or the process stopped, since it was last looked at
   * @throws Error when the job begins no more, which only a restart mends.
   */
  async guard(
    signal: AbortSignal,
    { onClockSet }: { readonly onClockSet?: () => void } = {},
  ): Promise<void> {
    const { clock, job, cron } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(BEAT_MS, { signal }).catch(() => {});
      const isSteady = this.#beat();
      if (!isSteady && !signal.aborted) onClockSet?.();
      if (this.#awakeMs > this.#deadAtMs) {
        throw new Error(
          `Cannot go on: no ${job} has begun for ${TICKS_DEAD} of its times (${cron}) or more`,
        );
      }
    }
  }

  /** Returns whether the clock has gone on as it should. */
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
