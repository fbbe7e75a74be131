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

/** `p`, PasswordMessage: the server asks for one and takes any. */
const PASSWORD = 0x70;

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
  #hasStarted = false;
  /** What the server must know of the session: how it began, and the statements that it has prepared, by name. */
  readonly #session = new Map<string, readonly Uint8Array[]>();
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
    const wholeBytes = batches.reduce((total, { bytes: { length } }) => total + length, 0);
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

  async #execute(batches: readonly Batch[]): Promise<void> {
    for (const { bytes, kept } of batches) {
      if (bytes[0] === TERMINATE) this.push(null);
      else this.push(await this.#server.execute((start) => [...this.#begin(start), bytes]));
      for (const [name, message] of kept) this.#session.set(name, message);
    }
  }

  /** What a server that has been started anew is told first. */
  #begin(start: number): readonly Uint8Array[] {
    const isAnew = this.#serverStart !== undefined && this.#serverStart !== start;
    this.#serverStart = start;
    return isAnew ? [...this.#session.values()].flat() : [];
  }

  /** The whole messages among the bytes, in batches that the server reads to their end. */
  #wholeMessages(bytes: Uint8Array): readonly Batch[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const batches: Batch[] = [];
    let kept: Kept[] = [];
    let start = 0;
    let end = 0;
    const cut = (): void => {
      if (end > start) batches.push({ bytes: bytes.subarray(start, end), kept });
      kept = [];
      start = end;
    };
    for (;;) {
      // The first message, the start-up packet, has no type byte.
      const typeBytes = this.#hasStarted ? 1 : 0;
      if (bytes.length - end < typeBytes + LENGTH_BYTES) break;
      const messageBytes = typeBytes + view.getInt32(end + typeBytes);
      if (bytes.length - end < messageBytes) break;
      if ((end - start) % INPUT_PIECE_BYTES === 0) cut();
      const message = bytes.subarray(end, end + messageBytes);
      if (!this.#hasStarted) kept.push(["", [message.slice()]]);
      else if (message[0] === PASSWORD) kept.push(["\0", [message.slice()]]);
      else if (message[0] === PARSE) {
        const name = nameOf(message);
        if (name !== "") kept.push([name, [message.slice(), SYNC]]);
      }
      this.#hasStarted = true;
      end += messageBytes;
    }
    cut();
    return batches;
  }
}

/** Messages that the server reads to their end. */
interface Batch {
  readonly bytes: Uint8Array;
  /** Those among them that a new session would have to be told, by name. */
  readonly kept: readonly Kept[];
}

type Kept = readonly [name: string, messages: readonly Uint8Array[]];

/** The name of the statement that a message prepares. */
function nameOf(message: Uint8Array): string {
  const at = 1 + LENGTH_BYTES;
  return new TextDecoder().decode(message.subarray(at, message.indexOf(0, at)));
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
