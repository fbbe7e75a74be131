/** Stores what streams tell: whole candles, a moment after their close. An exchange's answers confirm them later. @module */
import type { Archive } from "../archive/archive.ts";
import type { FreshSeries } from "../archive/fresh_series.ts";
import { unstreamedWhy } from "../config/exchange_settings.ts";
import type { Series } from "../market/series.ts";
import { isServerAway, StoreError } from "../store/connection/store_error.ts";
import { type StreamedCandle, writeStreamed } from "../store/streamed_write.ts";
import { ExchangeStream } from "./exchange_stream.ts";
import type { FormingCandle } from "./forming.ts";
import type { StreamSource } from "./stream_source.ts";
import { type StreamState, UNOPENED } from "./stream_state.ts";

/** Candles of all exchanges that close at the same time are stored together: waiting this long costs no one anything. */
const BEAT_MS = 100;

/** A database that did not take candles is tried again after this. */
const RETRY_MS = 1_000;

/** The streams of an archive. Begun by the first poll that has markets, and stopped before the database is closed. */
export class Live implements FreshSeries {
  readonly #archive: Archive;
  readonly #source: StreamSource;
  readonly #streams = new Map<string, ExchangeStream>();
  readonly #stopping = new AbortController();
  /** Exchanges of which was told that they have no streams. */
  readonly #lacking = new Set<string>();
  #isFailing = false;
  #storing: Promise<void> | undefined;

  constructor(archive: Archive, source: StreamSource) {
    this.#archive = archive;
    this.#source = source;
  }

  follow(): void {
    if (this.#stopping.signal.aborted) return;
    const wanted = this.#archive.exchanges.filter(({ id }) =>
      this.#source.isWanted(id) && !this.#lacks(id)
    );
    for (const [id, stream] of this.#streams) {
      if (wanted.includes(stream.exchange)) continue;
      this.#streams.delete(id);
      void stream.close();
    }
    for (const exchange of wanted) {
      if (exchange.markets.value === undefined) continue;
      const stream = this.#streams.get(exchange.id) ??
        new ExchangeStream(this.#archive, exchange, this.#source);
      this.#streams.set(exchange.id, stream);
      stream.follow();
    }
    if (this.#streams.size > 0) this.#storing ??= this.#storeAll();
  }

  isFresh(series: Series, nowMs: number): boolean {
    return this.#streams.get(series.exchange)?.isFresh(series, nowMs) ?? false;
  }

  /** The candle of a series that forms now; undefined when no stream has told of it. */
  forming(series: Series): FormingCandle | undefined {
    return this.#streams.get(series.exchange)?.forming(series);
  }

  /** How the streams of an exchange are. */
  state(exchange: string): StreamState {
    const { config } = this.#archive;
    const why = this.#source.isWanted(exchange)
      ? this.#source.lackOf(exchange)
      : unstreamedWhy(config, exchange);
    if (why !== undefined) return { kind: "off", why };
    return this.#streams.get(exchange)?.state() ?? UNOPENED;
  }

  noteAnswer(series: Series, { addedFromMs }: Parameters<FreshSeries["noteAnswer"]>[1]): void {
    this.#streams.get(series.exchange)?.noteAnswer(series, addedFromMs);
  }

  /** Ends all streams, and the write that is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#streams.values()].map((stream) => stream.close()));
    await this.#storing;
  }

  async #storeAll(): Promise<void> {
    const { clock } = this.#archive;
    const { signal } = this.#stopping;
    try {
      for (;;) {
        await clock.sleep(BEAT_MS, { signal });
        const isStored = await this.#storeDue();
        if (!isStored) await clock.sleep(RETRY_MS, { signal });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Stores what is whole by now, in one statement for each table. Returns whether the database took it. */
  async #storeDue(): Promise<boolean> {
    const nowMs = this.#archive.clock.now();
    const due = [...this.#streams.values()].flatMap((stream) => stream.take(nowMs));
    let isStored = true;
    for (const candles of Map.groupBy(due, ({ series }) => series.timeframe.text).values()) {
      try {
        this.#note(candles, await writeStreamed(this.#archive.database, candles));
        this.#isFailing = false;
      } catch (error) {
        isStored = false;
        this.#fail(candles, error);
      }
    }
    for (const stream of this.#streams.values()) stream.tell();
    return isStored;
  }

  #note(
    candles: readonly StreamedCandle[],
    outcomes: Awaited<ReturnType<typeof writeStreamed>>,
  ): void {
    const { metrics } = this.#archive;
    candles.forEach((one, at) => {
      const { exchange, symbol, timeframe } = one.series;
      if (outcomes[at] === "left") return;
      const ageMs = this.#streams.get(exchange)?.noteStored(one) ?? 0;
      if (outcomes[at] !== "stored") return;
      metrics.streamCandles.inc({ exchange, outcome: "stored" });
      metrics.candlesWritten.inc({ exchange });
      metrics.candleAgeSeconds.observe({ exchange }, ageMs / 1000);
      const labels = { exchange, symbol, timeframe: timeframe.text };
      metrics.lastClosedCandleSeconds.set(labels, one.candle.openTimeMs / 1000);
    });
  }

  /** Keeps candles that were not stored, while the database is away. What it refuses is left to answers. */
  #fail(candles: readonly StreamedCandle[], error: unknown): void {
    const isAway = error instanceof StoreError && error.kind === "unavailable";
    const level = this.#isFailing || isServerAway(error) ? "debug" : "warn";
    this.#isFailing = true;
    this.#archive.log[level]("streamed candles were not stored", {
      candles: candles.length,
      willTryAgain: isAway,
      error,
    });
    if (!isAway) return;
    for (const [exchange, own] of Map.groupBy(candles, ({ series }) => series.exchange)) {
      this.#streams.get(exchange)?.giveBack(own);
    }
  }

  #lacks(id: string): boolean {
    const why = this.#source.lackOf(id);
    if (why === undefined) return false;
    if (!this.#lacking.has(id)) {
      this.#lacking.add(id);
      this.#archive.log.info("an exchange's candles are not streamed", { exchange: id, why });
    }
    return true;
  }
}
