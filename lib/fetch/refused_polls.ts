/** Series whose polls are refused, such as delisted ones: they are polled again at growing intervals. @module */
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { type Series, seriesName } from "../market/series.ts";

/** One refusal proves nothing: a series is left alone from this many ticks in a row on. */
const REFUSED_TICKS = 3;

/** A series whose refusal stays is polled again after this delay. The delay doubles up to the maximum. */
const REFUSED_DELAY_MS = 60_000;
const REFUSED_DELAY_MS_MAX = 60 * 60_000;

interface RefusedPoll {
  readonly ticks: number;
  readonly nextTryMs: number;
}

/** Remembers refusals, each of one client: one with other options is asked at once. */
export class RefusedPolls {
  readonly #refused = new WeakMap<ArchivedExchange, Map<string, RefusedPoll>>();

  isLeftAlone(exchange: ArchivedExchange, series: Series, nowMs: number): boolean {
    return nowMs < (this.#refused.get(exchange)?.get(seriesName(series))?.nextTryMs ?? 0);
  }

  /** Call after a refusal that will come again, or would if it stays. */
  note(exchange: ArchivedExchange, series: Series, nowMs: number): void {
    const ofExchange = this.#refused.get(exchange) ?? new Map<string, RefusedPoll>();
    this.#refused.set(exchange, ofExchange);
    const ticks = (ofExchange.get(seriesName(series))?.ticks ?? 0) + 1;
    const delayMs = ticks < REFUSED_TICKS
      ? 0
      : Math.min(REFUSED_DELAY_MS * 2 ** (ticks - REFUSED_TICKS), REFUSED_DELAY_MS_MAX);
    ofExchange.set(seriesName(series), { ticks, nextTryMs: nowMs + delayMs });
  }

  /** Call after an answer. */
  forget(exchange: ArchivedExchange, series: Series): void {
    this.#refused.get(exchange)?.delete(seriesName(series));
  }
}
