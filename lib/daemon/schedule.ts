/** Runs the daemon's jobs at their times with `Deno.cron`, and records the outcome of each run. @module */
import { Cron } from "croner";
import type { Job, JobName, JobReport } from "../archive/job.ts";
import { ALL_LEASES, type LeaseChange, type Leases } from "../archive/leases.ts";
import type { Clock } from "../clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Database } from "../store/connection/database.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import { type JobOutcome, readJobs, writeJobEnd, writeJobStart } from "../store/job_state.ts";
import type { Watchdog } from "./watchdog.ts";
import { errorText } from "../text/redact.ts";

/** A job, and the watchdog that watches it. */
export interface ScheduledJob extends Job {
  /** Is notified when runs begin and end. */
  readonly watchdog?: Watchdog | undefined;
}

export interface ScheduleOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Which jobs are this process'. @default all of them */
  readonly leases?: Pick<Leases, "isLeader" | "onChange"> | undefined;
}

/** What runs one job at its times. */
interface Timer {
  readonly cron: string;
  readonly stopping: AbortController;
}

/**
 * Whether the schedule can run this cron text. Weekdays must be names: five fields go to `Deno.cron`, which numbers
 * weekdays from 1 (Sunday) to 7, while other programs number them from 0 to 6.
 */
export function isCron(text: string): boolean {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 5 && fields.length !== 6) return false;
  if (/\d/.test(fields.at(-1) ?? "")) return false;
  try {
    new Cron(text, { paused: true, timezone: "UTC" }).stop();
    return true;
  } catch {
    return false;
  }
}

/** The first time after `nowMs` that a cron text names; undefined if there is none. */
export function nextTime(cron: string, nowMs: number): Date | undefined {
  const timer = new Cron(cron, { paused: true, timezone: "UTC" });
  return timer.nextRun(new Date(nowMs)) ?? undefined;
}

/**
 * The jobs of one daemon, each with its own timer. A job that throws is counted and logged, and runs again at its next
 * time. What is done once for the archive is done while this process leads: a run that is under way when the lead is lost is
 * aborted, and the lease waits for its end. The table of jobs tells of the leader's runs.
 */
export class Schedule {
  readonly #jobs: readonly ScheduledJob[];
  readonly #options: ScheduleOptions;
  readonly #running = new Map<Job, number>();
  /** Jobs to run once more when their current run has ended. */
  readonly #woken = new Set<Job>();
  /** Why the newest run of a job failed. A lasting failure is logged only when its message changes. */
  readonly #failures = new Map<Job, string>();
  readonly #runs = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #timers = new Map<JobName, Timer>();
  /** Aborted when the lead is lost. */
  #leading = new AbortController();
  /** The runs of what only the leader does. */
  readonly #leadersRuns = new Set<Promise<void>>();
  /** The jobs that were woken while another process led. */
  readonly #missed = new Set<Job>();
  #unfollow: (() => void) | undefined;
  #starts = 0;

  constructor(jobs: readonly ScheduledJob[], options: ScheduleOptions) {
    this.#jobs = jobs;
    this.#options = options;
  }

  /**
   * Runs every job with a cron text now, and then at its times. Call again when the clock was set. A timer computes
   * once how long to sleep until its next time: if the clock is set back, it sleeps too long, and if the clock is set
   * forward past that time, the run is missed.
   */
  start(): void {
    this.#stopTimers();
    this.retime();
    this.#unfollow ??= this.#leases.onChange((change) => this.#followLead(change));
    for (const { name, cron } of this.#jobs) if (cron !== undefined) this.runNow(name);
  }

  /** Call when jobs may have got other times: only their timers are set anew. */
  retime(): void {
    if (this.#stopping.signal.aborted) return;
    for (const { name, cron } of this.#jobs) {
      const timer = this.#timers.get(name);
      if (timer?.cron === cron) continue;
      timer?.stopping.abort();
      this.#timers.delete(name);
      if (cron !== undefined) this.#timers.set(name, this.#startTimer(name, cron));
    }
  }

  #startTimer(name: JobName, cron: string): Timer {
    const stopping = new AbortController();
    const { signal } = stopping;
    const begin = (): void => this.runNow(name);
    if (cron.trim().split(/\s+/).length === 5) {
      // The name must be new at each start: Deno would run a name that was used before for both schedules.
      // The promise settles when the signal is aborted; an invalid cron text is thrown at once, not rejected.
      Deno.cron(`titan10 ${name} ${this.#starts++}`, cron, { signal }, begin).catch(() => {});
    } else {
      const timer = new Cron(cron, { timezone: "UTC" }, begin);
      signal.addEventListener("abort", () => timer.stop(), { once: true });
    }
    return { cron, stopping };
  }

  #stopTimers(): void {
    for (const { stopping } of this.#timers.values()) stopping.abort();
    this.#timers.clear();
  }

  /** Begins an extra run now. Skips it if the job may not overlap and a run is in progress. */
  runNow(name: JobName): void {
    const job = this.#jobs.find((job) => job.name === name);
    if (job === undefined || this.#stopping.signal.aborted) return;
    const isLeaders = job.isLeaders === true;
    if (isLeaders && !this.#leases.isLeader) return;
    const run = this.#run(job).finally(() => {
      this.#runs.delete(run);
      this.#leadersRuns.delete(run);
    });
    this.#runs.add(run);
    if (isLeaders) this.#leadersRuns.add(run);
  }

  get #leases(): Pick<Leases, "isLeader" | "onChange"> {
    return this.#options.leases ?? ALL_LEASES;
  }

  /** The lead is the lease without exchange and symbol. */
  #followLead({ exchange, gained, lost }: LeaseChange): void | Promise<void> {
    if (exchange !== "") return;
    if (gained.length > 0) return void this.#runDue();
    if (lost.length > 0) return this.#loseLead();
  }

  /**
   * Runs what only the leader does: what was woken here meanwhile, and that whose time has come since the leader before has
   * begun it, or whose run has not ended well.
   */
  async #runDue(): Promise<void> {
    const { clock, database, log } = this.#options;
    const jobs = await readJobs(database).catch((error: unknown) => {
      log.debug("when jobs last ran was not read", { error });
      return [];
    });
    for (const one of this.#jobs) {
      const { name, cron, isLeaders } = one;
      const isMissed = this.#missed.delete(one);
      if (isLeaders !== true || cron === undefined) continue;
      const { lastStartMs, lastOutcome } = jobs.find(({ job }) => job === name) ?? {};
      const next = lastStartMs === undefined ? undefined : nextTime(cron, lastStartMs);
      const isDue = next === undefined || next.getTime() <= clock.now();
      if (isDue || isMissed || lastOutcome !== "success") this.runNow(name);
    }
  }

  /** Resolves when what only the leader does has ended. Nothing is said any more of the archive as a whole. */
  async #loseLead(): Promise<void> {
    const { metrics } = this.#options;
    this.#leading.abort(new Error("another node leads now"));
    this.#leading = new AbortController();
    await Promise.all(this.#leadersRuns);
    if (this.#leases.isLeader) return;
    metrics.forgetArchive();
    for (const { name, isLeaders } of this.#jobs) {
      if (isLeaders === true) metrics.jobLastSuccessSeconds.remove({ job: name });
    }
  }

  /**
   * Call when there is work for a job. It runs now. If it may not overlap and a run is in progress, it runs once more
   * after that run. Returns at once.
   */
  wake(name: JobName): void {
    const job = this.#jobs.find((job) => job.name === name);
    if (job === undefined) return;
    if (job.isLeaders === true && !this.#leases.isLeader) this.#missed.add(job);
    else if (!job.mayOverlap && (this.#running.get(job) ?? 0) > 0) this.#woken.add(job);
    else this.runNow(name);
  }

  /** Stops the timers, aborts the runs in progress, and waits until they have ended. */
  async stop(): Promise<void> {
    this.#stopTimers();
    this.#unfollow?.();
    this.#stopping.abort(new Error("the schedule is stopping"));
    await Promise.all(this.#runs);
  }

  async #run(job: ScheduledJob): Promise<void> {
    const { clock, metrics, log } = this.#options;
    const underWay = this.#running.get(job) ?? 0;
    const startMs = clock.now();
    if (underWay > 0 && !job.mayOverlap) {
      metrics.jobRuns.inc({ job: job.name, outcome: "skipped" });
      log.debug("job skipped: its run before has not ended", { job: job.name });
      return;
    }
    this.#running.set(job, underWay + 1);
    const signal = job.isLeaders === true
      ? AbortSignal.any([this.#stopping.signal, this.#leading.signal])
      : this.#stopping.signal;
    job.watchdog?.begun();
    // Not awaited yet: a database that is down must not delay the job.
    const started = this.#note(() => writeJobStart(this.#options.database, job.name, startMs));
    let outcome: JobOutcome = "success";
    try {
      const report = await job.runOnce(signal);
      // An aborted job returns early without an error. Its counts are logged, but the run is not a success.
      if (signal.aborted) outcome = "cancelled";
      this.#failures.delete(job);
      this.#tellEnd(job, outcome, { seconds: secondsSince(startMs, clock), report });
    } catch (error) {
      outcome = signal.aborted ? "cancelled" : "failure";
      if (outcome === "failure") this.#tellFailure(job, error);
    }
    this.#running.set(job, (this.#running.get(job) ?? 1) - 1);
    const nowMs = clock.now();
    metrics.jobRuns.inc({ job: job.name, outcome });
    metrics.jobDurationSeconds.observe({ job: job.name }, secondsSince(startMs, clock));
    if (outcome === "success") metrics.jobLastSuccessSeconds.set({ job: job.name }, nowMs / 1000);
    await started;
    await this.#note(() => writeJobEnd(this.#options.database, job.name, { outcome, nowMs }));
    job.watchdog?.ended();
    if (this.#woken.delete(job)) this.wake(job.name);
  }

  #tellEnd(
    { name: job, isQuiet }: Job,
    outcome: JobOutcome,
    { seconds, report }: { readonly seconds: number; readonly report: JobReport },
  ): void {
    const { log } = this.#options;
    const message = outcome === "success" ? "job done" : "job stopped";
    const isNews = isQuiet !== true || Object.values(report).some((count) => count !== 0);
    log[isNews ? "info" : "debug"](message, { job, seconds, ...report });
  }

  #tellFailure(job: Job, error: unknown): void {
    const { log } = this.#options;
    const text = errorText(error);
    const isNews = this.#failures.get(job) !== text && !isServerAway(error);
    this.#failures.set(job, text);
    log[isNews ? "error" : "debug"]("job failed", { job: job.name, error });
  }

  /**
   * Stores the start or end of a run, if this process leads: several nodes have jobs of one name. A failure does not stop the
   * job; readiness tells that nothing is written.
   */
  async #note(write: () => Promise<void>): Promise<void> {
    const { log } = this.#options;
    if (!this.#leases.isLeader) return;
    try {
      await write();
    } catch (error) {
      log.debug("the outcome of a job was not stored", { error });
    }
  }
}

function secondsSince(startMs: number, clock: Clock): number {
  return (clock.now() - startMs) / 1000;
}
