/** Answers visitors over connections of their own, which the archive takes back where it finds no room. @module */
import type { Clock } from "../../clock.ts";
import { Slots } from "../../policy/slots.ts";
import { runCancellable } from "./cancelling.ts";
import { isCrowded } from "./connection_room.ts";
import type { ServerPool } from "./server_pool.ts";
import type { Run, Sql } from "./sql.ts";

/** After this time it is tried whether there is room for both again. */
export const SHARED_MS = 60_000;

/** Longer than a server takes to notice that connections were closed. */
export const CLOSING_MS = 2_000;
export const LOOK_MS = 50;

/** The server ends a visitor's statement after this time: a web page asks for what takes milliseconds. */
export const VISITOR_STATEMENT_MS_MAX = 10_000;

/** Longer than the server takes to end a visitor's statement: one that is not answered by then never is. */
const VISITOR_MS_MAX = VISITOR_STATEMENT_MS_MAX + 5_000;

/** Made once: each abort without a reason would make an error with a stack. */
const TAKEN = new Error("the archive needs the connection");
const LATE = new Error("the statement took too long");

interface VisitorPoolOptions {
  /** The pool of the visitors. */
  readonly visiting: ServerPool;
  /** The pool of the archive. */
  readonly archive: ServerPool;
  readonly clock: Clock;
}

/**
 * A role, a database or a server may let in fewer connections than there are in both pools. Then visitors have none: what
 * they ask is answered over the archive's, one after the other.
 */
export class VisitorPool {
  readonly #options: VisitorPoolOptions;
  /** Over the archive's connections. */
  readonly #shared = new Slots({ atOnce: 1 });
  #sharedSinceMs = -Infinity;
  /** Whether there may be connections that the archive can have. */
  #isOpen = false;
  #taken = new AbortController();

  constructor(options: VisitorPoolOptions) {
    this.#options = options;
  }

  /** Runs statements for one visitor. They are cancelled when the signal aborts. */
  run(signal: AbortSignal): Run {
    return async (action, statements) => {
      if (!this.#isShared) {
        const { visiting, clock } = this.#options;
        const taken = this.#taken.signal;
        this.#isOpen = true;
        const own = (pool: Sql): ReturnType<typeof statements> =>
          runCancellable(statements, { pool, signals: [signal, taken], clock });
        try {
          return await visiting.run(action, own, { timeoutMs: VISITOR_MS_MAX });
        } catch (error) {
          if (isCrowded((error as Error).cause)) this.#sharedSinceMs = clock.now();
          else if (!taken.aborted) throw error;
        }
      }
      return await this.#shared.run(() => this.#runShared(signal)(action, statements), { signal });
    };
  }

  /**
   * Called when the archive was refused a connection. Ends those of visitors.
   *
   * @returns whether there may be room for the archive now.
   */
  async makeRoom(): Promise<boolean> {
    const { visiting, clock } = this.#options;
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#sharedSinceMs = clock.now();
      this.#taken.abort(TAKEN);
      this.#taken = new AbortController();
      visiting.drop();
    } else if (!(clock.now() - this.#sharedSinceMs < CLOSING_MS)) return false;
    await clock.sleep(LOOK_MS);
    return true;
  }

  get #isShared(): boolean {
    const passedMs = this.#options.clock.now() - this.#sharedSinceMs;
    return passedMs >= 0 && passedMs < SHARED_MS;
  }

  /** The server ends no statement of the archive's connections, so it is told to when the time is over. */
  #runShared(signal: AbortSignal): Run {
    const { archive, clock } = this.#options;
    return (action, statements) =>
      archive.run(action, async (pool) => {
        const late = new AbortController();
        const timer = new AbortController();
        clock.sleep(VISITOR_STATEMENT_MS_MAX, { signal: timer.signal })
          .then(() => late.abort(LATE), () => {});
        try {
          return await runCancellable(statements, { pool, signals: [signal, late.signal], clock });
        } finally {
          timer.abort(LATE);
        }
      });
  }
}
