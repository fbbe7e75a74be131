/** A pool of connections to a server. Statements have a deadline, and dead connections are replaced. @module */
import type { Clock } from "../../clock.ts";
import { DeadlineError, withDeadline } from "../../policy/deadline.ts";
import type { Sql } from "./sql.ts";
import { attempt, codeOf, isConnectionLost } from "./store_error.ts";

interface ServerPoolOptions {
  /** Makes a pool. The server is not contacted yet. */
  readonly open: () => Sql;
  readonly clock: Clock;
}

/**
 * A page's statement takes milliseconds, the largest report takes seconds. A statement that takes longer than this runs
 * on a dead connection, or waits for a lock; pages wait less than this for locks.
 */
export const STATEMENT_MS_MAX = 120_000;

/** Compressing a chunk, refreshing a rollup or migrating a large archive may take this long without an answer. */
export const LONG_STATEMENT_MS_MAX = 6 * 60 * 60_000;

/**
 * Runs statements that always end, whatever happens to the network. If a server is stopped or a firewall has dropped a
 * connection, TCP makes the client wait for a quarter of an hour or forever. A statement that is not answered in time
 * ends with a `DeadlineError`. Then all connections are replaced by new ones, because other statements on the same
 * connections would wait too.
 */
export class ServerPool {
  readonly #options: ServerPoolOptions;
  #pool: Sql;
  #isAway = false;
  #reaching: Promise<void> | undefined = undefined;

  constructor(options: ServerPoolOptions) {
    this.#options = options;
    this.#pool = options.open();
  }

  /** The current pool. */
  get sql(): Sql {
    return this.#pool;
  }

  /** Runs statements. All of them together must be answered within `timeoutMs`. */
  run<T>(
    action: string,
    statements: (sql: Sql) => Promise<T>,
    timeoutMs = STATEMENT_MS_MAX,
  ): Promise<T> {
    const { clock } = this.#options;
    const pool = this.#pool;
    return attempt(action, async () => {
      try {
        const work = (): Promise<T> => statements(pool);
        const answer = await withDeadline(timeoutMs, work, { clock, name: "a statement" });
        this.#isAway = false;
        return answer;
      } catch (error) {
        // After a connection time-out, the state of postgres.js may be wrong, so its pool is replaced.
        const isLate = error instanceof DeadlineError;
        if (isLate || codeOf(error) === "CONNECT_TIMEOUT") this.#giveUp(pool);
        this.#isAway = isLate || isConnectionLost(error);
        throw error;
      }
    });
  }

  /** See `Database.reach`. */
  async reach(): Promise<void> {
    if (!this.#isAway) return;
    this.#reaching ??= this.run("reach the database", async (sql) => {
      await sql`select 1`;
    }).finally(() => this.#reaching = undefined);
    await this.#reaching;
  }

  /** Waits at most `timeoutS` seconds for running statements, then closes. */
  async end(timeoutS: number): Promise<void> {
    await this.#pool.end({ timeout: timeoutS });
  }

  /** Ends all connections of a pool and opens a new pool. Only the first statement that finds the pool dead does so. */
  #giveUp(pool: Sql): void {
    if (pool !== this.#pool) return;
    this.#pool = this.#options.open();
    // Statements that still run on it fail with their own errors. Its connections close when the network allows.
    pool.end({ timeout: 0 }).catch(() => {});
  }
}
