/** Makes postgres.js begin each result with its first row. @module */

/** Types of messages from a server (PostgreSQL manual, 55.7). */
const DATA_ROW = 0x44;
const COMMAND_COMPLETE = 0x43;
const ERROR_RESPONSE = 0x45;

/** `C`, CommandComplete, with a tag that counts nothing. */
const COMPLETE = Uint8Array.of(COMMAND_COMPLETE, 0, 0, 0, 8, ...new TextEncoder().encode("SET\0"));

/** The length field of a message, which counts itself. */
const LENGTH_BYTES = 4;

/**
 * postgres.js counts the rows of a statement, and counts anew only after a statement is complete. One that fails after
 * its first rows, or whose connection ends, never is: the next result would begin with as many `undefined`, also on the
 * next connection. So before the first row that follows, it is told once that a statement is complete.
 */
export class FreshRows {
  /** A new connection may come after one that ended among rows. */
  #mayContinue = true;
  /** Bytes to come of the length field, and what has come of it. */
  #lengthBytes = 0;
  #length = 0;
  /** Bytes to come of the body. */
  #bodyBytes = 0;

  /** The bytes of a server, with what postgres.js must be told. Messages may come in parts. */
  pass(bytes: Uint8Array): Uint8Array {
    for (let at = 0; at < bytes.length;) {
      if (this.#bodyBytes > 0) {
        const passed = Math.min(this.#bodyBytes, bytes.length - at);
        this.#bodyBytes -= passed;
        at += passed;
        continue;
      }
      const byte = bytes[at]!;
      if (this.#lengthBytes > 0) {
        this.#length = this.#length * 256 + byte;
        if (--this.#lengthBytes === 0) this.#bodyBytes = this.#length - LENGTH_BYTES;
      } else if (byte === DATA_ROW && this.#mayContinue) {
        this.#mayContinue = false;
        return concat(bytes.subarray(0, at), COMPLETE, this.pass(bytes.subarray(at)));
      } else {
        if (byte === COMMAND_COMPLETE) this.#mayContinue = false;
        if (byte === ERROR_RESPONSE) this.#mayContinue = true;
        this.#lengthBytes = LENGTH_BYTES;
        this.#length = 0;
      }
      at++;
    }
    return bytes;
  }
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
