/** Adds up how far an import of many files has come. @module */
import type { ListedFile } from "./file_list.ts";

/** How far an import of files has come. */
export interface ImportProgress {
  readonly filesDone: number;
  /** Rows that were stored, or compared with what is stored. */
  readonly rows: number;
  /** Bytes of the files that are done, and about as many of the others as were read. */
  readonly bytesDone: number;
  /** The file that was last heard of. */
  readonly path: string;
}

/** How often a file is read: its columns are proved, its rows are judged, and then they are stored. */
const READINGS = 3;

/** A file is done when its last row is stored, not before. */
const READ_SHARE_MAX = 0.99;

/** A file that is being read. */
interface ReadFile {
  readonly file: ListedFile;
  bytes: number;
  rows: number;
}

export class BatchProgress {
  readonly #onProgress: (progress: ImportProgress) => void;
  readonly #reading = new Map<number, ReadFile>();
  #filesDone = 0;
  #bytesDone = 0;
  /** Of tables that are done. */
  #rowsDone = 0;

  constructor(onProgress: (progress: ImportProgress) => void) {
    this.#onProgress = onProgress;
  }

  enter(at: number, file: ListedFile): void {
    this.#reading.set(at, { file, bytes: 0, rows: 0 });
    this.#tell(file.path);
  }

  addBytes(at: number, count: number): void {
    const read = this.#reading.get(at);
    if (read === undefined) return;
    read.bytes += count;
    this.#tell(read.file.path);
  }

  /** So many rows of the table that is being stored were read so far. */
  setRows(at: number, rows: number): void {
    const read = this.#reading.get(at);
    if (read === undefined) return;
    read.rows = rows;
    this.#tell(read.file.path);
  }

  endTable(at: number): void {
    this.#rowsDone += this.#reading.get(at)?.rows ?? 0;
    this.setRows(at, 0);
  }

  end(at: number): void {
    const read = this.#reading.get(at);
    if (read === undefined) return;
    this.#reading.delete(at);
    this.#filesDone++;
    this.#bytesDone += read.file.bytes;
    this.#tell(read.file.path);
  }

  #tell(path: string): void {
    let [rows, bytesDone] = [this.#rowsDone, this.#bytesDone];
    for (const read of this.#reading.values()) {
      rows += read.rows;
      bytesDone += Math.min(read.bytes / READINGS, read.file.bytes * READ_SHARE_MAX);
    }
    this.#onProgress({ filesDone: this.#filesDone, rows, bytesDone, path });
  }
}
