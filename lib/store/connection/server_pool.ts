/** A pool of connections to a server whose statements have a deadline, and which survives a server that falls silent. @module */
import type { Clock } from "../../clock.ts";
import { DeadlineError, withDeadline } from "../../policy/deadline.ts";
import type { Sql } from "./sql.ts";
import { attempt, codeOf, isConnectionLost } from "./store_error.ts";

interface ServerPoolOptions {
  /** Makes a pool. Nothing is asked of the server yet. */
  readonly open: () => Sql;
  readonly clock: Clock;
}

/**
 * A page's statement takes milliseconds, the largest report seconds. One that takes longer runs on a connection behind
 * which nobody is any more, or waits for a lock, which pages do for less time than this.
 */
export const STATEMENT_MS_MAX = 120_000;

/** Compressing a chunk, refreshing a rollup or a migration of a large archive may take this long, and silently. */
export const LONG_STATEMENT_MS_MAX = 6 * 60 * 60_000;

/**
 * Asks a server by statements that end, whatever becomes of the network: a server that is stopped or a firewall that
 * has forgotten a connection leaves the other side waiting for TCP, a quarter of an hour or for ever. Statements that
 * are not answered in time end with a `DeadlineError`, and all connections are given up for new ones, since what waits
 * behind them on the same connection would wait as well.
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

  /** The present pool. */
  get sql(): Sql {
    return this.#pool;
  }

  /** Runs statements, which are to be answered within `timeoutMs` altogether. */
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
        // Where nobody answers a connection, postgres.js may have lost its place: new ones begin anew.
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

  /** Waits for running statements at most `timeoutS` seconds, then closes. */
  async end(timeoutS: number): Promise<void> {
    await this.#pool.end({ timeout: timeoutS });
  }

  /** Ends everything on a pool's connections and opens a new one, once for all statements that find it silent. */
  #giveUp(pool: Sql): void {
    if (pool !== this.#pool) return;
    this.#pool = this.#options.open();
    // What runs on it ends with an error of its own; its connections end when the network lets them.
    pool.end({ timeout: 0 }).catch(() => {});
  }
}
