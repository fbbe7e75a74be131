/** At most so many pieces of work run at once. Others wait in order, and too many are refused. @module */

/** As many wait already as may. */
export class NoSlotError extends Error {
  override readonly name = "NoSlotError";
  constructor(waitingMax: number) {
    super(`Cannot wait for a turn: ${waitingMax} wait already`);
  }
}

interface SlotsOptions {
  /** How many run at once. */
  readonly atOnce: number;
  /**
   * How many may wait.
   *
   * @default no limit, where the callers are limited
   */
  readonly waitingMax?: number;
}

interface TakeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly isNext?: boolean;
}

interface Waiter {
  readonly admit: () => void;
  readonly refuse: (reason: unknown) => void;
}

export class Slots {
  readonly #waitingMax: number;
  #free: number;
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiter>();

  constructor({ atOnce, waitingMax = Infinity }: SlotsOptions) {
    this.#free = atOnce;
    this.#waitingMax = waitingMax;
  }

  /** Whether work would begin without waiting. */
  get isFree(): boolean {
    return this.#free > 0;
  }

  /**
   * Runs `fn` when a slot is free. The slot is free again when `fn` has ended, whatever became of its caller.
   *
   * @throws NoSlotError when too many wait already.
   * @throws the reason of `signal` when it aborts before `fn` has begun.
   */
  async run<T>(
    fn: () => Promise<T>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    await this.take(options);
    try {
      return await fn();
    } finally {
      this.giveBack();
    }
  }

  /**
   * Waits for a slot, which the caller must give back.
   *
   * @param options.isNext whether it comes before all that wait already.
   * @throws as `run` does.
   */
  async take({ signal, isNext = false }: TakeOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    if (this.#waiting.size >= this.#waitingMax) throw new NoSlotError(this.#waitingMax);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { admit: resolve, refuse: reject };
    const leave = (): void => {
      if (this.#waiting.delete(waiter)) reject(signal?.reason);
    };
    const behind = isNext ? [...this.#waiting] : [];
    for (const other of behind) this.#waiting.delete(other);
    for (const one of [waiter, ...behind]) this.#waiting.add(one);
    signal?.addEventListener("abort", leave, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
    if (signal?.aborted !== true) return;
    this.giveBack();
    throw signal.reason;
  }

  giveBack(): void {
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter);
      waiter.admit();
      return;
    }
    this.#free++;
  }

  /** Ends the wait of all that wait now. */
  refuseWaiting(reason: unknown): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { refuse } of waiting) refuse(reason);
  }
}
