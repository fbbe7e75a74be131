/** A pool of connections to a server. Statements have a deadline, and dead connections are replaced. @module */
import { DeadlineError, withDeadline } from "../../policy/deadline.ts";
import { Slots } from "../../policy/slots.ts";
import { ConnectionRoom, isCrowded } from "./connection_room.ts";
import { ReachWatch } from "./reach_watch.ts";
import type { ServerPoolOptions } from "./server_pool_options.ts";
import {
  assertOnePrimary,
  chooseServer,
  readServerState,
  type ServerState,
  TwoPrimariesError,
} from "./server_choice.ts";
import {
  foreignRefusal,
  foreignSettings,
  refusalOf,
  refusesSettings,
  type SessionScope,
} from "./session_settings.ts";
import type { Sql } from "./sql.ts";
import { attempt, codeOf, givenUp, isConnectionLost } from "./store_error.ts";

interface RunOptions {
  readonly timeoutMs?: number;
  /** Whether it comes before all that wait for a connection. */
  readonly isNext?: boolean;
}

interface Work<T> extends RunOptions {
  readonly action: string;
  readonly statements: (sql: Sql) => Promise<T>;
}

/**
 * A page's statement takes milliseconds, the largest report takes seconds. A statement that takes longer than this runs
 * on a dead connection, or waits for a lock; pages wait less than this for locks.
 */
export const STATEMENT_MS_MAX = 120_000;

/** What is written to the wrong one of two primaries in this time is lost, and asked for again. */
const LOOK_EVERY_MS = 30_000;

/**
 * Runs statements that always end, whatever happens to the network. If a server is stopped or a firewall has dropped a
 * connection, TCP makes the client wait for a quarter of an hour or forever. A statement that is not answered in time
 * ends with a `DeadlineError`. Then all connections are replaced by new ones, because other statements on the same
 * connections would wait too.
 *
 * A statement is sent when a connection is free for it, and its time begins then. postgres.js by itself sends more
 * statements than it has connections, so that one waits behind another's, and its time would pass meanwhile.
 */
export class ServerPool {
  readonly #options: ServerPoolOptions;
  #pool: Sql;
  /** One for each connection. */
  readonly #slots: Slots;
  /** The place of the server that the pool is of. */
  #at = 0;
  /** Whether that server was found to be the one that is wanted. */
  #isChosen: boolean;
  #choosing: Promise<void> | undefined = undefined;
  /** Whether two primaries were found, which stops all statements. */
  #haveParted = false;
  #lookedMs = -Infinity;
  #looking: Promise<void> | undefined = undefined;
  /** The pools that ask servers what they are. */
  readonly #asking = new Set<Sql>();
  readonly #watch: ReachWatch;
  /** When a statement was last answered. Milliseconds. */
  #answeredMs = -Infinity;
  #reaching: Promise<void> | undefined = undefined;
  /** `few` once a pooler has refused the others. */
  #scope: SessionScope = "all";
  /** Resolves when the settings of a session were found to be right. */
  #checked: Promise<void> | undefined;
  readonly #room: ConnectionRoom;
  readonly #answerMsMax: number;

  constructor(options: ServerPoolOptions) {
    this.#options = options;
    const { clock, makeRoom, watch = new ReachWatch(undefined) } = options;
    this.#watch = watch;
    this.#answerMsMax = options.answerMsMax ?? STATEMENT_MS_MAX;
    this.#room = new ConnectionRoom({ clock, makeRoom, waitMsMax: STATEMENT_MS_MAX });
    this.#pool = options.open(this.#scope, this.#at);
    this.#slots = new Slots({ atOnce: options.poolMax });
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

  /** Whether several primaries were found, and nothing is to be sent to any of them. */
  get haveParted(): boolean {
    return this.#haveParted;
  }

  /**
   * Runs statements. All of them together must be answered within `timeoutMs` from when a connection is free for them. For
   * that they wait as long at most.
   */
  run<T>(
    action: string,
    statements: (sql: Sql) => Promise<T>,
    options: RunOptions = {},
  ): Promise<T> {
    return attempt(action, async () => {
      const work = { action, statements, ...options };
      for (;;) {
        const scope = this.#scope;
        try {
          await this.#checkSettings(action);
          return await this.#run(work);
        } catch (error) {
          // The connection was refused, so no statement has reached the server.
          if (!refusesSettings(error)) throw error;
          if (scope === "few") throw refusalOf(error);
          this.#useFew(error);
        }
      }
    });
  }

  /** Sends the settings that every pooler knows, and no others. */
  #useFew(refusal: Error): void {
    if (this.#scope === "few") return;
    this.#scope = "few";
    this.#giveUp(this.#pool, refusal);
  }

  async #run<T>(
    { action, statements, timeoutMs = this.#answerMsMax, isNext = false }: Work<T>,
  ): Promise<T> {
    const { clock, isSpare = false } = this.#options;
    await this.#untilFree({ timeoutMs, isNext });
    let pool = this.#pool;
    const look = this.#watch.look();
    try {
      const work = (): Promise<T> => statements(pool);
      const answer = await this.#room.run(async () => {
        await this.#choose();
        pool = this.#pool;
        return await withDeadline(timeoutMs, work, { clock, name: "a statement" });
      });
      this.#answeredMs = clock.now();
      look.end(undefined);
      return answer;
    } catch (error) {
      // A server or pooler that refuses settings is there.
      if (refusesSettings(error)) throw error;
      const isLate = error instanceof DeadlineError;
      const hasYielded = isSpare && (isCrowded(error) || pool !== this.#pool);
      const isAway = isLate || isConnectionLost(error) && !hasYielded;
      if (!isAway) this.#answeredMs = clock.now();
      look.end(isAway ? { error, action } : undefined);
      // 25006, a read-only transaction: it has become a standby.
      if (pool === this.#pool && (isAway || codeOf(error) === "25006")) this.chooseAnew();
      // After a connection time-out, the state of postgres.js may be wrong, so its pool is replaced.
      if (isLate || codeOf(error) === "CONNECT_TIMEOUT") this.#giveUp(pool, givenUp());
      throw error;
    } finally {
      this.#slots.giveBack();
    }
  }

  /** That all connections are busy for long says nothing about the server, and ends no other statement. */
  async #untilFree(
    { timeoutMs, isNext }: { readonly timeoutMs: number; readonly isNext: boolean },
  ): Promise<void> {
    const { clock } = this.#options;
    if (this.#slots.isFree) return await this.#slots.take();
    const take = (signal: AbortSignal): Promise<void> => this.#slots.take({ signal, isNext });
    await withDeadline(timeoutMs, take, { clock, name: "the wait for a free connection" });
  }

  async #choose(): Promise<void> {
    if (this.#isChosen) return;
    this.#choosing ??= this.#chooseNow().finally(() => this.#choosing = undefined);
    await this.#choosing;
  }

  async #chooseNow(): Promise<void> {
    const { names, target, open } = this.#options;
    const ask = (at: number): Promise<ServerState> => this.#ask(at);
    if (this.#haveParted) await assertOnePrimary({ names, ask });
    this.#haveParted = false;
    const at = await chooseServer({ names, target, ask });
    this.#isChosen = true;
    if (at === this.#at) return;
    const pool = this.#pool;
    this.#at = at;
    this.#pool = open(this.#scope, at);
    pool.end({ timeout: 0 }).catch(() => {});
  }

  /**
   * Looks from time to time whether another server takes writes, too. Not waited for: a host that does not answer must
   * delay nothing.
   */
  #lookAround(): void {
    const { clock, names, target } = this.#options;
    const nowMs = clock.now();
    const isDue = nowMs < this.#lookedMs || nowMs - this.#lookedMs >= LOOK_EVERY_MS;
    if (names.length === 1 || target !== "primary" || !this.#isChosen) return;
    if (!isDue || this.#looking !== undefined) return;
    this.#lookedMs = nowMs;
    this.#looking = assertOnePrimary({ names, ask: (at) => this.#ask(at) }).catch((error) => {
      if (!(error instanceof TwoPrimariesError)) return;
      this.#haveParted = true;
      this.#isChosen = false;
    }).finally(() => this.#looking = undefined);
  }

  /** Over a connection of its own, since those of the pool may be to a server that has gone. */
  async #ask(at: number): Promise<ServerState> {
    const { clock, open } = this.#options;
    const pool = open(this.#scope, at);
    this.#asking.add(pool);
    try {
      const read = (): Promise<ServerState> => readServerState(pool);
      return await withDeadline(this.#answerMsMax, read, { clock, name: "a statement" });
    } finally {
      this.#asking.delete(pool);
      await pool.end({ timeout: 0 });
    }
  }

  /**
   * Once, since all sessions are begun alike.
   *
   * @throws StoreError `refused` when a session is not what statements need.
   */
  async #checkSettings(action: string): Promise<void> {
    const statements = async (sql: Sql): Promise<void> => {
      const { needed } = this.#options;
      const foreign = await foreignSettings(sql, { scope: this.#scope, needed });
      if (foreign.length > 0) throw foreignRefusal(foreign);
    };
    this.#checked ??= this.#run({ action, statements })
      .catch((error) => {
        this.#checked = undefined;
        throw error;
      });
    await this.#checked;
  }

  /** See `Database.reach`. */
  async reach(): Promise<void> {
    this.#lookAround();
    if (!this.#watch.isAway) return;
    this.#reaching ??= this.run("reach the database", async (sql) => {
      await sql`select 1`;
    }).finally(() => this.#reaching = undefined);
    await this.#reaching;
  }

  /** Has the next statement look for the server that is wanted. */
  chooseAnew(): void {
    this.#isChosen = this.#isOnly;
  }

  /** See `Database.renewIfSilent`. */
  renewIfSilent(sinceMs: number): void {
    if (this.#answeredMs < sinceMs) this.drop();
  }

  /** Closes its connections. The next statement opens others. */
  drop(): void {
    this.#giveUp(this.#pool, givenUp());
  }

  /** Waits at most `timeoutS` seconds for running statements, then closes. */
  async end(timeoutS: number): Promise<void> {
    // What looks around ends with an error.
    for (const pool of this.#asking) await pool.end({ timeout: 0 });
    await this.#looking;
    await this.#pool.end({ timeout: timeoutS });
  }

  /**
   * Ends all connections of a pool and opens a new pool. Only the first statement that finds the pool dead does so. What
   * waits for the pool ends with the error: it would not be answered either.
   */
  #giveUp(pool: Sql, error: Error): void {
    if (pool !== this.#pool) return;
    this.#pool = this.#options.open(this.#scope, this.#at);
    this.#slots.refuseWaiting(error);
    // Statements that still run on it fail with their own errors. Its connections close when the network allows.
    pool.end({ timeout: 0 }).catch(() => {});
  }
}
