/** Finds where the frames of a file packed by zstd end (RFC 8878), without unpacking them. @module */

const MAGIC = 0xfd2fb528;
/** `0x184d2a50` to `0x184d2a5f`: frames of other data, as seekable files have at their end. */
const SKIPPABLE = 0x184d2a5;

/**
 * Walks through the headers of frames and blocks. A decoder does not say that the end of a frame is missing, nor where the
 * next one begins.
 */
export class ZstdFrames {
  #state: "magic" | "skippable" | "descriptor" | "block" = "magic";
  /** Bytes of the header that is being read. */
  readonly #header: number[] = [];
  #skip = 0;
  #hasChecksum = false;
  #isLast = false;

  /** Whether the last byte that was read ended a frame. */
  get isAtEnd(): boolean {
    return this.#state === "magic" && this.#skip === 0 && this.#header.length === 0;
  }

  /**
   * Reads on.
   *
   * @returns How many of these bytes belong to the frame that was begun: all, or those up to its end.
   * @throws Error when they cannot be zstd.
   */
  read(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length;) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      this.#skip -= skipped;
      at += skipped;
      if (this.#skip === 0 && skipped > 0 && this.#endsFrame()) return at;
      if (at === bytes.length) break;
      this.#header.push(bytes[at++]!);
      if (this.#readHeader() && this.#skip === 0 && this.#endsFrame()) return at;
    }
    return bytes.length;
  }

  /** Whether a frame ended; then the next begins. */
  #endsFrame(): boolean {
    if (!this.#isLast) return false;
    this.#isLast = false;
    this.#state = "magic";
    return true;
  }

  /** Whether the header is complete. */
  #readHeader(): boolean {
    const header = this.#header;
    const [first = 0, second = 0, third = 0, fourth = 0] = header;
    const word = (first | second << 8 | third << 16 | fourth << 24) >>> 0;
    const length = { magic: 4, skippable: 4, descriptor: 1, block: 3 }[this.#state];
    if (header.length < length) return false;
    header.length = 0;
    switch (this.#state) {
      case "magic":
        if (word === MAGIC) this.#state = "descriptor";
        else if (word >>> 4 === SKIPPABLE) this.#state = "skippable";
        else throw new Error("what follows its packed data is not zstd");
        break;
      case "skippable":
        this.#skip = word;
        this.#isLast = true;
        break;
      case "descriptor": {
        const isSingle = (first & 0x20) !== 0;
        const contentSize = [isSingle ? 1 : 0, 2, 4, 8][first >>> 6]!;
        this.#hasChecksum = (first & 4) !== 0;
        this.#skip = (isSingle ? 0 : 1) + [0, 1, 2, 4][first & 3]! + contentSize;
        this.#state = "block";
        break;
      }
      case "block": {
        const isRepeated = (first >>> 1 & 3) === 1;
        this.#isLast = (first & 1) === 1;
        this.#skip = (isRepeated ? 1 : word >>> 3) + (this.#isLast && this.#hasChecksum ? 4 : 0);
      }
    }
    return true;
  }
}
