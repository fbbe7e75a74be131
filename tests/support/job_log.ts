/** The ends of jobs' runs as events, read from the program's own log. @module */
import type { JobName } from "../../lib/archive/job.ts";
import type { Schedule } from "../../lib/daemon/schedule.ts";
import { configureLogging } from "../../lib/telemetry/log.ts";

/** What the line of a run that has ended says. */
interface EndedRun extends Readonly<Record<string, unknown>> {
  readonly message: "job done" | "job stopped" | "job failed";
  readonly job: JobName;
}

/** Takes the log over from whoever configured it last. */
export class JobLog {
  readonly #ended: EndedRun[] = [];
  readonly #waiting = new Map<string, (run: EndedRun) => void>();

  constructor() {
    configureLogging({ level: "debug", format: "json", write: (line) => this.#take(line) });
  }

  /** How many runs of a job have ended. */
  count(job: JobName): number {
    return this.#ended.filter((run) => run.job === job).length;
  }

  /** Resolves when so many runs of a job have ended, to what the last of them says. */
  reached(job: JobName, count: number): Promise<EndedRun> {
    const ended = this.#ended.filter((run) => run.job === job)[count - 1];
    if (ended !== undefined) return Promise.resolve(ended);
    return new Promise((resolve) => this.#waiting.set(`${job} ${count}`, resolve));
  }

  /** Has a job run now, and waits for its end. @throws Error when it fails. */
  async run(schedule: Schedule, job: JobName): Promise<EndedRun> {
    const ended = this.reached(job, this.count(job) + 1);
    schedule.runNow(job);
    const run = await ended;
    if (run.message !== "job done") throw new Error(JSON.stringify(run));
    return run;
  }

  #take(line: string): void {
    const run = JSON.parse(line) as EndedRun;
    if (!/^job (?:done|stopped|failed)$/.test(run.message)) return;
    this.#ended.push(run);
    const name = `${run.job} ${this.count(run.job)}`;
    this.#waiting.get(name)?.(run);
    this.#waiting.delete(name);
  }
}
