/** Whether the database takes writes is found out also where nothing else is written. */
import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import { Heartbeat } from "../../lib/daemon/heartbeat.ts";
import { KnownWrites } from "../../lib/store/connection/known_writes.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("the metric of the database follows writes, and the program's own where there are no others", async () => {
  const clock = new ManualClock();
  const metrics = createMetrics();
  const writes = new KnownWrites(clock);
  let tries = 0;
  let outcome: () => Promise<void> = () => Promise.resolve();
  const run = (): Promise<void> => {
    tries++;
    return outcome();
  };
  const up = async (): Promise<string | undefined> =>
    /^titan10_database_up (\d)$/m.exec(await metrics.text())?.[1];
  const archive = { clock, metrics, database: { run, writes } } as unknown as Archive;
  const heartbeat = new Heartbeat(archive);
  assert.deepEqual([tries, await up()], [1, "0"], "nothing was written yet");
  await clock.advance(1_000);
  assert.equal(await up(), "1");

  // Pages are written: nothing of its own is.
  for (let seconds = 0; seconds < 20; seconds++) {
    await writes.note("page", () => Promise.resolve());
    await clock.advance(1_000);
  }
  assert.equal(tries, 1);

  // Then none is, and the database answers, but takes nothing.
  const readOnly = Object.assign(new Error("read-only"), { code: "25006" });
  outcome = () => Promise.reject(readOnly);
  await clock.advance(6_000);
  assert.deepEqual([tries, await up()], [2, "0"]);

  // A write that waits is waited for, and the metric tells of it meanwhile.
  outcome = () => Promise.resolve();
  await clock.advance(6_000);
  assert.deepEqual([tries, await up()], [3, "1"]);
  const lock = Promise.withResolvers<void>();
  outcome = () => lock.promise;
  await clock.advance(30_000);
  assert.deepEqual([tries, await up()], [4, "0"]);
  lock.resolve();
  await clock.advance(1_000);
  assert.equal(await up(), "1");
  await heartbeat.stop();
  assert.equal(clock.sleepers, 0);
});
