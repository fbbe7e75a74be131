/** Reads parts of a file on disk, as files with a table of contents need. @module */

import { setImmediate } from "node:timers/promises";

/** A file that stays open until it is disposed of: what replaces it under its name changes nothing. */
export class RandomFile implements Disposable {
  readonly size: number;
  readonly #file: Deno.FsFile;
  readonly #onBytes: ((count: number) => void) | undefined;

  /**
   * @param onBytes Called with how many bytes were read.
   * @throws Error
   */
  constructor(path: string, onBytes?: (count: number) => void) {
    this.#onBytes = onBytes;
    this.#file = Deno.openSync(path);
    try {
      this.size = this.#file.statSync().size;
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  /**
   * Reads in one go, so that readers do not move each other's place.
   *
   * @throws Error when the file ends before.
   */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new Error("unexpected end of file");
    }
    const bytes = new Uint8Array(length);
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let at = 0; at < length;) {
      const count = this.#file.readSync(bytes.subarray(at));
      if (count === null) throw new Error("unexpected end of file");
      at += count;
    }
    this.#onBytes?.(length);
    return bytes;
  }

  /**
   * The same, and lets others go on: signals are heard only when nothing else is to be done.
   *
   * @throws Error when the file ends before.
   */
  async readAndRest(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = this.read(offset, length);
    await setImmediate();
    return bytes;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
