/** Since when polls of an exchange are skipped, because those before have not ended. @module */

/** Polls that take a little longer than the time between two are skipped every other time: so long a pause ends it. */
const PAUSE_MS = 5 * 60_000;

/** What is known of the skipped polls of one exchange, since this process has begun to poll it. */
export class SkippedPolls {
  #firstNotedMs: number | undefined;
  #firstMs: number | undefined;
  #newestMs = -Infinity;

  /** Call once a tick. */
  note(nowMs: number, isSkipped: boolean): void {
    this.#firstNotedMs ??= nowMs;
    if (!isSkipped) return;
    if (!this.#lasts(nowMs)) this.#firstMs = nowMs;
    this.#newestMs = nowMs;
  }

  /** Call while none are begun here at all. */
  forget(): void {
    this.#firstNotedMs = this.#firstMs = undefined;
    this.#newestMs = -Infinity;
  }

  /** Since when, in milliseconds; undefined when none are skipped; `unknown` right after the start. */
  since(nowMs: number): number | "unknown" | undefined {
    if (this.#lasts(nowMs)) return this.#firstMs;
    const isYoung = this.#firstNotedMs === undefined || nowMs - this.#firstNotedMs < PAUSE_MS;
    return isYoung ? "unknown" : undefined;
  }

  #lasts(nowMs: number): boolean {
    // Less than nothing where the clock was set back.
    return Math.abs(nowMs - this.#newestMs) < PAUSE_MS;
  }
}
