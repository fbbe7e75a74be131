/** Finds names in `.env` that are probably misspelled settings. They would be ignored without an error. @module */
import { parse as parseDotenv } from "dotenv";
import { nearest } from "../text/nearest.ts";

/** Variables that Deno and other programs read, even if their names are similar to ours. */
const NAMES_OF_OTHERS = /^(?:(?:HTTPS?|ALL|NO)_PROXY|(?:AWS|DENO|PG|POSTGRES|TITAN10)_?\w*)$/i;

/** A name, and the settings with similar names. */
interface Misspelling {
  readonly name: string;
  readonly similar: readonly string[];
}

/** Finds misspelled names. Checks only `.env`, because the environment also has variables of other programs. */
export function misspellingsIn(dotenv: string, names: readonly string[]): readonly Misspelling[] {
  return Object.keys(parseDotenv(dotenv)).flatMap((name) => {
    if (names.includes(name) || NAMES_OF_OTHERS.test(name) || name.startsWith("EXCHANGE_")) {
      return [];
    }
    const similar = nearest(name, names);
    return similar.length === 0 ? [] : [{ name, similar }];
  });
}
