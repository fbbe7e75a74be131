import assert from "node:assert/strict";
import { configureLogging, logger } from "../../lib/telemetry/log.ts";
import { BEAT_MS, Watchdog } from "../../lib/daemon/watchdog.ts";
import { ManualClock } from "../support/manual_clock.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

interface Scene {
  readonly clock: ManualClock;
  readonly watchdog: Watchdog;
  readonly lines: readonly string[];
  /** How often it was told that the clock was set. */
  readonly clockSets: () => number;
  /** Why the guard ended, as soon as it has. */
  readonly end: () => string | undefined;
  /** Lets time pass, with a run that begins and ends at every minute. */
  tick(minutes: number): Promise<void>;
}

async function withWatchdog(cron: string, use: (scene: Scene) => Promise<void>): Promise<void> {
  const lines: string[] = [];
  configureLogging({ level: "info", format: "json", write: (line) => lines.push(line) });
  const clock = new ManualClock({ startMs: Date.UTC(2024, 0, 1, 12, 0, 30) });
  const watchdog = new Watchdog({ job: "poll", cron, clock, log: logger("test") });
  const stopping = new AbortController();
  let end: string | undefined;
  let clockSets = 0;
  const guard = watchdog.guard(stopping.signal, { onClockSet: () => clockSets++ })
    .catch((error: Error) => end = error.message);
  try {
    await use({
      clock,
      watchdog,
      lines,
      clockSets: () => clockSets,
      end: () => end,
      async tick(minutes): Promise<void> {
        for (let minute = 0; minute < minutes; minute++) {
          await clock.advance(MINUTE_MS);
          watchdog.begun();
          watchdog.ended();
        }
      },
    });
  } finally {
    stopping.abort();
    await guard;
    assert.equal(clock.sleepers, 0);
  }
}

Deno.test("a job that begins at its times is no trouble, however long it goes on", () =>
  withWatchdog("* * * * *", async ({ watchdog, tick, end, lines }) => {
    await tick(500);
    assert.deepEqual([watchdog.trouble, end(), lines.length], [undefined, undefined, 0]);
  }));

Deno.test("health fails at the third tick that does not come, is well with the next, and the tenth ends the process", () =>
  withWatchdog("* * * * *", async ({ clock, watchdog, tick, end }) => {
    await tick(3);
    await clock.advance(2 * MINUTE_MS);
    assert.equal(watchdog.trouble, undefined);
    await clock.advance(MINUTE_MS + BEAT_MS);
    assert.match(watchdog.trouble ?? "", /the job poll has missed 3 of/);
    await tick(1);
    assert.equal(watchdog.trouble, undefined);
    await clock.advance(9 * MINUTE_MS);
    assert.equal(end(), undefined);
    await clock.advance(2 * MINUTE_MS);
    assert.match(
      end() ?? "",
      /Cannot go on: the job poll has missed 10 of its scheduled runs \(\* /,
    );
  }));

Deno.test("a job of every second is dead only after minutes, a daily one only after days", async () => {
  await withWatchdog("* * * * * *", async ({ clock, watchdog, end }) => {
    await clock.advance(MINUTE_MS);
    assert.match(watchdog.trouble ?? "", /the job poll has missed 3 of/);
    await clock.advance(8 * MINUTE_MS);
    assert.equal(end(), undefined);
    await clock.advance(2 * MINUTE_MS);
    assert.notEqual(end(), undefined);
  });
  await withWatchdog("0 2 * * *", async ({ clock, watchdog, end }) => {
    await clock.advance(2 * 24 * HOUR_MS);
    assert.deepEqual([watchdog.trouble, end()], [undefined, undefined]);
    await clock.advance(24 * HOUR_MS);
    assert.match(watchdog.trouble ?? "", /the job poll has missed 3 of/);
  });
});

Deno.test("a clock that is set, forwards or backwards, is told of and is no trouble", () =>
  withWatchdog("* * * * *", async ({ clock, watchdog, tick, end, lines, clockSets }) => {
    for (const ms of [8 * HOUR_MS, -8 * HOUR_MS, 365 * 24 * HOUR_MS, -400 * 24 * HOUR_MS]) {
      await tick(2);
      clock.set(ms);
      await clock.advance(BEAT_MS);
      assert.deepEqual([watchdog.trouble, end()], [undefined, undefined]);
      await tick(5);
      assert.deepEqual([watchdog.trouble, end()], [undefined, undefined]);
    }
    assert.equal(lines.filter((line) => line.includes("the clock was set")).length, 4);
    assert.equal(clockSets(), 4);
  }));

Deno.test("a process that was stopped for a night is no trouble, and one that then stays idle is", () =>
  withWatchdog("* * * * *", async ({ clock, watchdog, tick, end }) => {
    await tick(2);
    // Timers stand still with the process, and the clock goes on without it.
    clock.set(10 * HOUR_MS);
    assert.equal(watchdog.trouble, undefined, "asked before the first beat");
    await clock.advance(2 * MINUTE_MS);
    assert.deepEqual([watchdog.trouble, end()], [undefined, undefined]);
    await clock.advance(3 * MINUTE_MS);
    assert.match(watchdog.trouble ?? "", /the job poll has missed 3 of/);
  }));

Deno.test("runs that hang are no trouble as long as others end beside them, and are when none does", () =>
  withWatchdog("* * * * *", async ({ clock, watchdog, tick, end }) => {
    watchdog.begun();
    await tick(60);
    assert.equal(watchdog.trouble, undefined);
    for (let minute = 0; minute < 17; minute++) {
      watchdog.begun();
      await clock.advance(MINUTE_MS);
    }
    assert.match(watchdog.trouble ?? "", /no run of the job poll has ended for over 15 minutes/);
    assert.equal(end(), undefined);
    watchdog.ended();
    assert.equal(watchdog.trouble, undefined);
  }));
