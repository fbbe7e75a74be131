/** Keeps short texts of an answer from becoming huge numbers in CCXT's arithmetic. @module */

/** No exchange has more decimal places, or longer numbers. */
const PRECISION_MAX = 100;
const CHARACTERS_MAX = 200;
const EXPONENT_MAX = 400;

/** CCXT's class for decimal numbers, whose exponents it writes out as digits. */
type Precise = Record<string, unknown>;

/** The part of a CCXT instance that is replaced here. */
export interface Rounding {
  parsePrecision: (precision: unknown) => unknown;
}

let bounded: Promise<void> | undefined;

/**
 * Has all arithmetic of CCXT refuse texts that would become huge: `1e400000000` takes minutes and 160 MB.
 *
 * @param main CCXT's main module
 */
export async function boundPrecise(main: string): Promise<void> {
  bounded ??= import(new URL("./src/base/Precise.js", main).href).then(({ default: precise }) => {
    replaceMethods(precise);
  });
  await bounded;
}

/** Has CCXT refuse a number of decimal places that it would write out as so many zeros. */
export function boundNumbers(exchange: Rounding): void {
  const parsePrecision = exchange.parsePrecision.bind(exchange);
  exchange.parsePrecision = (precision) => {
    if (Math.abs(Number(precision)) > PRECISION_MAX) {
      throw new RangeError(`Cannot read a precision of ${precision} decimal places`);
    }
    return parsePrecision(precision);
  };
}

function replaceMethods(precise: Precise): void {
  for (const name of Object.getOwnPropertyNames(precise)) {
    const method = precise[name];
    if (!name.startsWith("string") || typeof method !== "function") continue;
    precise[name] = (...texts: unknown[]) => {
      for (const text of texts) if (typeof text === "string") assertShort(text);
      return method.apply(precise, texts);
    };
  }
}

function assertShort(text: string): void {
  const at = text.search(/[eE]/);
  const exponent = at === -1 ? 0 : parseInt(text.slice(at + 1));
  if (text.length <= CHARACTERS_MAX && !(Math.abs(exponent) > EXPONENT_MAX)) return;
  throw new RangeError(`Cannot calculate with ${text.slice(0, CHARACTERS_MAX)}`);
}
