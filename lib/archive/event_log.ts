/** Takes notes of what happens, and writes them when the database takes them, without anything waiting for it. @module */
import type { Clock } from "../clock.ts";
import { type ArchiveEvent, isSameEvent, joinEvents } from "../market/event.ts";
import { withDeadline } from "../policy/deadline.ts";
import type { Database } from "../store/connection/database.ts";
import { StoreError } from "../store/connection/store_error.ts";
import { writeEvents } from "../store/events.ts";
import type { Logger } from "../telemetry/log.ts";

/** An event of now, which has happened once. `sinceMs` is given where it began before. */
export type NewEvent =
  & Omit<ArchiveEvent, "timeMs" | "sinceMs" | "times">
  & Partial<Pick<ArchiveEvent, "sinceMs">>;

/** That a symbol was deleted, with so many candles. */
export function forgottenEvent(
  { exchange, symbol }: { readonly exchange: string; readonly symbol: string },
  candles: number,
): NewEvent {
  const text = `${exchange} ${symbol}: deleted on purpose, with all that was known of it`;
  return { kind: "forgotten", exchange, symbol, candles, text };
}

/** How many wait at most. The oldest are given up then: this many different things happen only while all is in trouble. */
const WAITING_MAX = 200;

/** Between two writes, so that a source that tells of each page costs the database two small statements a second. */
const PAUSE_MS = 500;

/** Before the next try, when the database did not take them. */
const RETRY_MS = 2_000;

/** How long the last write may take, when all is stopped. */
const LAST_MS_MAX = 2_000;

/** The events of one process. Where nothing was started that writes, they wait. */
export class EventLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  #waiting: ArchiveEvent[] = [];
  #database: Database | undefined;
  #writing: Promise<void> | undefined;

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Takes a note. Returns at once, and never throws. */
  note(event: NewEvent): void {
    const timeMs = this.#clock.now();
    this.#add({ sinceMs: timeMs, ...event, timeMs, times: 1 });
    this.#wake();
  }

  /** Writes to this database from now on, also what was noted before. */
  start(database: Database): void {
    this.#database = database;
    this.#wake();
  }

  /** Writes what waits, if the database takes it soon. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the events are stopping"));
    if (this.#database !== undefined) await this.flush(this.#database);
  }

  /** Tries once to write what waits. Never throws. */
  async flush(database: Database): Promise<void> {
    const write = async (): Promise<void> => {
      await this.#writing;
      await this.#writeOnce(database);
    };
    if (this.#writing === undefined && this.#waiting.length === 0) return;
    await withDeadline(LAST_MS_MAX, write, { clock: this.#clock, name: "the last events" })
      .catch(() => {});
  }

  #add(event: ArchiveEvent): void {
    const at = this.#waiting.findIndex((one) => isSameEvent(one, event));
    if (at < 0) this.#waiting.push(event);
    else this.#waiting.push(joinEvents(this.#waiting.splice(at, 1)[0]!, event));
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
  }

  #wake(): void {
    if (this.#stopping.signal.aborted || this.#waiting.length === 0) return;
    const database = this.#database;
    if (database !== undefined) this.#writing ??= this.#write(database);
  }

  async #write(database: Database): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#waiting.length > 0 && !signal.aborted) {
      const isWritten = await this.#writeOnce(database);
      await this.#clock.sleep(isWritten ? PAUSE_MS : RETRY_MS, { signal }).catch(() => {});
    }
    // No await since the list was last looked at.
    this.#writing = undefined;
  }

  /** Returns whether the database took them. */
  async #writeOnce(database: Database): Promise<boolean> {
    const events = this.#waiting;
    this.#waiting = [];
    try {
      await writeEvents(database, events);
      return true;
    } catch (error) {
      // What the database refuses would be refused again, and hold up all that comes after.
      const isRefused = error instanceof StoreError && error.kind === "refused";
      this.#log[isRefused ? "warn" : "debug"]("events were not stored", { error });
      if (!isRefused) {
        const since = this.#waiting;
        this.#waiting = events;
        for (const event of since) this.#add(event);
      }
      return false;
    }
  }
}
