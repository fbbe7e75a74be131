/** Finds out whether the database takes writes, where nothing else is written for a while. @module */
import type { Archive } from "../archive/archive.ts";
import { writeAgain } from "../store/job_state.ts";

/** How often it looks. */
const BEAT_MS = 1_000;

/** How old the newest write, or the newest try of its own, must be. */
const QUIET_MS = 5_000;

/** Writes a row of its own while no other is written, and keeps the metric of the database. */
export class Heartbeat {
  readonly #archive: Archive;
  readonly #stopping = new AbortController();
  readonly #beating: Promise<void>;

  constructor(archive: Archive) {
    this.#archive = archive;
    this.#beating = this.#beat();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the heartbeat is stopping"));
    await this.#beating;
  }

  async #beat(): Promise<void> {
    const { clock, database, metrics } = this.#archive;
    const { signal } = this.#stopping;
    let writing: Promise<void> = Promise.resolve();
    let triedMs = -Infinity;
    while (!signal.aborted) {
      const nowMs = clock.now();
      const passedMs = nowMs - Math.max(database.writes.newestMs, triedMs);
      // Less than nothing where the clock was set back.
      const isQuiet = passedMs >= QUIET_MS || passedMs < 0;
      // Not waited for: while it waits for a lock, the metric must say so. That it failed is known by `writes`.
      if (isQuiet && !database.writes.isUnderWay("row")) {
        triedMs = nowMs;
        writing = writeAgain(database).catch(() => {});
      }
      const { newestMs, trouble } = database.writes;
      metrics.setDatabaseUp(newestMs > -Infinity && trouble === undefined);
      await clock.sleep(BEAT_MS, { signal }).catch(() => {});
    }
    await writing;
  }
}
