/** What the answers to one call may take: bytes of their bodies, and memory of what these become. @module */
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

/** An answer, or all answers to one call, would take too much. */
export class AnswerTooLargeError extends Error {
  override readonly name = "AnswerTooLargeError";
}

/** The budget of one call, which may send several requests. Release it when the call has ended. */
export class AnswerBudget {
  readonly bounds: AnswerBounds;
  #bytes = 0;
  #words = 0;
  #share: Promise<() => void> | undefined;
  #isOver = false;

  constructor(bounds: AnswerBounds) {
    this.bounds = bounds;
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
    this.#share ??= BODY_SHARES.take(bytesMax, signal);
    await this.#share;
  }

  /** Counts words of values that have been read. */
  addWords(words: number): void {
    this.#words += words;
  }

  /** Gives back what the call has of the memory that long answers share. */
  release(): void {
    this.#isOver = true;
    this.#share?.then((giveBack) => giveBack(), () => {});
    this.#share = undefined;
  }
}
