/** JSON whose numbers keep every digit the exchange wrote. @module */

/**
 * A number outside quotes that a double may not hold exactly: 16 or more characters, or an exponent of
 * three digits. Strings are matched first, so that digits inside them are left alone.
 */
const RISKY_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.]{15,}(?:[eE][+-]?\d+)?|-?\d[\d.]*[eE][+-]?\d{3,}/g;

/** Cheap test for the regular expression above: most answers hold no such number and skip it. */
const MAYBE_RISKY = /(?:^|[[,:\s])-?\d[\d.]{15,}|\d[eE][+-]?\d{3}/;

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
  if (!MAYBE_RISKY.test(text)) return plain;
  return JSON.parse(
    text.replace(RISKY_NUMBER, (token) => token.startsWith('"') ? token : `"${token}"`),
  );
}
