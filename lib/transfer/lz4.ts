/** Unpacks LZ4: its blocks, and frames of them as Arrow has them. @module */

const MAGIC = 0x184d2204;
const DAMAGED = "its LZ4 data is damaged";

/** Unpacks a frame. Checksums are left out: what holds the frame knows how long its content is. */
export function lz4Frame(packed: Uint8Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  if (packed.length < 7 || view.getUint32(0, true) !== MAGIC) throw new Error(DAMAGED);
  const flags = packed[4]!;
  const [hasBlockSum, hasSize] = [(flags & 0x10) !== 0, (flags & 8) !== 0];
  const blockMax = 2 ** (2 * (packed[5]! >>> 4 & 7) + 8);
  let at = 6 + (hasSize ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0) + 1;
  let output = new Uint8Array(blockMax);
  let length = 0;
  for (;;) {
    if (at + 4 > packed.length) throw new Error(DAMAGED);
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return output.subarray(0, length);
    const size = word & 0x7fffffff;
    if (at + size > packed.length) throw new Error(DAMAGED);
    const block = packed.subarray(at, at + size);
    if (output.length < length + blockMax) {
      const longer = new Uint8Array(Math.max(2 * output.length, length + blockMax));
      longer.set(output);
      output = longer;
    }
    // A block may repeat what earlier ones hold.
    if (word >>> 31 === 0) length = lz4Block(block, output, length);
    else {
      output.set(block, length);
      length += size;
    }
    at += size + (hasBlockSum ? 4 : 0);
  }
}

/** Unpacks a block whose content has exactly this length. */
export function lz4Whole(packed: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const output = new Uint8Array(length);
  if (lz4Block(packed, output, 0) !== length) throw new Error(DAMAGED);
  return output;
}

/** @returns Where the content ends. */
function lz4Block(packed: Uint8Array, output: Uint8Array, begin: number): number {
  let [at, end] = [0, begin];
  const longLength = (length: number): number => {
    if (length < 15) return length;
    let total = length;
    for (;;) {
      const byte = packed[at++];
      if (byte === undefined) throw new Error(DAMAGED);
      total += byte;
      if (byte < 255) return total;
    }
  };
  while (at < packed.length) {
    const token = packed[at++]!;
    const literals = longLength(token >>> 4);
    if (at + literals > packed.length || end + literals > output.length) throw new Error(DAMAGED);
    output.set(packed.subarray(at, at + literals), end);
    at += literals;
    end += literals;
    // The last sequence is literals alone.
    if (at === packed.length) break;
    const offset = packed[at]! | (packed[at + 1] ?? 0) << 8;
    at += 2;
    const repeated = longLength(token & 15) + 4;
    if (offset === 0 || offset > end || end + repeated > output.length) throw new Error(DAMAGED);
    // Byte by byte where it repeats itself.
    if (offset >= repeated) output.copyWithin(end, end - offset, end - offset + repeated);
    else for (let n = 0; n < repeated; n++) output[end + n] = output[end + n - offset]!;
    end += repeated;
  }
  return end;
}
