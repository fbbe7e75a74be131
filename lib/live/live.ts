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
import { ANOTHER_NODES, type StreamState, UNOPENED } from "./stream_state.ts";

/** Candles of all exchanges that close at the same time are stored together: waiting this long costs no one anything. */
const BEAT_MS = 100;

/** A database that did not take candles is tried again after this. */
const RETRY_MS = 1_000;

/** A candle that is being written, and whose it is. */
interface TakenCandle {
  readonly stream: ExchangeStream;
  readonly candle: StreamedCandle;
}

/** The streams of an archive. Begun by the first poll that has markets, and stopped before the database is closed. */
export class Live implements FreshSeries {
  readonly #archive: Archive;
  readonly #source: StreamSource;
  readonly #streams = new Map<string, ExchangeStream>();
  readonly #stopping = new AbortController();
  /** Exchanges of which was told that they have no streams. */
  readonly #lacking = new Set<string>();
  /** Timeframes of which the last candles were not stored. */
  readonly #failing = new Set<string>();
  readonly #closings = new Set<Promise<void>>();
  #looking: Promise<void> | undefined;
  #storing: Promise<void> | undefined;

  constructor(archive: Archive, source: StreamSource) {
    this.#archive = archive;
    this.#source = source;
  }

  follow(): void {
    if (this.#stopping.signal.aborted) return;
    const wanted = this.#archive.exchanges.filter(({ id, share }) =>
      this.#source.isWanted(id) && share.mayAsk && !this.#lacks(id)
    );
    for (const [id, stream] of this.#streams) {
      if (wanted.includes(stream.exchange)) continue;
      this.#streams.delete(id);
      this.#close(stream);
    }
    for (const exchange of wanted) {
      if (exchange.markets.value === undefined) continue;
      const stream = this.#streams.get(exchange.id) ??
        new ExchangeStream(this.#archive, exchange, this.#source);
      this.#streams.set(exchange.id, stream);
      stream.follow();
    }
    if (this.#streams.size > 0) this.#looking ??= this.#lookOften();
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
    if (!this.#archive.leases.mayAsk(exchange)) return ANOTHER_NODES;
    return this.#streams.get(exchange)?.state() ?? UNOPENED;
  }

  noteAnswer(series: Series, { addedFromMs }: Parameters<FreshSeries["noteAnswer"]>[1]): void {
    this.#streams.get(series.exchange)?.noteAnswer(series, addedFromMs);
  }

  /** Ends all streams, and the write that is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const stream of this.#streams.values()) this.#close(stream);
    await Promise.all(this.#closings);
    await this.#looking;
    await this.#storing;
  }

  #close(stream: ExchangeStream): void {
    const closing = stream.close().catch((error: unknown) => {
      const { log } = this.#archive;
      log.error("streams were not closed", { exchange: stream.exchange.id, error });
    }).finally(() => this.#closings.delete(closing));
    this.#closings.add(closing);
  }

  /** However long a write takes, streams are looked at: they must know whether time has passed unwatched. */
  async #lookOften(): Promise<void> {
    const { clock } = this.#archive;
    const { signal } = this.#stopping;
    try {
      for (;;) {
        await clock.sleep(BEAT_MS, { signal });
        for (const stream of this.#streams.values()) stream.look();
        this.#storing ??= this.#store().finally(() => this.#storing = undefined);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Stores what waits, in one statement for each table, and waits for a moment if the database did not take it. */
  async #store(): Promise<void> {
    const { clock, database } = this.#archive;
    const due = [...this.#streams.values()].flatMap((stream) =>
      stream.take().map((candle) => ({ stream, candle }))
    );
    let isStored = true;
    for (
      const [timeframe, own] of Map.groupBy(due, ({ candle }) => candle.series.timeframe.text)
    ) {
      try {
        const outcomes = await writeStreamed(database, own.map(({ candle }) => candle));
        this.#failing.delete(timeframe);
        own.forEach(({ stream, candle }, at) => stream.settle(candle, outcomes[at] ?? "left"));
      } catch (error) {
        isStored = false;
        this.#fail(timeframe, own, error);
      }
    }
    for (const stream of this.#streams.values()) stream.tell();
    if (!isStored) await clock.sleep(RETRY_MS, { signal: this.#stopping.signal }).catch(() => {});
  }

  /** Keeps candles that were not stored, while the database is away. What it refuses is left to answers. */
  #fail(timeframe: string, own: readonly TakenCandle[], error: unknown): void {
    const isAway = error instanceof StoreError && error.kind === "unavailable";
    const level = this.#failing.has(timeframe) || isServerAway(error) ? "debug" : "warn";
    this.#failing.add(timeframe);
    this.#archive.log[level]("streamed candles were not stored", {
      candles: own.length,
      willTryAgain: isAway,
      error,
    });
    for (const { stream, candle } of own) stream.settle(candle, isAway ? "away" : "refused");
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
