/** The whole candles of one exchange that are not stored yet: a few of each series, whatever the database does. @module */
import { type Series, seriesName } from "../market/series.ts";
import type { StreamedCandle } from "../store/streamed_write.ts";

/**
 * So many candles of a series may wait or be written. More come only while the database is away, too slow, or locked: the
 * exchange's answers bring them later. Each series has its own, so that one that is locked takes no other's place.
 */
const SERIES_CANDLES_MAX = 4;

export class WaitingCandles {
  /** By series and open time: of one candle only the newest values. */
  readonly #waiting = new Map<string, Map<number, StreamedCandle>>();
  /** How many of each series are being written. */
  readonly #writing = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#writing.size === 0;
  }

  /** Lets a candle wait. False if as many of its series wait or are written as may. */
  put(one: StreamedCandle): boolean {
    const name = seriesName(one.series);
    const { openTimeMs } = one.candle;
    const own = this.#waiting.get(name) ?? new Map<number, StreamedCandle>();
    const isFull = own.size + (this.#writing.get(name) ?? 0) >= SERIES_CANDLES_MAX;
    if (isFull && !own.has(openTimeMs)) return false;
    this.#waiting.set(name, own.set(openTimeMs, one));
    return true;
  }

  /** Takes all that wait. Each counts until {@linkcode WaitingCandles.settle} is called with it. */
  take(): readonly StreamedCandle[] {
    const taken = [...this.#waiting.values()].flatMap((own) => [...own.values()]);
    for (const [name, own] of this.#waiting) {
      this.#writing.set(name, (this.#writing.get(name) ?? 0) + own.size);
    }
    this.#waiting.clear();
    return taken;
  }

  /** Call when the write of a candle has ended. One that is to be written again waits again, unless newer values do. */
  settle(one: StreamedCandle, { isAgain }: { readonly isAgain: boolean }): void {
    const name = seriesName(one.series);
    const writing = (this.#writing.get(name) ?? 0) - 1;
    if (writing > 0) this.#writing.set(name, writing);
    else this.#writing.delete(name);
    const isOld = this.#waiting.get(name)?.has(one.candle.openTimeMs) === true;
    if (isAgain && !isOld) this.put(one);
  }

  /** Drops what waits of a series. */
  leave(series: Series): void {
    this.#waiting.delete(seriesName(series));
  }
}
