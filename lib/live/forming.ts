/** The newest candle that a stream has told of, for each series: it may still form. Nothing of it is stored. @module */
import { type Candle, checkRow } from "../market/candle.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import type { ToldCandle } from "./whole_candles.ts";

/** A candle as a stream told of it last. */
export interface FormingCandle {
  readonly candle: Candle;
  /** When it was told. Milliseconds. */
  readonly toldMs: number;
}

/** The clocks of exchanges may differ from ours by so much: a candle still forms, or does already. */
const CLOCKS_MS_MAX = 5_000;

/** One for each series that is streamed, so that their number is bounded. */
export class FormingCandles {
  readonly #newest = new Map<string, FormingCandle>();

  /** Takes what a stream tells. A snapshot, too, says how the newest candle looks. */
  note({ series, row, receivedMs }: ToldCandle): void {
    const { candle } = checkRow(series.timeframe, row);
    if (candle === undefined || candle.openTimeMs > receivedMs + CLOCKS_MS_MAX) return;
    const name = seriesName(series);
    const known = this.#newest.get(name)?.candle.openTimeMs ?? -Infinity;
    if (candle.openTimeMs >= known) this.#newest.set(name, { candle, toldMs: receivedMs });
  }

  /** Call when a series is not streamed (any more). */
  leave(series: Series): void {
    this.#newest.delete(seriesName(series));
  }

  /** Undefined when none was told, and when the newest has closed. */
  of(series: Series, nowMs: number): FormingCandle | undefined {
    const newest = this.#newest.get(seriesName(series));
    if (newest === undefined) return undefined;
    const closeMs = addCandles(series.timeframe, newest.candle.openTimeMs, 1);
    return closeMs + CLOCKS_MS_MAX < nowMs ? undefined : newest;
  }
}
