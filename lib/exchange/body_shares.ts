/** Limits how much memory all long answers take that are being read at once. @module */

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

/** The longest list of markets beside one long page of candles. */
const SHARED_BYTES_MAX = 32 * 1024 * 1024;

/** Shares of a number of bytes, given in the order in which they are asked for. */
export class BodyShares {
  readonly #waiting: Waiting[] = [];
  #bytesFree: number;

  constructor(bytesMax: number) {
    this.#bytesFree = bytesMax;
  }

  /** Whether somebody waits for a share. */
  get isWanted(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Waits for a share. Resolves to a function that gives it back; calling it again does nothing.
   *
   * @throws the reason of the signal when it aborts first.
   */
  async take(bytes: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { bytes, enter: resolve };
    const onAbort = (): void => {
      const at = this.#waiting.indexOf(waiting);
      if (at === -1) return;
      this.#waiting.splice(at, 1);
      reject(signal?.reason);
      this.#admit();
    };
    this.#waiting.push(waiting);
    this.#admit();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    let isGivenBack = false;
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      this.#bytesFree += bytes;
      this.#admit();
    };
  }

  /** Lets in those who wait, as long as the first one's share is free. */
  #admit(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.bytes > this.#bytesFree) return;
      this.#bytesFree -= first.bytes;
      this.#waiting.shift();
      first.enter();
    }
  }
}

/** Those of the whole process. */
export const BODY_SHARES = new BodyShares(SHARED_BYTES_MAX);
