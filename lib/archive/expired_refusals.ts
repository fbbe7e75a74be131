/** Which series of futures that have expired their exchange refuses: two refusals, not at once, are a proof. @module */
import { type Series, seriesName } from "../market/series.ts";

/** Requests that were under way at the same time are refused alike: they count once. */
const APART_MS = 10_000;

export class ExpiredRefusals {
  /** When each series was refused first. Milliseconds. */
  readonly #firstMs = new Map<string, number>();

  /** Call after a refusal. Whether the series was refused twice, with no answer in between. */
  note(series: Series, nowMs: number): boolean {
    const name = seriesName(series);
    const firstMs = this.#firstMs.get(name) ?? nowMs;
    // Later than now: the clock was set back.
    this.#firstMs.set(name, Math.min(firstMs, nowMs));
    return nowMs - firstMs >= APART_MS;
  }

  /** Call after an answer. */
  forget(series: Series): void {
    this.#firstMs.delete(seriesName(series));
  }
}
