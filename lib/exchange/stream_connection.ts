/** One WebSocket to an exchange: opened in time, subscribed at the exchange's pace, and ended when it is of no use. @module */
import type { Clock } from "../clock.ts";
import { errorText } from "../text/redact.ts";
import { MessageTurns } from "./message_turns.ts";
import type { StreamAddress } from "./stream_address.ts";
import type { StreamDialect, Told, Topic } from "./stream_dialect.ts";
import { messageLength, messageText, messageValues } from "./stream_message.ts";
import { Subscriptions } from "./stream_subscriptions.ts";

/** Why a connection has ended. A fixed set, because it is also a metric label. */
export const END_REASONS = [
  "killed",
  "silent",
  "unopened",
  "unwritten",
  "garbage",
  "rotated",
  "refused",
  "stopped",
  "backpressure",
] as const;

export type EndReason = (typeof END_REASONS)[number];

/** The part of a WebSocket that is used. */
export interface StreamSocket {
  binaryType: BinaryType;
  readonly bufferedAmount: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: Event) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(text: string): void;
  close(): void;
}

export type OpenSocket = (address: StreamAddress) => StreamSocket;

interface ConnectionOptions {
  readonly dialect: StreamDialect;
  readonly address: StreamAddress;
  readonly clock: Clock;
  readonly random: () => number;
  readonly openSocket: OpenSocket;
  /** Called for every message that could be read. */
  readonly onMessage: () => void;
  readonly onGarbage: () => void;
  readonly onCandle: (topic: string, told: Told & { readonly kind: "candle" }) => void;
  /** Called for a candle of what is not subscribed. */
  readonly onUnasked: () => void;
  readonly onAgreed: (topic: string) => void;
  readonly onRefused: (topic: string, why: string) => void;
  /** Called once, and nothing after it. */
  readonly onEnd: (reason: EndReason, why: string) => void;
}

/** TCP, TLS and the handshake take a second at most. */
const OPEN_MS_MAX = 10_000;

/** How often a connection is looked at. Durations are counted in these, because the clock may be set. */
const BEAT_MS = 1_000;

/** What was sent and has not left after this time will not. */
const UNWRITTEN_MS_MAX = 15_000;

/** A subscription without an answer after this time is not in force. */
const UNANSWERED_MS_MAX = 15_000;

/** After so many messages in a row that cannot be read, the connection is not that of this exchange. */
const GARBAGE_MAX = 20;

/**
 * What is taken in one beat. A burst of 100,000 messages of candles is 15 MB; whatever goes on like that would keep the
 * program from everything else.
 */
const BEAT_BYTES_MAX = 32 * 1024 * 1024;

/** The last number given. A number never comes again in a process. */
let numbers = 0;

/** Connections are replaced at different ages, so that not all of an exchange are at once. */
const AGE_SHARE_MIN = 0.8;

export class StreamConnection {
  readonly number = ++numbers;
  readonly #options: ConnectionOptions;
  readonly #subscriptions: Subscriptions;
  readonly #over = new AbortController();
  readonly #turns: MessageTurns;
  #socket: StreamSocket | undefined;
  #isOpen = false;
  #isSending = false;
  #garbage = 0;
  /** Messages since the last beat, and how long they were. */
  #heard = 0;
  #heardBytes = 0;
  /** How long the connection has been open. Milliseconds, counted in beats. */
  #ageMs = 0;

  /** Begins to open the connection. */
  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { dialect, clock, onAgreed, onRefused } = options;
    const now = (): number => clock.now();
    this.#subscriptions = new Subscriptions(dialect, { now, onAgreed, onRefused });
    this.#turns = new MessageTurns({
      ...{ clock, signal: this.#over.signal, take: (data) => this.#hear(data) },
      onFull: () => this.#flooded(),
    });
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#over.signal.aborted;
  }

  /** How long it has been open. Milliseconds. */
  get ageMs(): number {
    return this.#ageMs;
  }

  /** Opens the socket. A fault ends the connection. */
  open(): void {
    const { address, openSocket } = this.#options;
    try {
      const socket = openSocket(address);
      this.#socket = socket;
      socket.binaryType = "arraybuffer";
      socket.onopen = () => this.#opened();
      socket.onmessage = ({ data }) => this.#turns.add(data);
      socket.onerror = (event) => this.#close(event instanceof ErrorEvent ? event.message : "");
      socket.onclose = ({ code, reason }) => this.#close(`code ${code} ${reason}`);
    } catch (error) {
      // Told later, as every other end is: whoever opens it has no connection yet.
      queueMicrotask(() => this.end("unopened", errorText(error)));
      return;
    }
    this.#sleep(OPEN_MS_MAX).then(() => {
      if (!this.#isOpen) this.end("unopened", `no handshake within ${OPEN_MS_MAX / 1_000} s`);
    }, () => {});
  }

  /** What should be subscribed, all of it. */
  want(topics: ReadonlyMap<string, Topic>): void {
    this.#subscriptions.want(topics);
    void this.#sendAll();
  }

  /** Ends the connection, whatever its peer does. */
  end(reason: EndReason, why: string): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    const socket = this.#socket;
    if (socket !== undefined) {
      // A dead peer never answers close(): the socket is left to itself, and heard no more.
      Object.assign(socket, { onopen: null, onmessage: null, onclose: null });
      // Without one, an error of it would be nobody's.
      socket.onerror = () => {};
      try {
        socket.close();
      } catch {
        // It is closed already.
      }
    }
    this.#options.onEnd(reason, why.trim());
  }

  #opened(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    void this.#beat();
    void this.#sendAll();
  }

  #close(why: string): void {
    this.end(this.#isOpen ? "killed" : "unopened", why);
  }

  async #beat(): Promise<void> {
    const { dialect, random } = this.#options;
    const { pingEveryMs, silenceMs } = dialect;
    const ageMsMax = dialect.ageMsMax * (AGE_SHARE_MIN + (1 - AGE_SHARE_MIN) * random());
    let [quietMs, unpingedMs, unwrittenMs] = [0, 0, 0];
    while (await this.#isAfter(BEAT_MS)) {
      this.#ageMs += BEAT_MS;
      quietMs = this.#heard > 0 ? 0 : quietMs + BEAT_MS;
      [this.#heard, this.#heardBytes] = [0, 0];
      unwrittenMs = (this.#socket?.bufferedAmount ?? 0) === 0 ? 0 : unwrittenMs + BEAT_MS;
      unpingedMs += BEAT_MS;
      if (quietMs >= silenceMs) return this.end("silent", `no message for ${silenceMs / 1_000} s`);
      if (unwrittenMs >= UNWRITTEN_MS_MAX) return this.end("unwritten", "nothing can be sent");
      if (this.#ageMs >= ageMsMax) return this.end("rotated", "it is old");
      this.#subscriptions.pass(BEAT_MS, UNANSWERED_MS_MAX);
      if (this.#subscriptions.areAllRefused) {
        return this.end("refused", "every subscription is refused");
      }
      void this.#sendAll();
      if (dialect.ping !== undefined && unpingedMs >= pingEveryMs) {
        unpingedMs = 0;
        this.#send(dialect.ping(this.#subscriptions.asking()));
      }
    }
  }

  #hear(data: unknown): void {
    const { dialect, onMessage, onGarbage } = this.#options;
    this.#heard++;
    this.#heardBytes += messageLength(data);
    if (this.#heardBytes > BEAT_BYTES_MAX) return this.#flooded();
    let told: readonly Told[] | undefined;
    try {
      const text = messageText(data);
      if (dialect.words !== undefined && Object.hasOwn(dialect.words, text)) {
        const reply = dialect.words[text];
        told = reply === undefined ? [] : [{ kind: "reply", text: reply }];
      } else told = dialect.read(messageValues(text));
    } catch {
      told = undefined;
    }
    if (told === undefined) {
      onGarbage();
      if (++this.#garbage >= GARBAGE_MAX) {
        this.end("garbage", `${GARBAGE_MAX} messages in a row cannot be read`);
      }
      return;
    }
    this.#garbage = 0;
    onMessage();
    for (const one of told) this.#understand(one);
  }

  #flooded(): void {
    this.end("backpressure", "it sends more than can be read");
  }

  #understand(told: Told): void {
    if (this.#over.signal.aborted) return;
    switch (told.kind) {
      case "candle": {
        const topic = this.#subscriptions.topicOf(told.topic);
        return topic === undefined
          ? this.#options.onUnasked()
          : this.#options.onCandle(topic, told);
      }
      case "agreed":
        this.#subscriptions.agree(told);
        return void this.#sendAll();
      case "refused":
        this.#subscriptions.refuse(told);
        return void this.#sendAll();
      case "reply":
        return this.#send(told.text);
      case "closing":
        return this.end("rotated", told.why);
    }
  }

  /** Sends what is to be sent, at the exchange's pace. Runs once at a time. */
  async #sendAll(): Promise<void> {
    if (!this.#isOpen || this.#isSending) return;
    this.#isSending = true;
    for (;;) {
      const text = this.#over.signal.aborted ? undefined : this.#subscriptions.next();
      if (text === undefined) break;
      this.#send(text);
      if (!await this.#isAfter(this.#options.dialect.sendIntervalMs)) break;
    }
    this.#isSending = false;
  }

  #send(text: string): void {
    if (this.#over.signal.aborted) return;
    try {
      this.#socket?.send(text);
    } catch (error) {
      this.end("killed", errorText(error));
    }
  }

  /** False if the connection ends before. */
  #isAfter(ms: number): Promise<boolean> {
    return this.#sleep(ms).then(() => true, () => false);
  }

  #sleep(ms: number): Promise<void> {
    return this.#options.clock.sleep(ms, { signal: this.#over.signal });
  }
}
