/**
 * Formats numbers and times, and makes elements. Text from an exchange becomes a text node, never HTML.
 * @module
 */

const NUMBER = new Intl.NumberFormat("en");

const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** @param {number} value @returns {string} `12,345` */
export function count(value) {
  return NUMBER.format(value);
}

/** @param {number} value @returns {string} `12.3M` */
export function compact(value) {
  return value < 100_000 ? NUMBER.format(value) : COMPACT.format(value);
}

/**
 * @param {number} share 0 to 1
 * @returns {string} 100 % only if nothing is missing, 0 % only if there is nothing.
 */
export function percent(share) {
  if (share >= 1) return "100 %";
  if (share <= 0) return "0 %";
  if (share < 0.001) return "< 0.1 %";
  return `${Math.min(99.9, Math.round(share * 1000) / 10)} %`;
}

/** @param {string} iso @returns {string} `2026-01-31 12:05`, without the time if it is midnight */
export function time(iso) {
  const [day = "", clock = ""] = iso.split("T");
  const [hours, minutes, seconds] = clock.slice(0, 8).split(":");
  if (hours === "00" && minutes === "00" && seconds === "00") return day;
  return `${day} ${hours}:${minutes}${seconds === "00" ? "" : `:${seconds}`}`;
}

/**
 * Exchanges choose the names of their markets: a shell must take each for one word, whatever is in it.
 * @param {string} text
 * @returns {string}
 */
export function shellWord(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** @param {number} ms @returns {string} `45 s`, `12 min`, `5 h`, `3 d` */
export function age(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${count(Math.round(seconds / 86_400))} d`;
}

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/**
 * The open time of the candle that is `steps` candles away.
 * @param {string} timeframe `1m`, `1M`
 * @param {number} openTimeMs
 * @param {number} steps
 * @returns {number} milliseconds
 */
export function addCandles(timeframe, openTimeMs, steps) {
  const [, number = "1", unit = "m"] = /^(\d+)(\w)$/.exec(timeframe) ?? [];
  if (unit === "M" || unit === "y") {
    const date = new Date(openTimeMs);
    const months = Number(number) * (unit === "y" ? 12 : 1) * steps;
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1);
  }
  return openTimeMs + Number(number) * UNITS_MS[/** @type {"s"} */ (unit)] * steps;
}

/**
 * Makes an element with text or other elements in it.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Readonly<Record<string, string | undefined>>} attributes
 * @param {...(string | Node)} content
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...content);
  return made;
}

/**
 * The element of index.html with this id.
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return /** @type {T} */ (/** @type {unknown} */ (found));
}

/** Does nothing if the node has this text already. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
