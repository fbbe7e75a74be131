/** The progress of an import: two lines on a terminal, elsewhere a line from time to time. @module */
import { printable } from "../text/printable.ts";
import type { ImportProgress } from "../transfer/batch_progress.ts";
import type { Shell } from "./shell.ts";
import { count, cut, duration } from "./text.ts";

/** The shortest time between two redraws. */
const DRAW_MS = 100;

/** The shortest time between two plain lines, to keep logs short. */
const LINE_MS = 30_000;

/** Until then, the rate says nothing of the time left. */
const RATE_AFTER_MS = 2_000;

export class ImportProgressLines {
  readonly #shell: Shell;
  readonly #files: number;
  readonly #bytes: number;
  readonly #beganMs: number;
  #shownMs: number;

  /** @param all What is to be imported; `bytes` 0 where that is not known. */
  constructor(shell: Shell, all: { readonly files: number; readonly bytes: number }) {
    this.#shell = shell;
    this.#files = all.files;
    this.#bytes = all.bytes;
    this.#beganMs = shell.clock.now();
    this.#shownMs = shell.canRedraw ? -Infinity : this.#beganMs;
  }

  update(progress: ImportProgress): void {
    const nowMs = this.#shell.clock.now();
    const { canRedraw, columns } = this.#shell;
    if (nowMs - this.#shownMs < (canRedraw ? DRAW_MS : LINE_MS)) return;
    this.#shownMs = nowMs;
    const figures = this.#figures(progress, nowMs);
    if (!canRedraw) return this.#shell.tell(`import: ${figures}`);
    const lines = [figures, printable(progress.path)];
    this.#shell.draw(lines.map((line) => cut(line, columns - 1)));
  }

  /** Later output stands where the lines were. */
  end(): void {
    if (this.#shell.canRedraw) this.#shell.draw([]);
  }

  /** `12 of 200 files, 34 %, 1,200,000 rows, 98,000 rows/s, 12 min left`. */
  #figures({ filesDone, bytesDone, rows }: ImportProgress, nowMs: number): string {
    const elapsedMs = nowMs - this.#beganMs;
    const share = this.#bytes === 0 ? 0 : Math.min(1, bytesDone / this.#bytes);
    const parts = [
      ...(this.#files === 1 ? [] : [`${count(filesDone)} of ${count(this.#files)} files`]),
      ...(share === 0 ? [] : [`${Math.floor(share * 100)} %`]),
      `${count(rows)} rows`,
    ];
    if (elapsedMs >= RATE_AFTER_MS) {
      const seconds = elapsedMs / 1000;
      parts.push(`${count(rows / seconds)} rows/s`);
      if (share > 0 && share < 1) {
        parts.push(`${duration((seconds * (1 - share)) / share)} left`);
      }
    }
    return parts.join(", ");
  }
}
