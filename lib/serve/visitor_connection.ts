/** A connection of a visitor: reads requests one after the other, answers them, and ends in time. @module */
import { STATUS_CODES } from "node:http";
import { type Answer, type Asked, refusal } from "./http_answer.ts";
import { chunkOf, isChunked, LAST_CHUNK, spokenTo } from "./chunked.ts";
import { BadHeadError, readHead, type RequestHead } from "./request_head.ts";

/** A head must be complete this long after the connection or its first byte. A visitor far away takes a second. */
const HEAD_S = 10;

/** Longer than Prometheus pauses between two scrapes. */
const IDLE_S = 75;

/** An answer is read at least this fast, after the first seconds. */
const READ_S = 20;
const READ_BYTES_PER_S = 16 * 1024;

/** How long a refused visitor may go on sending, so that it reads why it was refused and not that it was cut off. */
const LINGER_S = 2;
const LINGER_BYTES = 1024 * 1024;

/** The longest head. Its query names a series and a window. */
const HEAD_BYTES_MAX = 16 * 1024;

/** Read at once. */
const CHUNK_BYTES = 4 * 1024;

/** Written at once, so that the time between two writes tells of a visitor that reads nothing. */
const WRITE_BYTES = 64 * 1024;

const [CR, LF] = [13, 10];

const LATIN = new TextDecoder("latin1");
const ENCODER = new TextEncoder();

/** What a connection is told by the server that it belongs to. */
export interface ConnectionHost {
  answer(asked: Asked): Answer | Promise<Answer>;
  /** Seconds since the start, which no change of the clock moves. */
  readonly seconds: number;
  /** For the header Date. */
  readonly date: string;
  /** A number larger than each one before. */
  next(): number;
  /** Whether an answer of so many bytes more may wait for its reader. */
  hasRoom(bytes: number): boolean;
  /** Adds bytes that wait for their readers, or with a minus those that no longer do. */
  hold(bytes: number): void;
}

/** Made for each connection that was accepted. */
export class VisitorConnection {
  readonly peer: string;
  readonly #connection: Deno.Conn;
  readonly #host: ConnectionHost;
  readonly #gone = new AbortController();
  /** What was read and is no part of an earlier head. */
  readonly #bytes = new Uint8Array(HEAD_BYTES_MAX);
  #length = 0;
  /** A read may be under way while the bytes above are moved. */
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  #reading: Promise<boolean> | undefined;
  #isWatching = false;
  #endsAtS: number;
  #waitsSince: number | undefined;
  #isStopping = false;
  #isClosed = false;

  constructor(connection: Deno.Conn, peer: string, host: ConnectionHost) {
    this.#connection = connection;
    this.peer = peer;
    this.#host = host;
    this.#endsAtS = host.seconds + HEAD_S;
    this.#waitsSince = host.next();
  }

  /** Since when no request is under way: such a connection may be closed for another one. Undefined during a request. */
  get waitsSince(): number | undefined {
    return this.#waitsSince;
  }

  get isLate(): boolean {
    return this.#host.seconds > this.#endsAtS;
  }

  /** Serves until the visitor has gone, or must go. Never throws. */
  async serve(): Promise<void> {
    try {
      let isOver = false;
      while (!isOver && !this.#isStopping) {
        let head: RequestHead | undefined;
        try {
          head = await this.#readHead();
          if (head === undefined) break;
          isOver = !await this.#answer(head);
        } catch (error) {
          if (!(error instanceof BadHeadError)) throw error;
          await this.#send(refusal(error.status, error.message), { isLast: true });
          isOver = true;
        }
        if (isOver && !this.#isStopping) await this.#linger();
      }
    } catch {
      // The visitor has gone, or the connection was closed here.
    } finally {
      this.close();
    }
  }

  /** Ends after the answer that is under way, if any. */
  stop(): void {
    this.#isStopping = true;
    if (this.#waitsSince !== undefined) this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // At once: thousands of visitors may come and go between two garbage collections.
    this.#bytes.buffer.transfer(0);
    this.#chunk.buffer.transfer(0);
    this.#gone.abort(GONE);
    try {
      this.#connection.close();
    } catch {
      // It was closed by the other side.
    }
  }

  /** Undefined when the visitor has gone. @throws BadHeadError */
  async #readHead(): Promise<RequestHead | undefined> {
    this.#waitsSince = this.#host.next();
    for (let looked = 0;;) {
      if (this.#length > 0 && !isLetter(this.#bytes[0]!)) {
        throw new BadHeadError(400, "The request does not begin as HTTP/1.1 does");
      }
      const end = this.#endOfHead(looked);
      if (end !== -1) {
        const text = LATIN.decode(this.#bytes.subarray(0, end));
        this.#bytes.copyWithin(0, end + 4, this.#length);
        this.#length -= end + 4;
        this.#waitsSince = undefined;
        this.#endsAtS = Infinity;
        return readHead(text);
      }
      if (this.#length === HEAD_BYTES_MAX) {
        throw new BadHeadError(431, `Send a request of at most ${HEAD_BYTES_MAX} bytes`);
      }
      const isBegun = looked > 0;
      looked = this.#length;
      // The time of a head begins with its first byte, and does not begin anew with each.
      if (looked > 0 && !isBegun) {
        this.#endsAtS = Math.min(this.#endsAtS, this.#host.seconds + HEAD_S);
      }
      if (!await this.#read()) return undefined;
    }
  }

  /** Where the empty line begins that ends the head; -1 if it is not there yet. */
  #endOfHead(looked: number): number {
    for (let at = Math.max(0, looked - 3);; at++) {
      at = this.#bytes.indexOf(CR!, at);
      if (at === -1 || at + 4 > this.#length) return -1;
      const [, one, two, three] = this.#bytes.subarray(at, at + 4);
      if (one === LF && two === CR && three === LF) return at;
    }
  }

  /** Reads some bytes, if there is room for them. False when the visitor has gone. One read is under way at most. */
  #read(): Promise<boolean> {
    this.#reading ??= this.#readNow().finally(() => this.#reading = undefined);
    return this.#reading;
  }

  async #readNow(): Promise<boolean> {
    const room = Math.min(CHUNK_BYTES, HEAD_BYTES_MAX - this.#length);
    const count = await this.#connection.read(this.#chunk.subarray(0, room));
    if (count === null) return false;
    this.#bytes.set(this.#chunk.subarray(0, count), this.#length);
    this.#length += count;
    return true;
  }

  /** Whether the connection can be used again. */
  async #answer(head: RequestHead): Promise<boolean> {
    const { signal } = this.#gone;
    const made = this.#host.answer({ ...head, peer: this.peer, signal });
    const whole = made instanceof Promise ? await this.#whileHere(made) : made;
    const bytes = whole.body instanceof ReadableStream ? 0 : whole.body.length;
    const answer = this.#host.hasRoom(bytes) ? spokenTo(head, whole) : FULL;
    const isLast = !head.keepsAlive || this.#isStopping || answer.body instanceof ReadableStream;
    await this.#send(answer, { isLast, hasBody: head.method !== "HEAD" });
    return !isLast;
  }

  /** Waits for an answer as long as the visitor does. @throws when the visitor has gone. */
  async #whileHere(made: Promise<Answer>): Promise<Answer> {
    made.catch(() => {});
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(GONE);
    this.#gone.signal.addEventListener("abort", leave, { once: true });
    void this.#watch();
    try {
      return await Promise.race([made, gone]);
    } finally {
      this.#gone.signal.removeEventListener("abort", leave);
    }
  }

  /** Reads ahead, since only that tells that the visitor has gone. Goes on for a request that was sent ahead. */
  async #watch(): Promise<void> {
    if (this.#isWatching) return;
    this.#isWatching = true;
    try {
      while (this.#waitsSince === undefined && this.#length < HEAD_BYTES_MAX) {
        if (!await this.#read()) return this.close();
      }
    } catch {
      this.close();
    } finally {
      this.#isWatching = false;
    }
  }

  async #send(
    { status, headers, body }: Answer,
    { isLast, hasBody = true }: { readonly isLast: boolean; readonly hasBody?: boolean },
  ): Promise<void> {
    const isStream = body instanceof ReadableStream;
    const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, `date: ${this.#host.date}`];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    // A stream is over when the connection is.
    if (!isStream) lines.push(`content-length: ${body.length}`);
    if (isLast) lines.push("connection: close");
    const head = ENCODER.encode(`${lines.join("\r\n")}\r\n\r\n`);
    if (isStream) return await this.#sendStream(head, body, { inChunks: isChunked({ headers }) });
    const bytes = hasBody ? concat(head, body) : head;
    this.#host.hold(bytes.length);
    try {
      await this.#write(bytes);
    } finally {
      this.#host.hold(-bytes.length);
    }
  }

  async #sendStream(
    head: Uint8Array,
    body: ReadableStream<Uint8Array>,
    { inChunks }: { readonly inChunks: boolean },
  ): Promise<void> {
    const reader = body.getReader();
    const cancel = (): void => void reader.cancel(GONE).catch(() => {});
    this.#gone.signal.addEventListener("abort", cancel, { once: true });
    void this.#watch();
    try {
      await this.#write(head);
      for (;;) {
        this.#endsAtS = Infinity;
        const { value, done } = await reader.read();
        if (done) return inChunks ? await this.#write(LAST_CHUNK) : undefined;
        await this.#write(inChunks ? chunkOf(value) : value);
      }
    } finally {
      this.#gone.signal.removeEventListener("abort", cancel);
      cancel();
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#endsAtS = this.#host.seconds + READ_S + bytes.length / READ_BYTES_PER_S;
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#connection.write(bytes.subarray(sent, sent + WRITE_BYTES));
    }
    this.#endsAtS = this.#host.seconds + IDLE_S;
  }

  /** Reads what the visitor still sends, for a moment: a connection that is closed with bytes unread is cut off. */
  async #linger(): Promise<void> {
    this.#waitsSince = this.#host.next();
    this.#endsAtS = this.#host.seconds + LINGER_S;
    await this.#connection.closeWrite();
    for (let bytes = 0; bytes < LINGER_BYTES; bytes += this.#length) {
      this.#length = 0;
      if (!await this.#read()) return;
    }
  }
}

const FULL = refusal(503, "Too many answers wait for their readers. Ask again in a few seconds", {
  "retry-after": "5",
});

/** Made once: an error without a reason would be made with a stack for each visitor. */
const GONE = new Error("the visitor has gone");

function isLetter(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a || byte >= 0x61 && byte <= 0x7a;
}

function concat(head: Uint8Array, body: Uint8Array): Uint8Array {
  const all = new Uint8Array(head.length + body.length);
  all.set(head);
  all.set(body, head.length);
  return all;
}
