/** Server-sent events of one series: its closed candles as they are stored, and what becomes of them. @module */
import type { Clock } from "../clock.ts";
import type { FormingCandle } from "../live/forming.ts";
import { type Series, seriesName } from "../market/series.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import type { AskedChanges, PresentCandle, SeriesChanges } from "../store/series_changes.ts";
import type { Logger } from "../telemetry/log.ts";
import { candleEntry } from "./candle_entry.ts";
import { endAtStop, hasRoom } from "./event_stream.ts";
import { type Change, type FollowedFrom, FollowedSeries } from "./followed_series.ts";
import type { ListenerSlots } from "./listener_slots.ts";

/** What the archive says of series. Reads end when their signal aborts. */
export interface FollowedArchive {
  /** @throws BadQueryError when the request names no series that is archived, or an id that was never given. */
  readonly find: (
    query: URLSearchParams,
    options: { readonly id: string | undefined; readonly signal: AbortSignal },
  ) => Promise<Followed>;
  /** Undefined when the series is not archived any more. */
  readonly changes: (
    series: Series,
    asked: AskedChanges,
    signal: AbortSignal,
  ) => Promise<SeriesChanges | undefined>;
  readonly present: (
    series: Series,
    timesMs: readonly number[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<number, PresentCandle>>;
  /** A text for each series, by its name: another one whenever something was written of it. */
  readonly marks: (
    series: readonly Series[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<string, string>>;
  /** Calls back when this process has written candles of a series. Returns what ends that. */
  readonly onWritten: (written: (series: Series) => void) => () => void;
}

/** What a listener asks for. */
export interface Followed {
  readonly series: Series;
  readonly from: FollowedFrom;
  /** Whether it is told, too, how the newest candle forms. */
  readonly isForming: boolean;
}

interface LiveFeedOptions {
  readonly archive: FollowedArchive;
  /** From memory. */
  readonly forming: (series: Series) => FormingCandle | undefined;
  readonly slots: ListenerSlots;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What this process writes is told of at once; what others write is found by this look, one small read for all listeners. */
const LOOK_MS = 5_000;

/** Exchanges tell of a candle that forms a few times a second. */
const FORMING_MS = 1_000;

/** After this time without an event a comment is sent: proxies close idle connections. */
const SILENCE_MS_MAX = 15_000;

/** A listener that reads nothing for so long is sent away. Its connection is cut off some seconds later. */
const SLOW_MS = 10_000;

const SLOW = "Read events as they come: nothing was read for 10 s. Resume with Last-Event-ID";
const GONE = "The series is not in the archive any more";

interface Listener extends Omit<Followed, "from"> {
  readonly peer: string;
  readonly followed: FollowedSeries;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** Aborts when it has gone. */
  readonly gone: AbortController;
  /** Whether something of its series may have been written that it was not told of. */
  isDue: boolean;
  mark: string | undefined;
  sentId: string | undefined;
  /** When it was sent anything the last time. */
  sentMs: number;
  /** Open time of the newest candle that it was told of as closed. */
  closedMs: number;
  formingMs: number;
  sentForming: string;
}

/** The feed of `/live`. It reads only while there are listeners. */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #listeners = new Set<Listener>();
  readonly #stop = new AbortController();
  #woken = Promise.withResolvers<void>();
  #isRunning = false;
  #isFailing = false;
  /** Nothing is read before this time, after a failure. */
  #retryMs = -Infinity;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** A stream of events; undefined when there is no slot, or after `stop`. */
  listen(
    peer: string,
    { series, from, isForming }: Followed,
  ): ReadableStream<Uint8Array> | undefined {
    if (this.#stop.signal.aborted || !this.#options.slots.take(peer)) return undefined;
    let listener: Listener;
    // One part at a time waits to be read.
    return new ReadableStream({
      start: (controller) => {
        listener = {
          ...{ peer, series, isForming, controller, isDue: true, mark: undefined },
          ...{ sentId: undefined, sentMs: this.#options.clock.now() },
          ...{ closedMs: -Infinity, formingMs: -Infinity, sentForming: "" },
          followed: new FollowedSeries(series.timeframe, from),
          gone: new AbortController(),
        };
        this.#listeners.add(listener);
        if (!this.#isRunning) void this.#run();
        else this.#woken.resolve();
      },
      pull: () => this.#woken.resolve(),
      cancel: () => this.#leave(listener),
    }, { highWaterMark: 1 });
  }

  /** Ends all streams. */
  stop(): void {
    this.#stop.abort();
    for (const listener of this.#listeners) {
      const { controller } = listener;
      this.#leave(listener);
      endAtStop(controller);
    }
  }

  async #run(): Promise<void> {
    const { archive, clock } = this.#options;
    const { signal } = this.#stop;
    this.#isRunning = true;
    const unfollow = archive.onWritten((series) => this.#noteWritten(series));
    for (let lookMs = clock.now() + LOOK_MS; this.#listeners.size > 0 && !signal.aborted;) {
      const nowMs = clock.now();
      // The clock may have been set back: nothing waits longer than it should.
      lookMs = Math.min(lookMs, nowMs + LOOK_MS);
      this.#retryMs = Math.min(this.#retryMs, nowMs + LOOK_MS);
      if (nowMs >= lookMs) {
        await this.#try(signal, () => this.#look());
        lookMs = clock.now() + LOOK_MS;
      }
      for (const listener of [...this.#listeners]) await this.#serve(listener);
      await this.#pause(lookMs);
    }
    unfollow();
    this.#isRunning = false;
  }

  #noteWritten(series: Series): void {
    const name = seriesName(series);
    for (const listener of this.#listeners) {
      if (seriesName(listener.series) !== name) continue;
      listener.isDue = true;
      this.#woken.resolve();
    }
  }

  /** Finds what other processes have written. */
  async #look(): Promise<void> {
    const series = new Map([...this.#listeners].map((one) => [seriesName(one.series), one.series]));
    const marks = await this.#options.archive.marks([...series.values()], this.#stop.signal);
    for (const listener of this.#listeners) {
      if (marks.get(seriesName(listener.series)) !== listener.mark) listener.isDue = true;
    }
  }

  /** Sends a listener the next part of what it has not been told, if it has read the one before. */
  async #serve(listener: Listener): Promise<void> {
    const nowMs = this.#options.clock.now();
    const { gone } = listener;
    if (gone.signal.aborted) return;
    listener.sentMs = Math.min(listener.sentMs, nowMs);
    listener.formingMs = Math.min(listener.formingMs, nowMs);
    if (!hasRoom(listener.controller)) {
      if (nowMs - listener.sentMs >= SLOW_MS) this.#end(listener, SLOW);
      return;
    }
    if (listener.isDue && nowMs >= this.#retryMs) {
      await this.#try(gone.signal, () => this.#tell(listener));
    }
    if (gone.signal.aborted || !hasRoom(listener.controller)) return;
    if (listener.isForming && nowMs - listener.formingMs >= FORMING_MS) this.#tellForming(listener);
    if (nowMs - listener.sentMs >= SILENCE_MS_MAX) this.#send(listener, ":\n\n");
  }

  async #tell(listener: Listener): Promise<void> {
    const { archive } = this.#options;
    const { series, followed, gone: { signal } } = listener;
    // What is written while this reads may be missing in it.
    listener.isDue = false;
    try {
      const changes = await archive.changes(series, followed.asked, signal);
      if (changes === undefined) return this.#end(listener, GONE);
      const times = followed.changed(changes);
      const present = times.length === 0
        ? new Map<number, PresentCandle>()
        : await archive.present(series, times, signal);
      if (signal.aborted) return;
      const { told, isOver } = followed.take(changes, present);
      listener.mark = changes.mark;
      if (!isOver) listener.isDue = true;
      const text = eventsText(told, { before: listener.sentId, after: followed.id });
      listener.sentId = followed.id;
      for (const { openTimeMs } of told) {
        listener.closedMs = Math.max(listener.closedMs, openTimeMs);
      }
      if (text !== "") this.#send(listener, text);
    } catch (error) {
      listener.isDue = true;
      throw error;
    }
  }

  #tellForming(listener: Listener): void {
    const forming = this.#options.forming(listener.series);
    // The stream may tell of one that is stored already.
    if (forming === undefined || forming.candle.openTimeMs <= listener.closedMs) return;
    const text = `event: forming\ndata: ${JSON.stringify(candleEntry(forming.candle))}\n\n`;
    if (text === listener.sentForming) return;
    this.#send(listener, text);
    listener.sentForming = text;
    listener.formingMs = listener.sentMs;
  }

  /** That the database is away was logged already. */
  async #try(signal: AbortSignal, read: () => Promise<void>): Promise<void> {
    try {
      await read();
      this.#isFailing = false;
    } catch (error) {
      if (signal.aborted) return;
      const { clock, log } = this.#options;
      const level = this.#isFailing || isServerAway(error) ? "debug" : "warn";
      log[level]("cannot read what followers of series are told", { error });
      this.#isFailing = true;
      this.#retryMs = clock.now() + LOOK_MS;
    }
  }

  /** Until something was written or read, or it is time for something else. */
  async #pause(lookMs: number): Promise<void> {
    const { clock } = this.#options;
    const nowMs = clock.now();
    const all = [...this.#listeners];
    if (nowMs >= this.#retryMs && all.some((one) => one.isDue && hasRoom(one.controller))) return;
    const isRestless = all.some((one) => one.isForming || !hasRoom(one.controller));
    const pauseMs = Math.min(isRestless ? FORMING_MS : LOOK_MS, Math.max(0, lookMs - nowMs));
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#stop.signal]);
    await Promise.race([this.#woken.promise, clock.sleep(pauseMs, { signal }).catch(() => {})]);
    over.abort();
    this.#woken = Promise.withResolvers();
  }

  #send(listener: Listener, text: string): void {
    listener.controller.enqueue(new TextEncoder().encode(text));
    listener.sentMs = this.#options.clock.now();
  }

  #end(listener: Listener, why: string): void {
    this.#send(listener, `event: end\ndata: ${JSON.stringify({ why })}\n\n`);
    listener.controller.close();
    this.#leave(listener);
  }

  #leave(listener: Listener): void {
    if (!this.#listeners.delete(listener)) return;
    listener.gone.abort();
    this.#options.slots.giveBack(listener.peer);
    this.#woken.resolve();
  }
}

/** With ids from which nothing is missed: the last event has the new one, those before it the one before. */
function eventsText(
  told: readonly Change[],
  { before, after }: { readonly before: string | undefined; readonly after: string },
): string {
  if (told.length === 0) return before === after ? "" : `id: ${after}\n\n`;
  return told.map(({ kind, openTimeMs, candle, isProvisional }, at) => {
    const id = at === told.length - 1 ? after : before;
    const data = candle === undefined
      ? { time: new Date(openTimeMs).toISOString() }
      : { ...candleEntry(candle), provisional: isProvisional };
    return `event: ${kind}\n${id === undefined ? "" : `id: ${id}\n`}data: ${
      JSON.stringify(data)
    }\n\n`;
  }).join("");
}
