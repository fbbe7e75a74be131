/** Prices with as many decimals as their market has, and volumes that can be read. @module */

/** A number of JavaScript carries so many digits. */
const DIGITS_MAX = 15;

/**
 * Exchanges fill up with zeros: `64231.12000000` has two decimals.
 * @param {string} text
 * @returns {number}
 */
export function decimalsOf(text) {
  return /\.(\d*[1-9])0*$/.exec(text)?.[1]?.length ?? 0;
}

/**
 * The price as it was stored, with so many decimals; none that tells something is left out.
 * @param {string} text
 * @param {number} decimals
 * @returns {string}
 */
export function priceText(text, decimals) {
  const [whole = "", fraction = ""] = text.split(".");
  const kept = fraction.replace(/0+$/, "").padEnd(decimals, "0");
  return kept === "" ? whole : `${whole}.${kept}`;
}

/**
 * A place on the axis, as it would be written in a candle.
 * @param {number} price
 * @param {number} decimals
 * @returns {string}
 */
export function axisText(price, decimals) {
  const wholeDigits = Math.max(1, Math.floor(Math.log10(Math.abs(price) || 1)) + 1);
  const text = price.toFixed(Math.max(0, Math.min(decimals, DIGITS_MAX - wholeDigits)));
  return /^-0(?:\.0*)?$/.test(text) ? text.slice(1) : text;
}

/**
 * What was traded, with its unit as far as that is known.
 * @param {{ readonly volume: string, readonly volumeUnit?: "base" | "quote" | "contracts" | null,
 *   readonly volumeBase?: string | null }} candle
 * @param {string} symbol
 * @returns {string} `12.5 BTC`, `1,250 contracts = 12.5 BTC`
 */
export function volumeWords({ volume, volumeUnit, volumeBase }, symbol) {
  const [, base, quote] = /^([^/]+)\/([^:@]+)/.exec(symbol) ?? [];
  const text = volumeText(volume);
  if (volumeUnit === "base") return `${text} ${base}`;
  if (volumeUnit === "quote") return `${text} ${quote}`;
  if (volumeUnit !== "contracts") return text;
  return `${text} contracts${
    typeof volumeBase !== "string" ? "" : ` = ${volumeText(volumeBase)} ${base}`
  }`;
}

/** @param {string} text @returns {string} `1,234,567.5` */
export function volumeText(text) {
  const [whole = "", fraction] = priceText(text, 0).split(".");
  const grouped = whole.replace(/\B(?=(?:\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}
