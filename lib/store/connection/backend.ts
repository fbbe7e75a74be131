/** The process of a server behind a connection, as a request to cancel names it. @module */

/** A process of a server, and the key with which it is told to end its statement. */
export interface Backend {
  readonly pid: number;
  readonly secret: number;
}

/** `K`, BackendKeyData: its type, and its length with that. */
const BACKEND_KEY = 0x4b;
const BACKEND_KEY_BYTES = 13;

/** `Z`: the session has begun. */
const READY_FOR_QUERY = 0x5a;

/** The length of a message counts itself. */
const LENGTH_BYTES = 4;

/** Many times what a server sends first. */
const START_BYTES_MAX = 64 * 1024;

/** Looks for the backend in what a server sends first. */
export class BackendSearch {
  #start: Uint8Array | undefined = new Uint8Array(0);

  /** Takes the next bytes of the server. Returns the backend when they complete its message. */
  pass(bytes: Uint8Array): Backend | undefined {
    if (this.#start === undefined) return undefined;
    const start = new Uint8Array(this.#start.length + bytes.length);
    start.set(this.#start);
    start.set(bytes, this.#start.length);
    this.#start = start.length > START_BYTES_MAX ? undefined : start;
    const view = new DataView(start.buffer);
    for (let at = 0; at + BACKEND_KEY_BYTES <= start.length;) {
      const length = view.getInt32(at + 1);
      const isKey = start[at] === BACKEND_KEY;
      if (isKey || start[at] === READY_FOR_QUERY || length < LENGTH_BYTES) {
        this.#start = undefined;
        if (!isKey) return undefined;
        return { pid: view.getUint32(at + 5), secret: view.getUint32(at + 9) };
      }
      at += 1 + length;
    }
    return undefined;
  }
}
