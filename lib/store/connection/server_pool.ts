/** A pool of connections to a server. Statements have a deadline, and dead connections are replaced. @module */
import type { Clock } from "../../clock.ts";
import type { Target } from "../../config/database_parameters.ts";
import { DeadlineError, withDeadline } from "../../policy/deadline.ts";
import { chooseServer } from "./server_choice.ts";
import {
  foreignSettings,
  READ_SETTINGS,
  refusesSettings,
  type SessionScope,
} from "./session_settings.ts";
import type { Sql } from "./sql.ts";
import { attempt, codeOf, isConnectionLost, StoreError } from "./store_error.ts";

interface ServerPoolOptions {
  /** The servers, at least one, in the order in which they are tried. */
  readonly names: readonly string[];
  /** Which of them statements are sent to. */
  readonly target: Target;
  /** Makes a pool of one of them whose connections have our settings. The server is not contacted yet. */
  readonly open: (scope: SessionScope, at: number) => Sql;
  readonly clock: Clock;
  readonly onReach?: OnReach | undefined;
}

/** Called when the server is away, with the error that showed it, and with undefined when it is back. */
export type OnReach = (error: unknown) => void;

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
  /** The place of the server that the pool is of. */
  #at = 0;
  /** Whether that server was found to be the one that is wanted. */
  #isChosen: boolean;
  #choosing: Promise<void> | undefined = undefined;
  #isAway = false;
  #reaching: Promise<void> | undefined = undefined;
  /** `few` once a pooler has refused the others. */
  #scope: SessionScope = "all";
  /** Resolves when the settings that the pooler refused were found to be right all the same. */
  #checked: Promise<void> | undefined;

  constructor(options: ServerPoolOptions) {
    this.#options = options;
    this.#pool = options.open(this.#scope, this.#at);
    this.#isChosen = this.#isOnly;
  }

  /** Whether there is nothing to choose. */
  get #isOnly(): boolean {
    return this.#options.names.length === 1 && this.#options.target === "any";
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
    return attempt(action, async () => {
      const scope = this.#scope;
      if (scope === "few") await this.#checkSettings();
      try {
        return await this.#run(statements, timeoutMs);
      } catch (error) {
        // The connection was refused, so no statement has reached the server.
        if (scope === "few" || !refusesSettings(error)) throw error;
        if (this.#scope === "all") {
          this.#scope = "few";
          this.#giveUp(this.#pool);
        }
        await this.#checkSettings();
        return await this.#run(statements, timeoutMs);
      }
    });
  }

  async #run<T>(statements: (sql: Sql) => Promise<T>, timeoutMs: number): Promise<T> {
    const { clock } = this.#options;
    let pool = this.#pool;
    try {
      await this.#choose();
      pool = this.#pool;
      const work = (): Promise<T> => statements(pool);
      const answer = await withDeadline(timeoutMs, work, { clock, name: "a statement" });
      this.#setAway(false);
      return answer;
    } catch (error) {
      // After a connection time-out, the state of postgres.js may be wrong, so its pool is replaced.
      const isLate = error instanceof DeadlineError;
      if (isLate || codeOf(error) === "CONNECT_TIMEOUT") this.#giveUp(pool);
      const isAway = isLate || isConnectionLost(error);
      this.#setAway(isAway, isAway ? error : undefined);
      // 25006, a read-only transaction: it has become a standby.
      if (pool === this.#pool && (this.#isAway || codeOf(error) === "25006")) {
        this.#isChosen = this.#isOnly;
      }
      throw error;
    }
  }

  #setAway(isAway: boolean, error?: unknown): void {
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    this.#options.onReach?.(error);
  }

  async #choose(): Promise<void> {
    if (this.#isChosen) return;
    this.#choosing ??= this.#chooseNow().finally(() => this.#choosing = undefined);
    await this.#choosing;
  }

  async #chooseNow(): Promise<void> {
    const { names, target, open } = this.#options;
    const at = await chooseServer({ names, target, ask: (at) => this.#ask(at) });
    this.#isChosen = true;
    if (at === this.#at) return;
    const pool = this.#pool;
    this.#at = at;
    this.#pool = open(this.#scope, at);
    pool.end({ timeout: 0 }).catch(() => {});
  }

  /** Over a connection of its own, since those of the pool may be to a server that has gone. */
  async #ask(at: number): Promise<{ readonly isStandby: boolean }> {
    const { clock, open } = this.#options;
    const pool = open(this.#scope, at);
    try {
      return await withDeadline(STATEMENT_MS_MAX, async () => {
        const [row] = await pool<{ standby: boolean }[]>`select pg_is_in_recovery() as standby`;
        return { isStandby: row?.standby === true };
      }, { clock, name: "a statement" });
    } finally {
      await pool.end({ timeout: 0 });
    }
  }

  /** @throws StoreError `refused` when the role or the database changes what the pooler did not let us set. */
  async #checkSettings(): Promise<void> {
    this.#checked ??= this.#run(async (sql) => {
      const rows = await sql.unsafe<{ name: string; setting: string }[]>(READ_SETTINGS);
      const foreign = foreignSettings(rows);
      if (foreign.length === 0) return;
      const found = foreign.map(({ name, value }) => `${name} = ${value}`).join(", ");
      const mend = foreign.map(({ name, needed }) => `${name} = ${needed}`).join(", ");
      throw new StoreError(
        "refused",
        `Cannot use this pooler: it refuses settings that the answers depend on, and the server has ${found}. ` +
          `Set ${mend} for the role (alter role … set), or name the server itself in DATABASE_URL`,
      );
    }, STATEMENT_MS_MAX).catch((error) => {
      this.#checked = undefined;
      throw error;
    });
    await this.#checked;
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
    this.#pool = this.#options.open(this.#scope, this.#at);
    // Statements that still run on it fail with their own errors. Its connections close when the network allows.
    pool.end({ timeout: 0 }).catch(() => {});
  }
}
