/** The wire protocol between postgres.js and the embedded server, inside one process. @module */
import { Duplex } from "node:stream";

/**
 * What is needed of the embedded server: protocol messages in, answers out. It reads its own answers in any case, and of
 * those to `execProtocolRaw` it keeps every row for ever.
 */
interface ProtocolServer {
  execProtocol(
    message: Uint8Array,
    options: { readonly syncToFs: boolean; readonly throwOnError: boolean },
  ): Promise<{ readonly data: Uint8Array }>;
}

/** Nothing is flushed to disk between statements, and what the server refuses is an answer like any other. */
const EXEC_OPTIONS = { syncToFs: false, throwOnError: false } as const;

/** A message's length field counts itself and its body, not the type byte before it. */
const LENGTH_BYTES = 4;

/**
 * The server reads its input in pieces of this size, and takes the end of a piece for the end of the input when a
 * message ends there: the messages after it would never be answered.
 */
const INPUT_PIECE_BYTES = 8192;

/** `X`, Terminate. */
const TERMINATE = 0x58;

/**
 * A socket whose far end is the embedded server. It hands over whole messages only: the server crashes on a
 * message that is cut in two, as large inserts would be.
 */
export class EmbeddedSocket extends Duplex {
  /** postgres.js ends a socket only while it says so. */
  readyState: "open" | "closed" = "open";
  readonly #server: ProtocolServer;
  readonly #onCrash: (error: unknown) => void;
  #unfinished: Uint8Array = new Uint8Array(0);
  #started = false;

  /** @param onCrash told when the server itself fails: what it refuses, it answers. */
  constructor(server: ProtocolServer, onCrash: (error: unknown) => void = () => {}) {
    super();
    this.#server = server;
    this.#onCrash = onCrash;
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
    this.#execute(batches).then(() => done(), (error) => {
      this.#onCrash(error);
      done(error);
    });
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
      else this.push((await this.#server.execProtocol(batch, EXEC_OPTIONS)).data);
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
      const typeBytes = this.#started ? 1 : 0;
      if (bytes.length - end < typeBytes + LENGTH_BYTES) break;
      const messageBytes = typeBytes + view.getInt32(end + typeBytes);
      if (bytes.length - end < messageBytes) break;
      this.#started = true;
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
