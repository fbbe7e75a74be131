/** What the answers to one call may take: bytes of their bodies, and memory of what these become. @module */
import type { Clock } from "../clock.ts";
import { BODY_SHARES } from "./body_shares.ts";

export interface AnswerBounds {
  /** Bytes of all bodies of a call, unpacked. */
  readonly bytesMax: number;
  /** Memory of the values that the bodies hold, in words of eight bytes. See {@linkcode WORDS}. */
  readonly wordsMax: number;
  /** Entries of one list, or of one object. */
  readonly entriesMax: number;
}

const MIB = 1024 * 1024;

/**
 * - Candles: the longest known pages have 10,000 rows of 6 values, 1 MiB and 250,000 words, and some exchanges send more
 *   than was asked for.
 * - Lists of markets and tickers: Binance's markets are the longest known, 3,500 of about 210 texts, 16 MiB and six
 *   million words. More than 5,000 markets of one exchange are not known.
 */
export const ANSWER_BOUNDS = {
  candles: { bytesMax: 8 * MIB, wordsMax: 1_500_000, entriesMax: 50_000 },
  lists: { bytesMax: 24 * MIB, wordsMax: 8_000_000, entriesMax: 8_000 },
} as const satisfies Readonly<Record<string, AnswerBounds>>;

/** A longer text or number is of no use here, and CCXT would go through it many times. */
export const TEXT_CHARACTERS_MAX = 64 * 1024;

/** No exchange nests its answers deeper than ten levels. */
export const DEPTH_MAX = 32;

/**
 * About how many words of memory a value takes in V8, with its place in a list or object. The characters of a text come on
 * top, eight in a word.
 */
export const WORDS = { list: 7, object: 8, name: 3, text: 4, other: 2 } as const;

/**
 * A call with shorter answers than this never waits for others. Pages of candles are shorter, and so are most lists of
 * markets.
 */
const FREE_BYTES_MAX = MIB;

/**
 * While others wait for its share, a call with a long answer must get at least so much in this time, 13 kB a second: with
 * less, its list of markets would not come before its deadline either. Without this, an exchange that stops in the middle
 * would keep the others waiting until that.
 */
const STALL_MS = 5_000;
const STALL_BYTES = 64 * 1024;

/** An answer, or all answers to one call, would take too much. */
export class AnswerTooLargeError extends Error {
  override readonly name = "AnswerTooLargeError";
}

/** An answer did not go on while other calls waited for what it has of the memory. */
class AnswerStalledError extends Error {
  override readonly name = "AnswerStalledError";
}

/** The budget of one call, which may send several requests. Release it when the call has ended. */
export class AnswerBudget {
  readonly bounds: AnswerBounds;
  #bytes = 0;
  #words = 0;
  readonly #clock: Clock | undefined;
  #share: Promise<() => void> | undefined;
  #isOver = false;
  readonly #over = new AbortController();
  readonly #stalled = new AbortController();
  /** How many requests are under way, and how many have begun or ended. */
  #underWay = 0;
  #changes = 0;

  /** @param clock without one, a stalled answer is not noticed. */
  constructor(bounds: AnswerBounds, clock?: Clock) {
    this.bounds = bounds;
    this.#clock = clock;
  }

  /**
   * Runs a request of the call, with a signal that also aborts when the call does not go on while others wait for what it
   * has of the memory.
   */
  async request<T>(
    run: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const stalled = this.#stalled.signal;
    this.#underWay++;
    this.#changes++;
    try {
      return await run(signal === undefined ? stalled : AbortSignal.any([signal, stalled]));
    } finally {
      this.#underWay--;
      this.#changes++;
    }
  }

  /** How many words are left. */
  get wordsLeft(): number {
    return this.bounds.wordsMax - this.#words;
  }

  /**
   * Counts bytes that have been read. Long answers wait here for others of the process. They get all that they may
   * need at once, so none holds a part while it waits for the rest.
   *
   * @throws AnswerTooLargeError
   * @throws the reason of the signal when it aborts first.
   */
  async addBytes(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    this.#bytes += bytes;
    const { bytesMax } = this.bounds;
    if (this.#isOver) throw new Error("the call has ended");
    if (this.#bytes > bytesMax) {
      throw new AnswerTooLargeError(`the answer is longer than ${bytesMax} bytes`);
    }
    if (this.#bytes <= FREE_BYTES_MAX) return;
    if (this.#share === undefined) {
      this.#share = BODY_SHARES.take(bytesMax, signal);
      this.#share.then(() => this.#endIfStalled(), () => {});
    }
    await this.#share;
  }

  async #endIfStalled(): Promise<void> {
    const clock = this.#clock;
    while (clock !== undefined && !this.#isOver) {
      const [bytes, changes] = [this.#bytes, this.#changes];
      await clock.sleep(STALL_MS, this.#over).catch(() => {});
      // Between two requests the call waits for its turn, and after the last one its answers are read.
      const isWaiting = this.#underWay > 0 && this.#changes === changes;
      if (!isWaiting || this.#bytes - bytes >= STALL_BYTES || !BODY_SHARES.isWanted) continue;
      this.#stalled.abort(
        new AnswerStalledError("the answer does not go on, and other exchanges wait for it"),
      );
      return;
    }
  }

  /** Counts words of values that have been read. */
  addWords(words: number): void {
    this.#words += words;
  }

  /** Gives back what the call has of the memory that long answers share. */
  release(): void {
    this.#isOver = true;
    this.#over.abort();
    this.#share?.then((giveBack) => giveBack(), () => {});
    this.#share = undefined;
  }
}
