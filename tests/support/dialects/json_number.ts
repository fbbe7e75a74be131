/** Decimal text as the JSON number that some exchanges write instead. @module */

/** Newer than TypeScript's own declarations. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/**
 * The number itself, digit for digit, where the text is one. What a fault made of it stays as it is: nothing,
 * or a text that names no number.
 */
export function jsonNumber(text: string | null | undefined): unknown {
  return typeof text === "string" && /^-?\d+(\.\d+)?$/.test(text) ? rawJSON(text) : text;
}
