/** The streams of one exchange: what they tell, and the whole candles that wait to be stored. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { type Markets, streamedSeries, withMarkets } from "../archive/markets_in_force.ts";
import type { Config } from "../config/config.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import type { StreamEvent } from "../exchange/stream_event.ts";
import type { Candle } from "../market/candle.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles, closedUntil, parseTimeframe } from "../market/timeframe.ts";
import type { StreamedCandle, StreamedOutcome } from "../store/streamed_write.ts";
import { type FormingCandle, FormingCandles } from "./forming.ts";
import type { OpenStreams, StreamSource } from "./stream_source.ts";
import { NOTHING_STREAMED, type StreamState, StreamWatch } from "./stream_state.ts";
import { WaitingCandles } from "./waiting_candles.ts";
import { WholeCandles } from "./whole_candles.ts";

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
  readonly #waiting = new WaitingCandles();
  /** Whether it was told that candles are dropped, since the database last took all. */
  #isDropping = false;
  #isClosed = false;
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
   * Streams what this node polls of the markets in force. The polls of all exchanges call it at the begin of a tick, when every
   * request is to leave at once: nothing is done where neither markets nor settings are new, nor what this node holds.
   */
  follow(): void {
    const { exchange: { id, share: { markets: value } } } = this;
    const { config } = this.#archive;
    if (value === undefined) return;
    if (value === this.#followed?.markets && config === this.#followed.config) return;
    this.#followed = { markets: value, config };
    const series = streamedSeries(value, settingsOf(config, id));
    const before = this.#series;
    this.#series = new Map(series.map((one) => [seriesName(one), one]));
    for (const [name, one] of before) {
      if (this.#series.has(name)) continue;
      this.#leave(one);
      this.#waiting.leave(one);
      this.#toldUntilMs.delete(name);
      this.#missed.delete(name);
    }
    this.#streams.subscribe(withMarkets(series, value));
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

  /** Lets candles wait that are whole by now. Call often. */
  look(): void {
    for (const { series, candle } of this.#whole.due(this.#archive.clock.now())) {
      this.#put(series, candle);
    }
  }

  /** Takes all candles that wait to be stored. Call {@linkcode ExchangeStream.settle} with each. */
  take(): readonly StreamedCandle[] {
    if (this.#waiting.isEmpty) this.#isDropping = false;
    return this.#waiting.take();
  }

  /** Notes what became of a candle that was taken: `away` where the database was, and `refused` where it never takes it. */
  settle(one: StreamedCandle, outcome: StreamedOutcome | "away" | "refused"): void {
    const isWished = this.#series.has(seriesName(one.series)) && !this.#isClosed;
    const isAgain = outcome === "away" || outcome === "locked";
    this.#waiting.settle(one, { isAgain: isAgain && isWished });
    if (!isWished || isAgain || outcome === "left") return;
    if (outcome === "refused") return this.#drop(one.series);
    this.#noteTold(one, outcome);
  }

  #noteTold({ series, candle }: StreamedCandle, outcome: StreamedOutcome): void {
    const { clock, metrics } = this.#archive;
    const untilMs = addCandles(series.timeframe, candle.openTimeMs, 1);
    const name = seriesName(series);
    this.#toldUntilMs.set(name, Math.max(untilMs, this.#toldUntilMs.get(name) ?? -Infinity));
    if (outcome !== "stored") return;
    const { exchange, symbol, timeframe } = series;
    metrics.streamCandles.inc({ exchange, outcome: "stored" });
    metrics.candlesWritten.inc({ exchange });
    metrics.candleAgeSeconds.observe({ exchange }, (clock.now() - untilMs) / 1000);
    const labels = { exchange, symbol, timeframe: timeframe.text };
    metrics.lastClosedCandleSeconds.set(labels, candle.openTimeMs / 1000);
  }

  /** Tells the metrics. */
  tell(): void {
    if (this.#isClosed) return;
    const { clock, metrics } = this.#archive;
    const labels = { exchange: this.exchange.id };
    const counts = this.#streams.counts();
    metrics.streamMessages.inc(labels, this.#watch.count(counts, clock.now()));
    if (counts.connections === 0) metrics.streamUp.remove(labels);
    else metrics.streamUp.set(labels, this.#watch.state(counts).kind === "up" ? 1 : 0);
  }

  /** How it is now. */
  state(): StreamState {
    this.tell();
    const counts = this.#streams.counts();
    return counts.connections === 0 ? NOTHING_STREAMED : this.#watch.state(counts);
  }

  /** Ends all connections. Nothing is told of them from now on: other streams may have taken the place of these. */
  async close(): Promise<void> {
    this.tell();
    this.#isClosed = true;
    for (const { series } of this.#waiting.take()) this.#drop(series);
    this.#archive.metrics.streamUp.remove({ exchange: this.exchange.id });
    await this.#streams.close();
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
      else this.#put(series, noted.candle);
    }
  }

  #leave(series: Series): void {
    this.#whole.leave(series);
    this.#forming.leave(series);
  }

  /** Lets a candle wait to be stored. Where too many of its series wait it is left to the exchange's answers. */
  #put(series: Series, candle: Candle): void {
    // What is not wished any more may come for a moment.
    if (!this.#series.has(seriesName(series))) return;
    const { exchange: { id: exchange, markets: { value } } } = this;
    const marketId = value?.list.get(series.symbol)?.id;
    if (this.#waiting.put({ series, candle, marketId })) return;
    this.#drop(series);
    this.#archive.log[this.#isDropping ? "debug" : "warn"](
      "the database does not take an exchange's streamed candles in time: answers will bring them",
      { exchange, series: seriesName(series) },
    );
    this.#isDropping = true;
  }

  /** Leaves a candle to the exchange's answers: until one has brought it, the series is not fresh. */
  #drop(series: Series): void {
    const name = seriesName(series);
    this.#missed.set(name, Math.min((this.#missed.get(name) ?? 0) + 1, MISSED_MAX));
    this.#archive.metrics.streamCandles.inc({ exchange: this.exchange.id, outcome: "dropped" });
  }
}

function seriesOf(
  exchange: string,
  { symbol, timeframe }: { readonly symbol: string; readonly timeframe: string },
): Series {
  return { exchange, symbol, timeframe: parseTimeframe(timeframe) };
}
