/** JSON whose numbers keep every digit the exchange wrote. @module */

/**
 * A number outside quotes that a double may not hold exactly: 16 or more characters, or an exponent of
 * three digits. Strings are matched first, so that digits inside them are left alone.
 */
const RISKY_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.]{15,}(?:[eE][+-]?\d+)?|-?\d[\d.]*[eE][+-]?\d{3,}/g;

/**
 * Parses JSON like `JSON.parse`, except that numbers which a double might not hold exactly become strings
 * of their own digits. Fifteen significant digits always survive the way through a double, so those stay
 * numbers.
 *
 * @throws SyntaxError when the text is not JSON.
 */
export function parseExactJson(text: string): unknown {
  // Before anything is rewritten: putting quotes around numbers could turn a broken text into JSON, and the
  // search for the end of a string that was cut off would be slow.
  const plain: unknown = JSON.parse(text);
  if (!mayBeRisky(text)) return plain;
  return JSON.parse(
    text.replace(RISKY_NUMBER, (token) => token.startsWith('"') ? token : `"${token}"`),
  );
}

/** Characters by their codes: `\`, and below the point, the digits, e and E, + and -. */
const BACKSLASH = 92;

/** Whether a number outside quotes is worth the search: most answers hold none, and this is four times as quick. */
function mayBeRisky(text: string): boolean {
  for (let from = 0;;) {
    const quote = text.indexOf('"', from);
    const until = quote < 0 ? text.length : quote;
    let digits = 0;
    for (let at = from; at < until; at++) {
      const code = text.charCodeAt(at);
      if (isDigit(code) || code === 46) {
        if (++digits >= 16) return true;
      } else if ((code === 101 || code === 69) && digits > 0) {
        const sign = text.charCodeAt(at + 1);
        const first = sign === 43 || sign === 45 ? at + 2 : at + 1;
        if ([0, 1, 2].every((offset) => isDigit(text.charCodeAt(first + offset)))) return true;
        digits = 0;
      } else {
        digits = 0;
      }
    }
    if (quote < 0) return false;
    from = endOfString(text, quote) + 1;
    if (from === 0) return false;
  }
}

/** The quote that ends the string which begins at `start`; −1 when none does. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return -1;
    let escapes = 0;
    while (text.charCodeAt(quote - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return quote;
    at = quote + 1;
  }
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
