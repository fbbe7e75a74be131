/** Random numbers that are a pure function of a seed: hashes, and smooth noise between them. @module */

/** Smooth noise: random values in [-1, 1) at whole numbers, with smooth interpolation between them. */
export function noise(seed: number, position: number): number {
  const index = Math.floor(position);
  const share = position - index;
  const before = 2 * unit(mix(seed ^ Math.imul(index, 0x9e3779b1))) - 1;
  const after = 2 * unit(mix(seed ^ Math.imul(index + 1, 0x9e3779b1))) - 1;
  return before + (after - before) * share * share * (3 - 2 * share);
}

/** Maps a hash to [0, 1). */
export function unit(hash: number): number {
  return (hash >>> 0) / 2 ** 32;
}

/** The finalizer of MurmurHash3: every bit of the input affects every bit of the result. */
export function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** The 32-bit FNV-1a hash of a text. */
export function textSeed(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash;
}
