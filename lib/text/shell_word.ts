/** Writes a path or a name so that a shell reads it as one word: for commands that messages tell users to run. @module */

/** The text as it is where a shell gives no character of it a meaning, else in single quotes. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
