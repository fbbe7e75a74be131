/** The wire protocol between postgres.js and the embedded server, inside one process. @module */
import { Duplex } from "node:stream";
import { FreshRows } from "./fresh_rows.ts";

/** The part of the embedded server that the socket needs. */
interface ProtocolServer {
  execute(messagesFor: (start: number) => readonly Uint8Array[]): Promise<Uint8Array>;
}

/** The length field of a message counts itself and the body, but not the type byte before it. */
const LENGTH_BYTES = 4;

/**
 * The server reads its input in pieces of this size. If a message ends at the end of a piece, the server takes that for
 * the end of the input, and would never answer the messages after it.
 */
const INPUT_PIECE_BYTES = 8192;

/** `X`, Terminate. */
const TERMINATE = 0x58;

/** `Q`, Query: a statement of the simple protocol. */
const QUERY = 0x51;

/** `P`, Parse: prepares a statement. */
const PARSE = 0x50;

/** `p`, PasswordMessage: the server asks for one and takes any. */
const PASSWORD = 0x70;

/** Sync. It separates messages, so that a refused statement does not make the server skip the next ones. */
const SYNC = new Uint8Array([0x53, 0, 0, 0, LENGTH_BYTES]);

/**
 * A socket that is connected to the embedded server. It passes on only whole messages, because the server crashes on a
 * message that arrives in two parts, as large inserts would.
 *
 * The socket stays open when the server is restarted between two statements. It then repeats to the new server how the
 * session began and which statements were prepared.
 */
export class EmbeddedSocket extends Duplex {
  /** postgres.js ends a socket only while this is "open". */
  readyState: "open" | "closed" = "open";
  readonly #server: ProtocolServer;
  readonly #rows = new FreshRows();
  #unfinished: Uint8Array = new Uint8Array(0);
  #hasStarted = false;
  /**
   * The messages that a restarted server must get: those that began the session, and those that prepared statements, by
   * name.
   */
  readonly #session = new Map<string, readonly Uint8Array[]>();
  /** The start of the server that the session belongs to. */
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
    this.#unfinished = new Uint8Array(bytes.subarray(wholeBytes));
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
      else {
        const answer = await this.#server.execute((start) => [...this.#begin(start), bytes]);
        this.push(this.#rows.pass(answer));
      }
      for (const [name, message] of kept) this.#session.set(name, message);
    }
  }

  /** The messages that a restarted server must get first. */
  #begin(start: number): readonly Uint8Array[] {
    const isAnew = this.#serverStart !== undefined && this.#serverStart !== start;
    this.#serverStart = start;
    return isAnew ? [...this.#session.values()].flat() : [];
  }

  /** The whole messages among the bytes, in batches that the server reads completely. */
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
      if (!this.#hasStarted) kept.push(["", [new Uint8Array(message)]]);
      else if (message[0] === PASSWORD) kept.push(["\0", [new Uint8Array(message)]]);
      else if (message[0] === PARSE) {
        const name = nameOf(message);
        if (name !== "") kept.push([name, [new Uint8Array(message), SYNC]]);
      }
      this.#hasStarted = true;
      end += messageBytes;
      // After a refused statement the server forgets to say that it is ready if it has read more already. postgres.js
      // would wait for that for ever.
      if (message[0] === QUERY) cut();
    }
    cut();
    return batches;
  }
}

/** Messages that the server reads completely. */
interface Batch {
  readonly bytes: Uint8Array;
  /** Those messages that a restarted server must get again, by name. */
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
