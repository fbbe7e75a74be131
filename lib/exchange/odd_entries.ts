/** Reads lists of markets and tickers without single entries that CCXT's class cannot read. @module */
import { setImmediate } from "node:timers/promises";
import { currentCall, isOfRequest, replay } from "./call.ts";

/** How often a list is read again at most: enough for dozens of odd entries among thousands. */
const READINGS_MAX = 500;

/** The deepest place of a list in an answer. */
const DEPTH_MAX = 4;

/** Of each list so many entries are searched for lists in them. */
const ENTRIES_SEARCHED = 20;

type Key = string | number;
type Entry = readonly [Key, unknown];
type Answers = readonly unknown[];

/** A list or object in an answer, with the way to it. The first key is the number of the answer. */
interface Place {
  readonly path: readonly Key[];
  readonly entries: readonly Entry[];
}

/** What a class may keep of answers: bitstamp's keeps its markets for a second. */
type Options = Record<string, unknown>;

/**
 * Runs `read`, which sends requests and reads their answers. If all came and reading them fails, the entries are found
 * by which it fails, by halves, and left out. {@linkcode Call.oddEntries} says how many.
 *
 * @param options those of the CCXT instance; each reading begins with the same.
 * @throws what `read` throws, where it does not fail by a few entries of the longest list of each answer.
 */
export async function withoutOddEntries<T>(read: () => Promise<T>, options: Options): Promise<T> {
  const before = { ...options };
  try {
    return await read();
  } catch (error) {
    const call = currentCall();
    if (call === undefined || isOfRequest(error)) throw error;
    const readAgain = (): Promise<T> => {
      for (const name of Object.keys(options)) delete options[name];
      Object.assign(options, before);
      return read();
    };
    const search = new Search(readAgain);
    const sound = await search.soundAnswers(call.answers.slice());
    if (sound === undefined) throw error;
    call.oddEntries += search.leftOut;
    return await replay(sound, readAgain);
  }
}

class Search {
  readonly #read: () => Promise<unknown>;
  #readings = 0;
  /** How many entries are not in the sound answers. */
  leftOut = 0;

  constructor(read: () => Promise<unknown>) {
    this.#read = read;
  }

  /** The answers without odd entries; undefined if nothing that can be left out is of help. */
  async soundAnswers(answers: Answers): Promise<Answers | undefined> {
    const places = answers.flatMap((answer, at) => longestIn(placesIn(answer, [at], DEPTH_MAX)));
    let sound = places.length === 0 ? undefined : await this.#fewest(answers, places);
    for (const { path, entries } of sound === undefined ? [] : places) {
      const others = sound ?? answers;
      const withEntries = (some: readonly Entry[]): Answers => replaced(others, path, some);
      const kept = await this.#soundEntries(entries, withEntries);
      if (2 * kept.length < entries.length) return undefined;
      sound = withEntries(kept);
      this.leftOut += entries.length - kept.length;
    }
    return this.#readings > READINGS_MAX ? undefined : sound;
  }

  /** Readable answers with no entry, or with only one: some classes refuse an empty list. */
  async #fewest(answers: Answers, places: readonly Place[]): Promise<Answers | undefined> {
    for (const part of [0, 1 / 2, 1 / 3, 2 / 3]) {
      const few = places.reduce((all, { path, entries }) => {
        const at = Math.floor(entries.length * part);
        return replaced(all, path, part === 0 ? [] : entries.slice(at, at + 1));
      }, answers);
      if (await this.#isReadable(few)) return few;
    }
    return undefined;
  }

  async #soundEntries(
    entries: readonly Entry[],
    withEntries: (some: readonly Entry[]) => Answers,
  ): Promise<readonly Entry[]> {
    if (entries.length === 0 || this.#readings > READINGS_MAX) return [];
    if (await this.#isReadable(withEntries(entries))) return entries;
    if (entries.length === 1) return [];
    const middle = entries.length >> 1;
    const first = await this.#soundEntries(entries.slice(0, middle), withEntries);
    return first.concat(await this.#soundEntries(entries.slice(middle), withEntries));
  }

  async #isReadable(answers: Answers): Promise<boolean> {
    this.#readings++;
    currentCall()?.signal?.throwIfAborted();
    // Others get their turn between two readings.
    await setImmediate();
    return await replay(answers, this.#read).then(() => true, () => false);
  }
}

function longestIn(places: readonly Place[]): readonly Place[] {
  const [first, ...others] = places;
  if (first === undefined) return [];
  return [
    others.reduce(
      (longest, place) => place.entries.length > longest.entries.length ? place : longest,
      first,
    ),
  ];
}

/** The lists of entries in a value, and the objects whose members are entries. */
function placesIn(value: unknown, path: readonly Key[], depth: number): Place[] {
  if (typeof value !== "object" || value === null) return [];
  const entries: readonly Entry[] = Array.isArray(value)
    ? value.map((entry, at) => [at, entry] as const)
    : Object.entries(value);
  const own = hasEntries(entries, Array.isArray(value)) ? [{ path, entries }] : [];
  if (depth === 0) return own;
  // What is in the first entries is in the others, too.
  const inner = entries.slice(0, ENTRIES_SEARCHED).flatMap(([key, entry]) =>
    placesIn(entry, [...path, key], depth - 1)
  );
  return [...own, ...inner];
}

/** Whether most members are objects, such as markets; a list may also have lists. */
function hasEntries(entries: readonly Entry[], isList: boolean): boolean {
  const alike = entries.filter(([, entry]) =>
    typeof entry === "object" && entry !== null && (isList || !Array.isArray(entry))
  );
  return entries.length > 1 && 2 * alike.length > entries.length;
}

/** A copy of the answers in which one list or object has only these entries. */
function replaced(answers: Answers, path: readonly Key[], entries: readonly Entry[]): Answers {
  return replacedIn(answers, path, entries) as Answers;
}

function replacedIn(
  value: unknown,
  [key, ...rest]: readonly Key[],
  entries: readonly Entry[],
): unknown {
  if (key === undefined) {
    return Array.isArray(value) ? entries.map(([, entry]) => entry) : Object.fromEntries(entries);
  }
  const old = value as Record<Key, unknown>;
  const copy = (Array.isArray(value) ? value.slice() : { ...old }) as Record<Key, unknown>;
  copy[key] = replacedIn(old[key], rest, entries);
  return copy;
}
