/** Reads numbers as files write them: with a decimal comma, or with marks between thousands. @module */

/** How a file writes numbers. */
export interface NumberStyle {
  readonly decimal: "." | ",";
  /** Whether the other mark may separate thousands: only where the user names the decimal mark. */
  readonly hasThousands: boolean;
}

const PLAIN_NUMBERS: NumberStyle = { decimal: ".", hasThousands: false };

const THOUSANDS = {
  ".": /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?$/,
  ",": /^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?$/,
};

/** Spaces of any width, and apostrophes, between thousands, as in French and Swiss tables: no mark of decimals is one. */
const SPACED = /^[+-]?\d{1,3}(?:([\s'’])\d{3})(?:\1\d{3})*(?:[.,]\d*)?$/;

/** Whether spaces or apostrophes stand between thousands. */
export function hasSpacedThousands(text: string): boolean {
  return SPACED.test(text.trim());
}

/** A number with a decimal point and no other marks; undefined where the text has a mark at a place that the style has none. */
export function plainNumber(
  text: string,
  { decimal, hasThousands }: NumberStyle,
): string | undefined {
  const trimmed = text.trim();
  const value = hasThousands && SPACED.test(trimmed) ? trimmed.replaceAll(/[\s'’]/g, "") : trimmed;
  const other = decimal === "." ? "," : ".";
  if (!value.includes(",") && (decimal === "." || !value.includes("."))) return value;
  if (value.includes(other)) {
    if (!hasThousands || !THOUSANDS[decimal].test(value)) return undefined;
    return value.replaceAll(other, "").replace(decimal, ".");
  }
  return value.replace(decimal, ".");
}

/** What numbers of a file tell of its decimal mark. */
export class DecimalProof {
  #hasCommas = false;
  #hasPoints = false;
  #isDecimal = false;
  #mixed: string | undefined;

  add(text: string): void {
    if (text.includes(".")) this.#hasPoints = true;
    if (!text.includes(",")) return;
    const value = text.trim();
    const comma = /^[+-]?(\d+),(\d+)$/.exec(value);
    if (comma === null) {
      if (/^[+-]?\d[\d.,]*$/.test(value)) this.#mixed ??= value;
      return;
    }
    this.#hasCommas = true;
    if (comma[1]!.length > 3 || comma[2]!.length !== 3) this.#isDecimal = true;
  }

  /** The same of a number without a comma. */
  addPlain(hasPoint: boolean): void {
    if (hasPoint) this.#hasPoints = true;
  }

  /** Whether commas are decimal marks; a text is a number that may mean two. */
  style(): NumberStyle | string {
    if (this.#mixed !== undefined) return this.#mixed;
    if (!this.#hasCommas) return PLAIN_NUMBERS;
    return this.#isDecimal && !this.#hasPoints ? { decimal: ",", hasThousands: false } : "";
  }

  /** Whether a comma was seen: what is a number is known only after the last row. */
  get hasCommas(): boolean {
    return this.#hasCommas;
  }
}
