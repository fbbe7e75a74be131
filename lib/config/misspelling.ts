/** Finds names in `.env` that were probably meant for a setting: what they say would go unused in silence. @module */
import { parse as parseDotenv } from "dotenv";
import { nearest } from "../text/nearest.ts";

/** What Deno and others read, however near to a name of ours. */
const NAMES_OF_OTHERS = /^(?:(?:HTTPS?|ALL|NO)_PROXY|(?:DENO|PG|POSTGRES|TITAN10)_?\w*)$/i;

/** A name, and the settings that are like it. */
interface Misspelling {
  readonly name: string;
  readonly similar: readonly string[];
}

/** Only `.env` is looked at: the environment belongs to others as well. */
export function misspellingsIn(dotenv: string, names: readonly string[]): readonly Misspelling[] {
  return Object.keys(parseDotenv(dotenv)).flatMap((name) => {
    if (names.includes(name) || NAMES_OF_OTHERS.test(name) || name.startsWith("EXCHANGE_")) {
      return [];
    }
    const similar = nearest(name, names);
    return similar.length === 0 ? [] : [{ name, similar }];
  });
}
