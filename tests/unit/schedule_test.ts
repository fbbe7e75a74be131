import assert from "node:assert/strict";
import { configureLogging, logger } from "../../lib/telemetry/log.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import type { Job } from "../../lib/archive/job.ts";
import {
  isCron,
  Schedule,
  type ScheduledJob,
  type ScheduleOptions,
} from "../../lib/daemon/schedule.ts";
import { KnownWrites } from "../../lib/store/connection/known_writes.ts";
import { ManualClock } from "../support/manual_clock.ts";

const START_MS = Date.UTC(2024, 0, 1);

/** A database that is away: jobs must run all the same. */
const AWAY = {
  kind: "server",
  run: () => Promise.reject(Object.assign(new Error("gone"), { code: "ECONNREFUSED" })),
  writes: new KnownWrites(new ManualClock()),
  close: () => Promise.resolve(),
} as unknown as ScheduleOptions["database"];

function scene(runOnce: Job["runOnce"], options: Partial<ScheduledJob> = {}): {
  readonly schedule: Schedule;
  readonly clock: ManualClock;
  readonly lines: readonly string[];
  readonly runs: (outcome: string) => Promise<number>;
} {
  const lines: string[] = [];
  configureLogging({ level: "info", format: "json", write: (line) => lines.push(line) });
  const clock = new ManualClock({ startMs: START_MS });
  const metrics = createMetrics();
  const job: ScheduledJob = {
    name: "gaps",
    cron: "*/5 * * * *",
    mayOverlap: false,
    runOnce,
    ...options,
  };
  return {
    schedule: new Schedule([job], { database: AWAY, clock, metrics, log: logger("test") }),
    clock,
    lines,
    runs: async (outcome) => {
      const pattern = new RegExp(
        `titan10_job_runs_total\\{job="${job.name}",outcome="${outcome}"\\} (\\d+)`,
      );
      return Number(pattern.exec(await metrics.text())?.[1] ?? 0);
    },
  };
}

Deno.test("a job that throws is counted and logged, and runs again", async () => {
  let tries = 0;
  const { schedule, clock, lines, runs } = scene(() => {
    tries++;
    return tries === 1 ? Promise.reject(new Error("no luck")) : Promise.resolve({ found: 3 });
  });
  schedule.runNow("gaps");
  await clock.advance(0);
  assert.deepEqual([await runs("failure"), await runs("success")], [1, 0]);
  assert(lines.some((line) => line.includes("job failed") && line.includes("no luck")));
  schedule.runNow("gaps");
  await clock.advance(0);
  assert.deepEqual([await runs("failure"), await runs("success")], [1, 1]);
  assert(lines.some((line) => line.includes("job done") && line.includes('"found":3')));
  await schedule.stop();
});

Deno.test("a run that finds its forerunner at work is left out and counted", async () => {
  const end = Promise.withResolvers<Record<string, never>>();
  let begun = 0;
  const { schedule, clock, runs } = scene(() => {
    begun++;
    return end.promise;
  });
  schedule.runNow("gaps");
  schedule.runNow("gaps");
  await clock.advance(0);
  assert.equal(begun, 1);
  assert.equal(await runs("skipped"), 1);
  end.resolve({});
  await clock.advance(0);
  schedule.runNow("gaps");
  await clock.advance(0);
  assert.equal(begun, 2);
  await schedule.stop();
});

Deno.test("a job that is woken during its run runs once more afterwards, however often it was woken", async () => {
  const ends = [
    Promise.withResolvers<Record<string, never>>(),
    Promise.withResolvers<
      Record<string, never>
    >(),
  ];
  let begun = 0;
  const { schedule, clock, runs } = scene(() => ends[begun++]!.promise, { cron: undefined });
  schedule.wake("gaps");
  schedule.wake("gaps");
  schedule.wake("gaps");
  await clock.advance(0);
  assert.equal(begun, 1);
  ends[0]!.resolve({});
  await clock.advance(0);
  assert.equal(begun, 2);
  ends[1]!.resolve({});
  await clock.advance(0);
  assert.deepEqual([begun, await runs("success"), await runs("skipped")], [2, 2, 0]);
  await schedule.stop();
});

Deno.test("a job that is woken just before the end begins no further run", async () => {
  const end = Promise.withResolvers<Record<string, never>>();
  let begun = 0;
  const { schedule, clock } = scene(() => {
    begun++;
    return end.promise;
  });
  schedule.wake("gaps");
  schedule.wake("gaps");
  await clock.advance(0);
  const stopped = schedule.stop();
  end.resolve({});
  await stopped;
  assert.equal(begun, 1);
});

Deno.test("a failure that lasts is logged as an error when it changes, and counted each time", async () => {
  const outcomes = ["no luck", "no luck", "no disk", undefined, "no disk"];
  const { schedule, clock, lines, runs } = scene(() => {
    const failure = outcomes.shift();
    return failure === undefined ? Promise.resolve({}) : Promise.reject(new Error(failure));
  });
  while (outcomes.length > 0) {
    schedule.runNow("gaps");
    await clock.advance(0);
  }
  const failed = lines.filter((line) => line.includes("job failed"));
  assert.equal(failed.length, 3, failed.join(""));
  assert.deepEqual([await runs("failure"), await runs("success")], [4, 1]);
  await schedule.stop();
});

Deno.test("a quiet job is told of when its run has counted something", async () => {
  const counts = [0, 3];
  const { schedule, clock, lines } = scene(() => Promise.resolve({ found: counts.shift() ?? 0 }), {
    isQuiet: true,
  });
  for (let run = 0; run < 2; run++) {
    schedule.runNow("gaps");
    await clock.advance(0);
  }
  const done = lines.filter((line) => line.includes("job done"));
  assert.deepEqual(done.map((line) => JSON.parse(line).found), [3]);
  await schedule.stop();
});

Deno.test("a job that may overlap begins beside its forerunner", async () => {
  const end = Promise.withResolvers<Record<string, never>>();
  let begun = 0;
  const { schedule, clock } = scene(() => {
    begun++;
    return end.promise;
  }, { mayOverlap: true });
  schedule.runNow("gaps");
  schedule.runNow("gaps");
  await clock.advance(0);
  assert.equal(begun, 2);
  end.resolve({});
  await schedule.stop();
});

Deno.test("stopping aborts the run under way, waits for its end and begins no other", async () => {
  let ended = false;
  const { schedule, clock, runs } = scene(async (signal) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    ended = true;
    return {};
  });
  schedule.runNow("gaps");
  await clock.advance(0);
  await schedule.stop();
  assert.equal(ended, true);
  assert.deepEqual([await runs("cancelled"), await runs("success")], [1, 0]);
  schedule.runNow("gaps");
  await clock.advance(0);
  assert.equal(await runs("cancelled"), 1);
});

Deno.test("a schedule that is started again, since the clock was set, runs every job now and counts the times anew", async () => {
  const registered: { readonly name: string; readonly signal: AbortSignal }[] = [];
  const cron = Object.getOwnPropertyDescriptor(Deno, "cron");
  assert(cron !== undefined);
  const register: unknown = (name: string, _: string, { signal }: { signal: AbortSignal }) => {
    registered.push({ name, signal });
    return Promise.resolve();
  };
  Object.defineProperty(Deno, "cron", { value: register, configurable: true });
  try {
    let begun = 0;
    const { schedule, clock } = scene(() => {
      begun++;
      return Promise.resolve({});
    });
    schedule.start();
    await clock.advance(0);
    assert.equal(begun, 1);
    schedule.start();
    await clock.advance(0);
    assert.equal(begun, 2);
    assert.deepEqual(registered.map(({ signal }) => signal.aborted), [true, false]);
    // Deno calls what is registered under a name once for each time that it was.
    assert.equal(new Set(registered.map(({ name }) => name)).size, 2);
    await schedule.stop();
    assert.deepEqual(registered.map(({ signal }) => signal.aborted), [true, true]);
    schedule.start();
    assert.deepEqual([registered.length, begun], [2, 2]);
  } finally {
    Object.defineProperty(Deno, "cron", cron);
  }
});

Deno.test("a job without times does not begin with the schedule", async () => {
  let begun = 0;
  const { schedule, clock } = scene(() => {
    begun++;
    return Promise.resolve({});
  }, { cron: undefined });
  schedule.start();
  await clock.advance(0);
  assert.equal(begun, 0);
  schedule.wake("gaps");
  await clock.advance(0);
  assert.equal(begun, 1);
  await schedule.stop();
});

Deno.test("a watchdog is told of every run, of its end when its account is written, and of no run left out", async () => {
  const end = Promise.withResolvers<Record<string, never>>();
  const told: string[] = [];
  const watchdog = {
    begun: () => told.push("begun"),
    ended: () => told.push("ended"),
  } as unknown as NonNullable<ScheduledJob["watchdog"]>;
  const { schedule, clock } = scene(() => end.promise, { watchdog });
  schedule.runNow("gaps");
  schedule.runNow("gaps");
  await clock.advance(0);
  assert.deepEqual(told, ["begun"]);
  end.resolve({});
  await clock.advance(0);
  assert.deepEqual(told, ["begun", "ended"]);
  await schedule.stop();
});

Deno.test("a cron text has five fields, or six with seconds, and names its weekdays", () => {
  const valid = [
    "* * * * *",
    "*/5 * * * *",
    "0 2 * * *",
    "0 2 * * MON-FRI",
    "30 4 1,15 * SUN",
    "*/2 * * * * *",
  ];
  const invalid = [
    "",
    "* * * *",
    "0 2 * * 0",
    "0 2 * * 1-5",
    "61 * * * *",
    "@daily",
    "a b c d e",
    "* * * * * * *",
  ];
  assert.deepEqual(valid.filter((text) => !isCron(text)), []);
  assert.deepEqual(invalid.filter((text) => isCron(text)), []);
});
