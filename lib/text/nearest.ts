/** Suggests the correct name for a misspelled one. @module */

/** More suggestions would not help. */
const NAMES_MAX = 3;

/**
 * The names closest to `text`, at most three and all equally close; empty when none is similar. Case does
 * not count.
 */
export function nearest(text: string, names: readonly string[]): readonly string[] {
  // Two mistakes, or one per three letters in a long word.
  const distanceMax = Math.max(2, Math.floor(text.length / 3));
  let best = distanceMax + 1;
  let found: string[] = [];
  for (const name of [...names].sort()) {
    if (Math.abs(name.length - text.length) > distanceMax) continue;
    const distance = editDistance(text.toLowerCase(), name.toLowerCase());
    // If every letter differs, the name is not similar.
    if (distance > distanceMax || distance >= name.length) continue;
    if (distance < best) {
      best = distance;
      found = [];
    }
    if (distance === best) found.push(name);
  }
  return found.slice(0, NAMES_MAX);
}

/** How many letters must be inserted, removed, replaced or swapped with the next one. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let distance = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, beforePrevious[j - 2]! + 1);
      }
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}
