/** Runs as many statements at once as a server has room for connections. @module */
import type { Clock } from "../../clock.ts";
import { codeOf } from "./store_error.ts";

/** After this time it is tried whether there is room for more again. */
const CROWDED_MS = 60_000;

/**
 * Called when a connection was refused, with how many others there are at work. Resolves to whether it is worth trying
 * again.
 */
export type MakeRoom = (others: number) => Promise<boolean>;

/**
 * A role, a database or a server that lets in fewer connections than `DB_POOL_MAX` refuses the others. What would have
 * run on them waits for those that there are.
 */
export class ConnectionRoom {
  readonly #clock: Clock;
  readonly #waitMsMax: number;
  readonly #makeRoom: MakeRoom;
  #running = 0;
  #most = Infinity;
  #crowdedMs = -Infinity;
  /** How the server refused a connection last. */
  #refusal: unknown;
  readonly #waiting = new Set<PromiseWithResolvers<void>>();

  constructor({ clock, waitMsMax, makeRoom = () => Promise.resolve(false) }: {
    readonly clock: Clock;
    readonly waitMsMax: number;
    /** @default nothing can be done */
    readonly makeRoom?: MakeRoom | undefined;
  }) {
    this.#clock = clock;
    this.#waitMsMax = waitMsMax;
    this.#makeRoom = makeRoom;
  }

  /**
   * Runs the work as soon as there is room.
   *
   * @throws what the work throws, and the server's refusal when there is no other connection to wait for, or when none
   * was free for `waitMsMax`.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    for (let isAgain = false;;) {
      await this.#enter();
      try {
        return await work();
      } catch (error) {
        if (!isCrowded(error)) throw error;
        if (await this.#makeRoom(this.#running - 1)) continue;
        const others = this.#running - 1;
        if (others === 0 && isAgain) throw error;
        // Once more without others: one may have ended meanwhile, whose connection is free now.
        isAgain = others === 0;
        this.#most = Math.min(this.#limit(), Math.max(others, 1));
        this.#crowdedMs = this.#clock.now();
        this.#refusal = error;
      } finally {
        this.#leave();
      }
    }
  }

  #limit(): number {
    const passedMs = this.#clock.now() - this.#crowdedMs;
    return passedMs >= 0 && passedMs < CROWDED_MS ? this.#most : Infinity;
  }

  async #enter(): Promise<void> {
    if (this.#running < this.#limit()) {
      this.#running++;
      return;
    }
    const turn = Promise.withResolvers<void>();
    this.#waiting.add(turn);
    const timer = new AbortController();
    this.#clock.sleep(this.#waitMsMax, { signal: timer.signal }).then(() => {
      if (this.#waiting.delete(turn)) turn.reject(this.#refusal);
    }, () => {});
    await turn.promise.finally(() => timer.abort());
  }

  #leave(): void {
    this.#running--;
    for (const turn of this.#waiting) {
      if (this.#running >= this.#limit()) return;
      this.#running++;
      this.#waiting.delete(turn);
      turn.resolve();
    }
  }
}

/** 53300, `too_many_connections`. */
export function isCrowded(error: unknown): boolean {
  return codeOf(error) === "53300";
}
