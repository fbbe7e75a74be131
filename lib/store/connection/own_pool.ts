/** Runs statements over one connection of their own, or over the archive's where the server has no room for both. @module */
import type { Clock } from "../../clock.ts";
import { isCrowded } from "./connection_room.ts";
import type { ServerPool } from "./server_pool.ts";
import type { Run } from "./sql.ts";
import { CLOSING_MS, LOOK_MS, SHARED_MS } from "./visitor_pool.ts";

/** How long the statements of an own connection may take. */
export interface OwnLimits {
  /** After this time the server ends a statement, except behind some poolers. */
  readonly statementMsMax: number;
  /** Longer: a connection over which nothing has come by then is dead, and a new one takes its place. */
  readonly answerMsMax: number;
}

/** A connection for statements of one kind. */
export interface OwnConnection {
  readonly run: Run;
  /** Waits for nothing. It is closed with the database as well. */
  close(): Promise<void>;
}

interface OwnPoolOptions {
  /** Of one connection. */
  readonly own: ServerPool;
  /** The pool of the archive. */
  readonly main: ServerPool;
  readonly clock: Clock;
}

export class OwnPool implements OwnConnection {
  readonly #options: OwnPoolOptions;
  #sharedSinceMs = -Infinity;
  /** Whether there may be a connection that the archive can have. */
  #isOpen = false;

  constructor(options: OwnPoolOptions) {
    this.#options = options;
  }

  readonly run: Run = async (action, statements) => {
    const { own, main, clock } = this.#options;
    // By then another server may be the only primary.
    if (main.haveParted) own.chooseAnew();
    else if (!this.#isSharedFor(SHARED_MS)) {
      this.#isOpen = true;
      try {
        return await own.run(action, statements);
      } catch (error) {
        if (isCrowded((error as Error).cause)) this.#sharedSinceMs = clock.now();
        else if (!this.#isSharedFor(SHARED_MS)) throw error;
      }
    }
    // Before all that wait for one of the archive's connections, which may be the pages of a thousand series.
    return await main.run(action, statements, { isNext: true });
  };

  /**
   * Called when the archive was refused its only connection. Ends this one.
   *
   * @returns whether there may be room for the archive now.
   */
  async makeRoom(): Promise<boolean> {
    const { own, clock } = this.#options;
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#sharedSinceMs = clock.now();
      own.drop();
    } else if (!this.#isSharedFor(CLOSING_MS)) return false;
    await clock.sleep(LOOK_MS);
    return true;
  }

  async close(): Promise<void> {
    await this.#options.own.end(0);
  }

  #isSharedFor(ms: number): boolean {
    const passedMs = this.#options.clock.now() - this.#sharedSinceMs;
    return passedMs >= 0 && passedMs < ms;
  }
}
