/** Asks the database for a node's leases over a connection of their own, and notices when that one is dead. @module */
import type { Clock } from "../clock.ts";
import { DeadlineError, withDeadline } from "../policy/deadline.ts";
import type { Database } from "../store/connection/database.ts";
import type { OwnConnection } from "../store/connection/own_pool.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import type { LeaseTimes } from "./lease_times.ts";

/** Statements that were given up and may still be under way. More would take the connections of a database that hangs. */
const GIVEN_UP_MAX = 2;

interface LeaseConnectionOptions {
  readonly database: Pick<Database, "run" | "openOwn" | "renewIfSilent">;
  readonly clock: Clock;
  readonly times: LeaseTimes;
}

/** Pages, or hours of compression, delay nothing that is sent over it. */
export class LeaseConnection {
  readonly #options: LeaseConnectionOptions;
  #own: OwnConnection | undefined;
  #underWay = 0;
  /** When the first statement was sent that had no answer in time. Milliseconds; undefined when a later one has. */
  #silentSinceMs: number | undefined;

  constructor(options: LeaseConnectionOptions) {
    this.#options = options;
  }

  open(): void {
    const { database, times: { statementMs, tryMs } } = this.#options;
    this.#own = database.openOwn?.({ statementMsMax: statementMs, answerMsMax: tryMs });
  }

  async close(): Promise<void> {
    await this.#own?.close();
  }

  /** Where statements are sent. */
  get database(): Pick<Database, "run"> {
    return this.#own ?? this.#options.database;
  }

  /** Whether so many statements hang that no other one is to be sent. */
  get isHanging(): boolean {
    return this.#underWay >= GIVEN_UP_MAX;
  }

  /**
   * Waits for a statement, but not for long.
   *
   * @throws StoreError, DeadlineError, and the reason of the signal
   */
  async answerOf<T>(statement: Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock, database, times: { tryMs } } = this.#options;
    const sentMs = clock.now();
    this.#underWay++;
    const ended = statement.finally(() => void this.#underWay--);
    // Where the signal has aborted by then, nobody waits for it.
    ended.catch(() => {});
    try {
      const answer = await withDeadline(tryMs, () => ended, { clock, signal, name: "a heartbeat" });
      const sinceMs = this.#silentSinceMs;
      this.#silentSinceMs = undefined;
      // A network that has forgotten one connection has forgotten others, and the deadline of their statements is far.
      if (sinceMs !== undefined) database.renewIfSilent?.(sinceMs);
      return answer;
    } catch (error) {
      if (isSilence(error)) this.#silentSinceMs ??= sentMs;
      throw error;
    }
  }
}

/** Whether the pool of connections tells of an error, once for all statements. */
export function isToldByPool(error: unknown): boolean {
  return isServerAway(error) || isSilence(error);
}

function isSilence(error: unknown): boolean {
  return error instanceof DeadlineError ||
    error instanceof Error && error.cause instanceof DeadlineError;
}
