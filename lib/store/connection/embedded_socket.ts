/** The wire protocol between postgres.js and the embedded server, inside one process. @module */
import { Duplex } from "node:stream";

/** What is needed of the embedded server. */
interface ProtocolServer {
  execute(messagesFor: (start: number) => readonly Uint8Array[]): Promise<Uint8Array>;
}

/** A message's length field counts itself and its body, not the type byte before it. */
const LENGTH_BYTES = 4;

/**
 * The server reads its input in pieces of this size, and takes the end of a piece for the end of the input when a
 * message ends there: the messages after it would never be answered.
 */
const INPUT_PIECE_BYTES = 8192;

/** `X`, Terminate. */
const TERMINATE = 0x58;

/** `P`, Parse: prepares a statement. */
const PARSE = 0x50;

/** Ends what belongs together, so that one refused statement does not take others with it. */
const SYNC = new Uint8Array([0x53, 0, 0, 0, LENGTH_BYTES]);

/**
 * A socket whose far end is the embedded server. It hands over whole messages only: the server crashes on a
 * message that is cut in two, as large inserts would be.
 *
 * Outlives the server behind it: one that was started anew between two statements is told what the old one knew.
 */
export class EmbeddedSocket extends Duplex {
  /** postgres.js ends a socket only while it says so. */
  readyState: "open" | "closed" = "open";
  readonly #server: ProtocolServer;
  #unfinished: Uint8Array = new Uint8Array(0);
  /** The start-up packet, with which a session begins. */
  #startUp: Uint8Array | undefined;
  /** What the session has prepared, by name. */
  readonly #prepared = new Map<string, Uint8Array>();
  /** The start of the server to which the session belongs. */
  #serverStart: number | undefined;

  constructor(server: ProtocolServer) {
    super();
    this.#server = server;
  }

  override _read(): void {}

  override _write(
    chunk: Uint8Array,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    const bytes = concat(this.#unfinished, chunk);
    const batches = this.#wholeMessages(bytes);
    const wholeBytes = batches.reduce((total, { length }) => total + length, 0);
    this.#unfinished = bytes.slice(wholeBytes);
    this.#execute(batches).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.readyState = "closed";
    this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.readyState = "closed";
    done(error);
  }

  async #execute(batches: readonly Uint8Array[]): Promise<void> {
    for (const batch of batches) {
      if (batch[0] === TERMINATE) this.push(null);
      else this.push(await this.#server.execute((start) => [...this.#begin(start), batch]));
    }
  }

  /** What a server that has been started anew is told first. */
  #begin(start: number): readonly Uint8Array[] {
    const isAnew = this.#serverStart !== undefined && this.#serverStart !== start;
    this.#serverStart = start;
    if (!isAnew || this.#startUp === undefined) return [];
    return [this.#startUp, ...this.#prepared.values().map((message) => concat(message, SYNC))];
  }

  /** Keeps what a new session would have to be told. */
  #remember(message: Uint8Array): void {
    if (this.#startUp === undefined) this.#startUp = message.slice();
    else if (message[0] === PARSE) {
      const nameAt = 1 + LENGTH_BYTES;
      const name = message.subarray(nameAt, message.indexOf(0, nameAt));
      if (name.length > 0) this.#prepared.set(new TextDecoder().decode(name), message.slice());
    }
  }

  /** The whole messages among the bytes, in batches that the server reads to their end. */
  #wholeMessages(bytes: Uint8Array): readonly Uint8Array[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const batches: Uint8Array[] = [];
    let start = 0;
    let end = 0;
    for (;;) {
      // The first message, the start-up packet, has no type byte.
      const typeBytes = this.#startUp === undefined ? 0 : 1;
      if (bytes.length - end < typeBytes + LENGTH_BYTES) break;
      const messageBytes = typeBytes + view.getInt32(end + typeBytes);
      if (bytes.length - end < messageBytes) break;
      this.#remember(bytes.subarray(end, end + messageBytes));
      if (end > start && (end - start) % INPUT_PIECE_BYTES === 0) {
        batches.push(bytes.subarray(start, end));
        start = end;
      }
      end += messageBytes;
    }
    if (end > start) batches.push(bytes.subarray(start, end));
    return batches;
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
