/** Makes text from outside harmless to a terminal and to a reader of lines. @module */

/**
 * Replaces everything that moves a cursor, starts an escape sequence, breaks the line or turns the
 * direction of writing by a visible escape: `\x1b`, `\n`, `\u{202e}`.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const known = NAMES[character];
    if (known !== undefined) return known;
    const hex = character.codePointAt(0)!.toString(16);
    return hex.length <= 2 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
  });
}

/** C0, DEL and C1 controls; the bidirectional controls; the line and paragraph separators. */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

const NAMES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
