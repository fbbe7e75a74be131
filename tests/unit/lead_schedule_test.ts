/** The jobs that only the leader does: begun, ended and told of as the lead comes and goes. @module */
import assert from "node:assert/strict";
import type { Job, JobName } from "../../lib/archive/job.ts";
import type { LeaseListener } from "../../lib/archive/leases.ts";
import { Schedule, type ScheduleOptions } from "../../lib/daemon/schedule.ts";
import type { JobOutcome } from "../../lib/store/job_state.ts";
import { configureLogging, logger } from "../../lib/telemetry/log.ts";
import { createMetrics, type Metrics } from "../../lib/telemetry/metrics.ts";
import { ManualClock } from "../support/manual_clock.ts";

const NOON_MS = Date.UTC(2024, 0, 1, 12);
const MINUTE_MS = 60_000;

interface Known {
  readonly lastStartMs: number | undefined;
  readonly lastOutcome: JobOutcome | undefined;
}

/** A schedule of `upkeep`, which is the leader's, every six hours; of `alerts`, which is woken; and of `poll`, which each node does. */
class Scene {
  readonly clock = new ManualClock({ startMs: NOON_MS });
  readonly metrics: Metrics = createMetrics();
  readonly begun: JobName[] = [];
  readonly noted: string[] = [];
  readonly schedule: Schedule;
  /** What the database says of the jobs. */
  known: Readonly<Partial<Record<JobName, Known>>> = {};
  runOnce: Job["runOnce"] = () => Promise.resolve({});
  isLeader = false;
  #listener: LeaseListener = () => {};

  constructor() {
    configureLogging({ level: "error", format: "json", write: () => {} });
    const job = (name: JobName, cron: string | undefined, isLeaders: boolean): Job => ({
      ...{ name, cron, isLeaders, mayOverlap: false },
      runOnce: (signal) => {
        this.begun.push(name);
        return name === "poll" ? Promise.resolve({}) : this.runOnce(signal);
      },
    });
    const run = (action: string): Promise<unknown> => {
      if (action !== "read the jobs") return Promise.resolve(this.noted.push(action));
      return Promise.resolve(
        Object.entries(this.known).map(([job, known]) => ({
          job,
          lastSuccessMs: undefined,
          ...known,
        })),
      );
    };
    const note = (_: string, write: () => Promise<unknown>): Promise<unknown> => write();
    const database = { kind: "server", run, writes: { note } } as unknown;
    this.schedule = new Schedule([
      job("upkeep", "0 */6 * * *", true),
      job("alerts", undefined, true),
      job("poll", "0 0 * * *", false),
    ], {
      database: database as ScheduleOptions["database"],
      ...{ clock: this.clock, metrics: this.metrics, log: logger("test") },
      leases: Object.defineProperty(
        {
          isLeader: false,
          onChange: (listener: LeaseListener) => {
            this.#listener = listener;
            return () => {};
          },
        },
        "isLeader",
        { get: () => this.isLeader },
      ),
    });
  }

  async settle(): Promise<void> {
    await this.clock.advance(0);
  }

  async lead(): Promise<void> {
    this.isLeader = true;
    await this.#listener({ exchange: "", gained: [""], lost: [] });
    await this.settle();
  }

  async lose(): Promise<void> {
    this.isLeader = false;
    await this.#listener({ exchange: "", gained: [], lost: [""], cause: "handover" });
  }

  async text(pattern: RegExp): Promise<boolean> {
    return pattern.test(await this.metrics.text());
  }
}

async function withScene(test: (scene: Scene) => Promise<void>): Promise<void> {
  const scene = new Scene();
  const cron = Object.getOwnPropertyDescriptor(Deno, "cron")!;
  Object.defineProperty(Deno, "cron", { value: () => Promise.resolve(), configurable: true });
  try {
    scene.schedule.start();
    await scene.settle();
    await test(scene);
  } finally {
    Object.defineProperty(Deno, "cron", cron);
    await scene.schedule.stop();
  }
}

const JUST_DONE: Known = { lastStartMs: NOON_MS - MINUTE_MS, lastOutcome: "success" };

Deno.test("a node that does not lead does its own jobs alone, counts no run of the leader's and writes of none", () =>
  withScene(async (scene) => {
    scene.schedule.runNow("upkeep");
    scene.schedule.wake("alerts");
    await scene.settle();
    assert.deepEqual(scene.begun, ["poll"]);
    assert.deepEqual(scene.noted, []);
    assert.equal(await scene.text(/titan10_job_runs_total\{job="(upkeep|alerts)"/), false);
  }));

Deno.test("a new leader does at once what is due, what did not end well and what was woken meanwhile, and nothing else", () =>
  withScene(async (scene) => {
    const cases: readonly (readonly [string, Known | undefined, JobName[]])[] = [
      ["never done", undefined, ["upkeep"]],
      ["done a moment ago", { ...JUST_DONE, lastStartMs: NOON_MS }, []],
      ["its time came since", JUST_DONE, ["upkeep"]],
      ["its leader died", { lastStartMs: NOON_MS, lastOutcome: "running" }, ["upkeep"]],
      ["it failed", { lastStartMs: NOON_MS, lastOutcome: "failure" }, ["upkeep"]],
    ];
    for (const [name, known, expected] of cases) {
      scene.known = known === undefined ? {} : { upkeep: known };
      scene.begun.length = 0;
      await scene.lead();
      assert.deepEqual(scene.begun, expected, name);
      await scene.lose();
    }
    scene.known = { upkeep: { lastStartMs: NOON_MS, lastOutcome: "success" } };
    scene.begun.length = 0;
    scene.schedule.wake("upkeep");
    await scene.lead();
    assert.deepEqual(scene.begun, ["upkeep"], "woken here by what another node wrote");
    assert.deepEqual(
      new Set(scene.noted),
      new Set(["note the start of job upkeep", "note the end of job upkeep"]),
    );
  }));

Deno.test("a lost lead aborts what is under way, waits for its end, and takes back what was told of the archive", () =>
  withScene(async (scene) => {
    let ended = false;
    scene.runOnce = async (signal) => {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      ended = true;
      return {};
    };
    await scene.lead();
    assert.deepEqual([scene.begun.at(-1), ended], ["upkeep", false]);
    const series = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" };
    const { candlesOwed, coveredUntilSeconds, settleSeconds, storageBytes } = scene.metrics;
    candlesOwed.set(series, 1);
    coveredUntilSeconds.set(series, 1);
    storageBytes.set({ timeframe: "1m" }, 1);
    settleSeconds.set({ exchange: "binance" }, 120);
    scene.metrics.jobLastSuccessSeconds.set({ job: "upkeep" }, 1);
    await scene.lose();
    assert.equal(ended, true);
    assert.equal(
      await scene.text(/^titan10_job_runs_total\{job="upkeep",outcome="cancelled"\} 1$/m),
      true,
    );
    assert.deepEqual(
      scene.noted,
      ["note the start of job upkeep"],
      "its end is the next leader's to tell",
    );
    const gone =
      /^titan10_(candles_owed|covered_until_timestamp_seconds|storage_bytes|job_last_success_timestamp_seconds\{job="upkeep"\})/m;
    assert.equal(await scene.text(gone), false);
    assert.equal(
      await scene.text(/^titan10_settle_seconds\{exchange="binance"\} 120$/m),
      true,
      "its own",
    );
    scene.runOnce = () => Promise.resolve({});
    await scene.lead();
    assert.equal(
      await scene.text(/^titan10_job_runs_total\{job="upkeep",outcome="success"\} 1$/m),
      true,
    );
  }));
