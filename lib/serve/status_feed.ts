/** Server-sent events: reads the status once for all listeners and sends it when it has changed. @module */
import type { Clock } from "../clock.ts";
import type { FormingCandle } from "../live/forming.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Logger } from "../telemetry/log.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import { type CandleEntry, candleEntry } from "./candle_entry.ts";
import { endAtStop, hasRoom } from "./event_stream.ts";
import type { ListenerSlots } from "./listener_slots.ts";
import type { News } from "./news.ts";
import { SchemaBehindError, type Status } from "./status.ts";

/** The JSON of one `data:` line. */
type FeedEvent =
  /** The complete status, after a change. */
  | { readonly now: string; readonly status: Status }
  /** Alerts that fire and what has happened, after a change, soon after it. */
  | { readonly now: string; readonly news: News }
  /** The candle of the listener's series that forms, after a change; null when none is known. */
  | { readonly now: string; readonly forming: CandleEntry | null }
  /** Nothing has changed. Sent to show the time and to keep the connection alive. */
  | { readonly now: string }
  /** The status could not be read, for example because the database is down. */
  | { readonly now: string; readonly error: string };

interface StatusFeedOptions {
  readonly status: (signal: AbortSignal) => Promise<Status>;
  readonly news: (signal: AbortSignal) => Promise<News>;
  /** From memory. */
  readonly forming: (series: Series) => FormingCandle | undefined;
  readonly slots: ListenerSlots;
  readonly clock: Clock;
  readonly log: Logger;
}

const INTERVAL_MS = 3_000;

/** A new listener is told after this time that the database has not answered; it may be away without an error. */
const UNANSWERED_MS = 4_000;

/** Between two looks at two small tables: a person should see within two seconds what has happened. */
const NEWS_PAUSE_MS = 1_000;

/** Exchanges tell of a candle that forms a few times a second; a person sees it move at this pace. */
const FORMING_PAUSE_MS = 1_000;

/** Reading the status takes at most this share of the time of the database's one connection, even for large archives. */
const SHARE_MAX = 1 / 20;

/**
 * The next read follows after at most this pause. On a busy database a read mostly waits for its turn, which costs
 * nothing, and the page takes a silence of a minute for a dead connection.
 */
const PAUSE_MS_MAX = 20_000;

/** After this time without a change the time is sent: proxies close idle connections, and the page shows ages. */
const SILENCE_MS_MAX = 15_000;

/** A listener that has not read an event for this many rounds is disconnected. */
const BEHIND_ROUNDS_MAX = 20;

interface Listener {
  /** Its address. */
  readonly peer: string;
  /** Of which it is told how the newest candle forms. */
  readonly series: Series | undefined;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** The last content sent to it. */
  sent: string | undefined;
  sentNews: string | undefined;
  sentForming: string | undefined;
  behindRounds: number;
}

/** The feed of `/events`. It reads the status only while there are listeners. */
export class StatusFeed {
  readonly #options: StatusFeedOptions;
  readonly #listeners = new Set<Listener>();
  readonly #stop = new AbortController();
  /** Aborted when nobody waits for the status any more that is being read. */
  #reading = new AbortController();
  /** The newest event without its time; undefined before the first one and while there are no listeners. */
  #content: string | undefined;
  #isRunning = false;
  /** The newest news; undefined before the first and while there are no listeners. */
  #news: string | undefined;
  #isReadingNews = false;
  #isTellingForming = false;

  constructor(options: StatusFeedOptions) {
    this.#options = options;
  }

  /** Number of listeners. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** A stream of events; undefined when there is no slot, or after `stop`. */
  listen(peer: string, series?: Series): ReadableStream<Uint8Array> | undefined {
    if (this.#stop.signal.aborted || !this.#options.slots.take(peer)) return undefined;
    let listener: Listener;
    // A status, news and a candle may wait to be read.
    return new ReadableStream({
      start: (controller) => {
        const unsent = { sent: undefined, sentNews: undefined, sentForming: undefined };
        listener = { peer, series, controller, ...unsent, behindRounds: 0 };
        this.#listeners.add(listener);
        this.#send(listener);
        this.#sendNews(listener);
        if (!this.#isRunning) void this.#run();
        if (!this.#isReadingNews) void this.#runNews();
        if (series !== undefined && !this.#isTellingForming) void this.#runForming();
      },
      cancel: () => {
        this.#leave(listener);
        if (this.#listeners.size === 0) this.#reading.abort();
      },
    }, { highWaterMark: series === undefined ? 2 : 3 });
  }

  /** Ends all streams. */
  stop(): void {
    this.#stop.abort();
    this.#reading.abort();
    for (const listener of this.#listeners) {
      const { controller } = listener;
      this.#leave(listener);
      endAtStop(controller);
    }
  }

  #leave(listener: Listener): void {
    if (this.#listeners.delete(listener)) this.#options.slots.giveBack(listener.peer);
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    this.#isRunning = true;
    for (let sentMs = -Infinity; this.#listeners.size > 0 && !signal.aborted;) {
      const startMs = clock.now();
      // The clock may have been set back.
      sentMs = Math.min(sentMs, startMs);
      const content = await this.#readInSight();
      if (content === undefined) continue;
      const readMs = clock.now() - startMs;
      const isBeat = content === this.#content && clock.now() - sentMs >= SILENCE_MS_MAX;
      if (isBeat || content !== this.#content) sentMs = clock.now();
      this.#content = content;
      for (const listener of this.#listeners) this.#send(listener, { isBeat });
      const pauseMs = Math.min(PAUSE_MS_MAX, Math.max(INTERVAL_MS, readMs / SHARE_MAX));
      await clock.sleep(pauseMs, { signal }).catch(() => {});
    }
    this.#content = undefined;
    this.#isRunning = false;
  }

  /** By itself, since the status of a large archive is read rarely. That news cannot be read is told of by the status. */
  async #runNews(): Promise<void> {
    const { clock, news, log } = this.#options;
    const { signal } = this.#stop;
    this.#isReadingNews = true;
    while (this.#listeners.size > 0 && !signal.aborted) {
      try {
        this.#news = JSON.stringify(await news(signal));
      } catch (error) {
        log.debug("cannot read the news", { error });
      }
      for (const listener of this.#listeners) this.#sendNews(listener);
      await clock.sleep(NEWS_PAUSE_MS, { signal }).catch(() => {});
    }
    this.#news = undefined;
    this.#isReadingNews = false;
  }

  /** Tells each listener of its series alone. */
  async #runForming(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    const ofSeries = (): readonly Listener[] =>
      [...this.#listeners].filter(({ series }) => series !== undefined);
    this.#isTellingForming = true;
    for (let all = ofSeries(); all.length > 0 && !signal.aborted; all = ofSeries()) {
      const texts = new Map<string, string>();
      for (const listener of all) {
        const name = seriesName(listener.series!);
        const text = texts.get(name) ?? this.#formingText(listener.series!);
        texts.set(name, text);
        if (!hasRoom(listener.controller) || text === listener.sentForming) continue;
        this.#enqueue(listener, `"forming":${text}`);
        listener.sentForming = text;
      }
      await clock.sleep(FORMING_PAUSE_MS, { signal }).catch(() => {});
    }
    this.#isTellingForming = false;
  }

  #formingText(series: Series): string {
    const forming = this.#options.forming(series);
    return JSON.stringify(forming === undefined ? null : candleEntry(forming.candle));
  }

  #sendNews(listener: Listener): void {
    const news = this.#news;
    // One that is slow gets the newest later.
    if (news === undefined || news === listener.sentNews || !hasRoom(listener.controller)) return;
    this.#enqueue(listener, `"news":${news}`);
    listener.sentNews = news;
  }

  /** While nothing was read yet, listeners learn when it takes long. */
  async #readInSight(): Promise<string | undefined> {
    if (this.#content !== undefined) return await this.#read();
    const answered = new AbortController();
    const signal = AbortSignal.any([answered.signal, this.#stop.signal]);
    this.#options.clock.sleep(UNANSWERED_MS, { signal }).then(() => {
      this.#content = `"error":"The database has not answered yet"`;
      for (const listener of this.#listeners) this.#send(listener);
    }, () => {});
    try {
      return await this.#read();
    } finally {
      answered.abort();
    }
  }

  /** Undefined when it was ended, because all listeners had gone. */
  async #read(): Promise<string | undefined> {
    const { signal } = this.#reading = new AbortController();
    try {
      return `"status":${JSON.stringify(calm(await this.#options.status(signal)))}`;
    } catch (error) {
      if (signal.aborted) return undefined;
      // That it is away was logged already, once.
      if (isServerAway(error)) return `"error":"The database cannot be reached. Trying again"`;
      if (error instanceof SchemaBehindError) {
        return `"error":${JSON.stringify(`Cannot read the status: ${error.message}`)}`;
      }
      const content = `"error":"Cannot read the status: see the log"`;
      if (this.#content !== content) this.#options.log.warn("cannot read the status", { error });
      return content;
    }
  }

  /** Sends the newest event. A slow listener may miss events: each one contains the complete status. */
  #send(listener: Listener, { isBeat = false } = {}): void {
    const content = this.#content;
    const isNew = content !== undefined && listener.sent !== content;
    if (!isNew && !isBeat) return;
    if (!hasRoom(listener.controller)) {
      listener.behindRounds++;
      if (listener.behindRounds < BEHIND_ROUNDS_MAX) return;
      this.#leave(listener);
      listener.controller.error(new Error("the listener is too slow"));
      return;
    }
    this.#enqueue(listener, isNew ? content : undefined);
    listener.behindRounds = 0;
    if (isNew) listener.sent = content;
  }

  #enqueue({ controller }: Listener, members: string | undefined): void {
    const now = new Date(this.#options.clock.now()).toISOString();
    const more = members === undefined ? "" : `,${members}`;
    controller.enqueue(new TextEncoder().encode(`data: {"now":"${now}"${more}}\n\n`));
  }
}

/** With the minute of each exchange's last message and each node's last sign: the second would be a change at every look. */
function calm(status: Status): Status {
  const exchanges = status.exchanges.map((row) => {
    const at = row.stream?.lastMessageAt ?? null;
    if (row.stream === null || at === null) return row;
    return { ...row, stream: { ...row.stream, lastMessageAt: minuteOf(at) } };
  });
  const nodes = status.nodes.map((node) => ({ ...node, seenAt: minuteOf(node.seenAt) }));
  return { ...status, exchanges, nodes };
}

function minuteOf(iso: string): string {
  return `${iso.slice(0, 16)}:00.000Z`;
}
