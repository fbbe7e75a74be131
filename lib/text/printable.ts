/** Makes text from outside safe to print in a terminal or a log. @module */

/**
 * Replaces control characters, line breaks and characters that change the writing direction by visible escapes: `\x1b`,
 * `\n`, `\u{202e}`.
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
