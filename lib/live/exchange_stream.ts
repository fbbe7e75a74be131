/** The streams of one exchange: what they tell, and the whole candles that wait to be stored. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import type { Config } from "../config/config.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import type { StreamEvent } from "../exchange/stream_event.ts";
import type { Candle } from "../market/candle.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles, closedUntil, parseTimeframe } from "../market/timeframe.ts";
import type { StreamedCandle } from "../store/streamed_write.ts";
import { type FormingCandle, FormingCandles } from "./forming.ts";
import type { OpenStreams, StreamSource } from "./stream_source.ts";
import { type StreamState, StreamWatch } from "./stream_state.ts";
import { WholeCandles } from "./whole_candles.ts";

/** So many candles of each series may wait to be stored: more come only while the database is away, or too slow. */
const WAITING_PER_SERIES = 4;

/** A stream has told of a candle so long after its close, or not at all. */
const GRACE_MS = 5_000;

/** After so many misses in a row a series needs as many answers without one, before it is polled less again. */
const MISSED_MAX = 3;

export class ExchangeStream {
  readonly exchange: ArchivedExchange;
  readonly #archive: Archive;
  readonly #streams: OpenStreams;
  readonly #whole = new WholeCandles();
  readonly #forming = new FormingCandles();
  #series = new Map<string, Series>();
  /** The whole candles that are not stored yet, by series and time: of one candle only the newest values. */
  #waiting = new Map<string, StreamedCandle>();
  /** Until when each series is told of. Milliseconds. */
  readonly #toldUntilMs = new Map<string, number>();
  /** How many candles in a row an open stream lacked. */
  readonly #missed = new Map<string, number>();
  readonly #watch: StreamWatch;
  /** By what it was told last what to stream. */
  #followed: { readonly markets: Markets; readonly config: Config } | undefined;

  constructor(archive: Archive, exchange: ArchivedExchange, source: StreamSource) {
    this.#archive = archive;
    this.exchange = exchange;
    this.#watch = new StreamWatch(archive.clock.now());
    this.#streams = source.open(exchange.id, (event) => this.#note(event));
  }

  /**
   * Streams what is polled of the markets in force. The polls of all exchanges call it at the begin of a tick, when every
   * request is to leave at once: nothing is done where neither markets nor settings are new.
   */
  follow(): void {
    const { exchange: { id, markets: { value } } } = this;
    const { config } = this.#archive;
    if (value === undefined) return;
    if (value === this.#followed?.markets && config === this.#followed.config) return;
    this.#followed = { markets: value, config };
    const polled = new Set(settingsOf(config, id).timeframes);
    const series = value.series.filter(({ symbol, timeframe }) =>
      polled.has(timeframe.text) && !value.suspended.has(symbol)
    );
    const before = this.#series;
    this.#series = new Map(series.map((one) => [seriesName(one), one]));
    for (const [name, one] of before) if (!this.#series.has(name)) this.#forming.leave(one);
    this.#streams.subscribe(series.flatMap(({ symbol, timeframe }) => {
      const market = value.list.get(symbol);
      return market === undefined ? [] : [{ symbol, timeframe: timeframe.text, market }];
    }));
    this.tell();
  }

  /** Whether the newest candle that has closed was told of, and answers had none that was not. */
  isFresh(series: Series, nowMs: number): boolean {
    const name = seriesName(series);
    if (this.#whole.sinceMs(series) === undefined || (this.#missed.get(name) ?? 0) > 0) {
      return false;
    }
    const toldMs = this.#toldUntilMs.get(name) ?? -Infinity;
    return closedUntil(series.timeframe, nowMs - GRACE_MS) <= toldMs;
  }

  /** The candle of a series that forms now, as the stream told of it last. */
  forming(series: Series): FormingCandle | undefined {
    return this.#forming.of(series, this.#archive.clock.now());
  }

  /** Counts a candle that an answer had and the open stream had not told of. */
  noteAnswer(series: Series, addedFromMs: number | undefined): void {
    const name = seriesName(series);
    const sinceMs = this.#whole.sinceMs(series);
    if (sinceMs === undefined) return;
    const missed = this.#missed.get(name) ?? 0;
    const isMissed = addedFromMs !== undefined && addedFromMs >= sinceMs &&
      addCandles(series.timeframe, addedFromMs, 1) + GRACE_MS <= this.#archive.clock.now();
    this.#missed.set(name, isMissed ? Math.min(missed + 1, MISSED_MAX) : Math.max(missed - 1, 0));
    if (!isMissed) return;
    this.#archive.metrics.streamCandles.inc({ exchange: this.exchange.id, outcome: "missed" });
  }

  /** Takes all candles that are whole by now. The caller stores them, or gives them back. */
  take(nowMs: number): readonly StreamedCandle[] {
    for (const { series, candle } of this.#whole.due(nowMs)) this.#put(series, candle);
    const taken = [...this.#waiting.values()];
    this.#waiting = new Map();
    return taken;
  }

  /** Gives back candles that were not stored. Values that came meanwhile are newer. */
  giveBack(candles: readonly StreamedCandle[]): void {
    const newer = this.#waiting;
    this.#waiting = new Map(candles.map((one) => [keyOf(one.series, one.candle), one]));
    for (const [key, one] of newer) this.#waiting.set(key, one);
  }

  /** Notes that a candle is in the archive. Returns how old it was. */
  noteStored({ series, candle }: StreamedCandle): number {
    const untilMs = addCandles(series.timeframe, candle.openTimeMs, 1);
    const name = seriesName(series);
    this.#toldUntilMs.set(name, Math.max(untilMs, this.#toldUntilMs.get(name) ?? -Infinity));
    return this.#archive.clock.now() - untilMs;
  }

  /** Tells the metrics. */
  tell(): void {
    const { clock, metrics } = this.#archive;
    const labels = { exchange: this.exchange.id };
    const counts = this.#streams.counts();
    metrics.streamMessages.inc(labels, this.#watch.count(counts, clock.now()));
    metrics.streamUp.set(labels, this.#watch.state(counts).kind === "up" ? 1 : 0);
  }

  /** How it is now. */
  state(): StreamState {
    this.tell();
    return this.#watch.state(this.#streams.counts());
  }

  async close(): Promise<void> {
    await this.#streams.close();
    this.#archive.metrics.streamUp.remove({ exchange: this.exchange.id });
  }

  #note(event: StreamEvent): void {
    const { clock, log, metrics } = this.#archive;
    const exchange = this.exchange.id;
    if (event.kind === "ended") {
      const { reason, why } = event;
      metrics.streamEnds.inc({ exchange, reason });
      this.#watch.end({ atMs: clock.now(), reason, why });
      log.debug("a stream has ended", { exchange, reason, why });
      for (const one of event.series) this.#leave(seriesOf(exchange, one));
      return;
    }
    const series = seriesOf(exchange, event);
    if (event.kind === "refused") {
      log.debug("a series is not streamed", { series: seriesName(series), why: event.why });
      this.#leave(series);
    } else if (event.kind === "subscribed") {
      this.#whole.follow(series, { connection: event.connection, nowMs: clock.now() });
    } else {
      if (this.#series.has(seriesName(series))) this.#forming.note({ ...event, series });
      const noted = this.#whole.note({ ...event, series });
      if (noted === undefined) return;
      if ("reason" in noted) metrics.candlesRejected.inc({ exchange, reason: noted.reason });
      else if (!this.#put(series, noted.candle)) {
        log.warn("an exchange's stream is faster than the database: it is opened anew", {
          exchange,
          waiting: this.#waiting.size,
        });
        this.#streams.end(event.connection, "backpressure");
      }
    }
  }

  #leave(series: Series): void {
    this.#whole.leave(series);
    this.#forming.leave(series);
  }

  /** Lets a candle wait to be stored, unless too many wait. */
  #put(series: Series, candle: Candle): boolean {
    // What is not wished any more may come for a moment.
    if (!this.#series.has(seriesName(series))) return true;
    const key = keyOf(series, candle);
    const hasRoom = this.#waiting.size < WAITING_PER_SERIES * this.#series.size;
    if (!hasRoom && !this.#waiting.has(key)) return false;
    const marketId = this.exchange.markets.value?.list.get(series.symbol)?.id;
    this.#waiting.set(key, { series, candle, marketId });
    return true;
  }
}

function seriesOf(
  exchange: string,
  { symbol, timeframe }: { readonly symbol: string; readonly timeframe: string },
): Series {
  return { exchange, symbol, timeframe: parseTimeframe(timeframe) };
}

function keyOf(series: Series, { openTimeMs }: Candle): string {
  return `${seriesName(series)} ${openTimeMs}`;
}
