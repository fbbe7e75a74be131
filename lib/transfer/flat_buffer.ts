/**
 * Writes FlatBuffers, the encoding of Arrow's metadata: tables, vectors, structs and texts, each before what it refers to.
 * See https://flatbuffers.dev/internals for the layout.
 * @module
 */

/** A value in a slot of a table: a number of so many bytes, or something that the table refers to. */
type Slot = Scalar | Referred | undefined;

interface Scalar {
  readonly bytes: 1 | 2 | 8;
  readonly value: number;
}

export type Referred = Table | References | Structs | Text;

/** Its slots by their number in the schema; what is undefined has its default. */
interface Table {
  readonly slots: readonly Slot[];
}

interface References {
  readonly items: readonly Referred[];
}

/** Structs of 8-byte integers. */
interface Structs {
  readonly structs: readonly (readonly number[])[];
}

interface Text {
  readonly text: string;
}

export const byte = (value: number): Scalar => ({ bytes: 1, value });
export const short = (value: number): Scalar => ({ bytes: 2, value });
export const long = (value: number): Scalar => ({ bytes: 8, value });
export const table = (...slots: readonly Slot[]): Table => ({ slots });
export const references = (items: readonly Referred[]): References => ({ items });
export const structs = (rows: readonly (readonly number[])[]): Structs => ({ structs: rows });
export const text = (text: string): Text => ({ text });

const REFERENCE_BYTES = 4;
/** The length of a vector or a text, and the way from a table to the list of its slots. */
const LENGTH_BYTES = 4;
const LONG_BYTES = 8;
const FIRST_BYTES = 1_024;

/** The bytes of a buffer, padded to a multiple of 8. */
export function flatBuffer(root: Table): Uint8Array<ArrayBuffer> {
  const buffer = new FlatBuffer();
  const at = buffer.take(REFERENCE_BYTES);
  buffer.refer(at, root);
  buffer.align(LONG_BYTES);
  return buffer.bytes();
}

/** Grows from the front: what is referred to comes later, so that all references are positive. */
class FlatBuffer {
  #view = new DataView(new ArrayBuffer(FIRST_BYTES));
  #length = 0;

  bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#view.buffer, 0, this.#length);
  }

  /** Where the next `bytes` bytes are, all zero. */
  take(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#view.byteLength) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(new Uint8Array(this.#view.buffer));
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  /** Goes on where `ahead` bytes later the place is a multiple of `bytes`. */
  align(bytes: number, ahead = 0): void {
    this.take((bytes - (this.#length + ahead) % bytes) % bytes);
  }

  /** Writes `referred` behind all that is there, and into `at` how far it is from there. */
  refer(at: number, referred: Referred): void {
    const to = this.#write(referred);
    this.#view.setUint32(at, to - at, true);
  }

  #write(referred: Referred): number {
    if ("slots" in referred) return this.#writeTable(referred);
    if ("items" in referred) return this.#writeReferences(referred);
    return "structs" in referred ? this.#writeStructs(referred) : this.#writeText(referred);
  }

  #writeTable({ slots }: Table): number {
    this.align(2);
    const list = this.take(LENGTH_BYTES + 2 * slots.length);
    this.align(LONG_BYTES);
    const start = this.take(LENGTH_BYTES);
    this.#view.setInt32(start, start - list, true);
    const referred: [number, Referred][] = [];
    for (const [number, slot] of slots.entries()) {
      if (slot === undefined) continue;
      const size = "bytes" in slot ? slot.bytes : REFERENCE_BYTES;
      this.align(size);
      const at = this.take(size);
      this.#view.setUint16(list + LENGTH_BYTES + 2 * number, at - start, true);
      if ("bytes" in slot) this.#setScalar(at, slot);
      else referred.push([at, slot]);
    }
    this.#view.setUint16(list, LENGTH_BYTES + 2 * slots.length, true);
    this.#view.setUint16(list + 2, this.#length - start, true);
    for (const [at, child] of referred) this.refer(at, child);
    return start;
  }

  #writeReferences({ items }: References): number {
    const start = this.#takeLength(items.length, REFERENCE_BYTES);
    const first = this.take(REFERENCE_BYTES * items.length);
    for (const [number, item] of items.entries()) {
      this.refer(first + REFERENCE_BYTES * number, item);
    }
    return start;
  }

  #writeStructs({ structs }: Structs): number {
    const start = this.#takeLength(structs.length, LONG_BYTES);
    for (const value of structs.flat()) {
      const at = this.take(LONG_BYTES);
      this.#view.setBigInt64(at, BigInt(value), true);
    }
    return start;
  }

  #writeText({ text }: Text): number {
    const bytes = new TextEncoder().encode(text);
    const start = this.#takeLength(bytes.length, 1);
    // Texts end with a zero byte, which their length does not count.
    const at = this.take(bytes.length + 1);
    new Uint8Array(this.#view.buffer).set(bytes, at);
    return start;
  }

  #takeLength(length: number, itemBytes: number): number {
    this.align(Math.max(itemBytes, LENGTH_BYTES), LENGTH_BYTES);
    const start = this.take(LENGTH_BYTES);
    this.#view.setUint32(start, length, true);
    return start;
  }

  #setScalar(at: number, { bytes, value }: Scalar): void {
    if (bytes === 8) this.#view.setBigInt64(at, BigInt(value), true);
    else if (bytes === 2) this.#view.setInt16(at, value, true);
    else this.#view.setUint8(at, value);
  }
}
