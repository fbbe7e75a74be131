/** Server-sent events: the status, read for all who listen, and sent when it has changed. @module */
import type { Clock } from "../clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Status } from "./status.ts";

/** One `data:` of the stream, JSON. */
type FeedEvent =
  /** What has changed, whole. */
  | { readonly now: string; readonly status: Status }
  /** Nothing has changed. It tells the time, and that somebody is there. */
  | { readonly now: string }
  /** The status cannot be read, for the database is away, say. */
  | { readonly now: string; readonly error: string };

interface StatusFeedOptions {
  readonly status: () => Promise<Status>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Each holds a connection and the newest event. */
export const LISTENERS_MAX = 32;

const INTERVAL_MS = 3_000;

/** Reading takes no more than this share of the database's one connection, whatever the archive has grown to. */
const SHARE_MAX = 1 / 20;

/** So many rounds without a change are told as well: a proxy closes what is silent, and ages on the page grow. */
const SILENT_ROUNDS_MAX = 5;

/** Whoever has not taken an event for so many rounds is gone, or will not. */
const BEHIND_ROUNDS_MAX = 20;

interface Listener {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** The newest content that was sent to it. */
  sent: string | undefined;
  behindRounds: number;
}

/** Reads nothing while nobody listens. */
export class StatusFeed {
  readonly #options: StatusFeedOptions;
  readonly #listeners = new Set<Listener>();
  readonly #stop = new AbortController();
  /** Members of the newest event but the time; undefined before the first and while nobody listens. */
  #content: string | undefined;
  #isRunning = false;

  constructor(options: StatusFeedOptions) {
    this.#options = options;
  }

  /** How many listen now. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** A stream that ends with the feed; undefined when {@linkcode LISTENERS_MAX} listen already, or the feed is over. */
  listen(): ReadableStream<Uint8Array> | undefined {
    if (this.#stop.signal.aborted || this.#listeners.size >= LISTENERS_MAX) return undefined;
    let listener: Listener;
    return new ReadableStream({
      start: (controller) => {
        listener = { controller, sent: undefined, behindRounds: 0 };
        this.#listeners.add(listener);
        this.#send(listener);
        if (!this.#isRunning) void this.#run();
      },
      cancel: () => {
        this.#listeners.delete(listener);
      },
    });
  }

  /** Ends all streams. A stream that nobody reads is cut off, so that it does not keep the server from stopping. */
  stop(): void {
    this.#stop.abort();
    for (const { controller } of this.#listeners) {
      if ((controller.desiredSize ?? 0) > 0) controller.close();
      else controller.error(new Error("the server stops"));
    }
    this.#listeners.clear();
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    this.#isRunning = true;
    for (let silentRounds = 0; this.#listeners.size > 0 && !signal.aborted;) {
      const startMs = clock.now();
      const content = await this.#read();
      silentRounds = content === this.#content ? silentRounds + 1 : 0;
      this.#content = content;
      const isBeat = silentRounds >= SILENT_ROUNDS_MAX;
      if (isBeat) silentRounds = 0;
      for (const listener of this.#listeners) this.#send(listener, { isBeat });
      const pauseMs = Math.max(INTERVAL_MS, (clock.now() - startMs) / SHARE_MAX);
      await clock.sleep(pauseMs, { signal }).catch(() => {});
    }
    this.#content = undefined;
    this.#isRunning = false;
  }

  async #read(): Promise<string> {
    try {
      return `"status":${JSON.stringify(await this.#options.status())}`;
    } catch (error) {
      const content = `"error":"Cannot read the status: see the log"`;
      if (this.#content !== content) this.#options.log.warn("a status was not read", { error });
      return content;
    }
  }

  /** Each event is whole, so one that is not taken is left out, and the newest sent instead. */
  #send(listener: Listener, { isBeat = false } = {}): void {
    const content = this.#content;
    const isNew = content !== undefined && listener.sent !== content;
    if (!isNew && !isBeat) return;
    if ((listener.controller.desiredSize ?? 0) <= 0) {
      listener.behindRounds++;
      if (listener.behindRounds < BEHIND_ROUNDS_MAX) return;
      this.#listeners.delete(listener);
      listener.controller.error(new Error("nobody reads"));
      return;
    }
    const now = new Date(this.#options.clock.now()).toISOString();
    const members = isNew ? `"now":"${now}",${content}` : `"now":"${now}"`;
    listener.controller.enqueue(new TextEncoder().encode(`data: {${members}}\n\n`));
    listener.behindRounds = 0;
    if (isNew) listener.sent = content;
  }
}
