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
const LONG_STATEMENT_MS_MAX = 6 * 60 * 60_000;

/**
 * Asks a server by statements that end, whatever becomes of the network: a server that is stopped or a firewall that
 * has forgotten a connection leaves the other side waiting for TCP, a quarter of an hour or for ever. A statement that
 * is not answered in time ends with a `DeadlineError`, and all connections are given up for new ones, since what waits
 * behind it on the same connection would wait as well.
 */
export class ServerPool {
  /** For statements of at most {@linkcode STATEMENT_MS_MAX}. */
  readonly sql: Sql;
  /** For work that may take up to {@linkcode LONG_STATEMENT_MS_MAX}. */
  readonly long: Sql;
  readonly #options: ServerPoolOptions;
  #pool: Sql;
  #isAway = false;
  #reaching: Promise<void> | undefined = undefined;

  constructor(options: ServerPoolOptions) {
    this.#options = options;
    this.#pool = options.open();
    this.sql = this.#bounded(STATEMENT_MS_MAX);
    this.long = this.#bounded(LONG_STATEMENT_MS_MAX);
  }

  /** See `Database.reach`. */
  async reach(): Promise<void> {
    if (!this.#isAway) return;
    this.#reaching ??= attempt("reach the database", async () => {
      await this.sql`select 1`;
    }).finally(() => this.#reaching = undefined);
    await this.#reaching;
  }

  /** Waits for running statements at most `timeoutS` seconds, then closes. */
  async end(timeoutS: number): Promise<void> {
    await this.#pool.end({ timeout: timeoutS });
  }

  /** The present pool, whichever that is when a statement is written. */
  #bounded(timeoutMs: number): Sql {
    return new Proxy(this.#pool, {
      apply: (_pool, _this, args: Parameters<Sql>) => {
        const pool = this.#pool;
        return this.#watched(pool, pool(...args), timeoutMs);
      },
      get: (_pool, name) => {
        const pool = this.#pool;
        const value: unknown = Reflect.get(pool, name);
        if (typeof value !== "function" || (name !== "unsafe" && name !== "begin")) return value;
        return (...args: readonly unknown[]) => {
          const run = (): unknown => Reflect.apply(value, pool, args);
          // A transaction has begun as soon as it is asked for; only migrations are made of several statements.
          if (name === "unsafe") return this.#watched(pool, run(), timeoutMs);
          return this.#watch(pool, run as () => Promise<unknown>, LONG_STATEMENT_MS_MAX);
        };
      },
    });
  }

  /** A statement that ends in time. It begins when it is awaited, which is when somebody calls its `then`. */
  #watched<T>(pool: Sql, statement: T, timeoutMs: number): T {
    if (!(statement instanceof Promise)) return statement;
    const then = statement.then.bind(statement);
    let answer: Promise<unknown> | undefined;
    statement.then = ((resolved, rejected) => {
      answer ??= this.#watch(pool, () => new Promise(then), timeoutMs);
      return answer.then(resolved, rejected);
    }) as typeof statement.then;
    return statement;
  }

  async #watch<T>(pool: Sql, run: () => Promise<T>, timeoutMs: number): Promise<T> {
    const { clock } = this.#options;
    try {
      const answer = await withDeadline(timeoutMs, run, { clock, name: "a statement" });
      this.#isAway = false;
      return answer;
    } catch (error) {
      // Where nobody answers a connection, postgres.js may have lost its place: new ones begin anew.
      if (error instanceof DeadlineError || codeOf(error) === "CONNECT_TIMEOUT") this.#giveUp(pool);
      this.#isAway = error instanceof DeadlineError || isConnectionLost(error);
      throw error;
    }
  }

  /** Ends everything on a pool's connections and opens a new one, once for all statements that find it silent. */
  #giveUp(pool: Sql): void {
    if (pool !== this.#pool) return;
    this.#pool = this.#options.open();
    // What runs on it ends with an error of its own; its connections end when the network lets them.
    pool.end({ timeout: 0 }).catch(() => {});
  }
}
