/** Prices as JSON numbers, for the dialects of exchanges that write them without quotes. @module */

/** Decimal text as a number; what is none, or is missing, stays as it is. */
export function jsonNumber<Text extends string | null | undefined>(text: Text): Text | number {
  return typeof text === "string" && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
