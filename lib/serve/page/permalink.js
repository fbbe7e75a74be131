/** Permalinks of charts, `#binance/BTC/USDT/1m@2024-03-01T12:30`: written, read and kept in the address. Always UTC. @module */
import { pause } from "./feed.js";
import { readDate } from "./dates.js";

/**
 * @typedef {import("./chart_candles.js").Shown} Shown
 * @typedef {Shown & { readonly atMs: number | undefined, readonly date: string | undefined }} Link `date` is what follows
 *   the `@` as it was written, and `atMs` what it means; undefined if it is no date
 */

/** Browsers refuse many changes of the address in a short time. */
const REWRITE_MS = 300;

/** What a browser, a shell or a chat may take for something else; the rest of a symbol can be read. */
const READABLE = /%(?:2F|3A|40|24|26|2B|2C|3B|3D)/g;

/**
 * @param {Shown} shown
 * @param {number} [atMs] the open time of the candle in the middle; undefined for the newest
 * @returns {string} with the `#`
 */
export function linkOf({ exchange, symbol, timeframe }, atMs) {
  const name = encodeURIComponent(`${exchange}/${symbol}/${timeframe}`.toWellFormed())
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(READABLE, decodeURIComponent);
  if (atMs === undefined) return `#${name}`;
  const date = new Date(atMs).toISOString().replace(/(?:T00:00:00|:00)?\.000Z$/, "");
  return `#${name}@${date}`;
}

/**
 * The exchange comes first and the timeframe last: what is between them is the symbol, whatever is in it.
 * @param {string} hash
 * @returns {Link | undefined} undefined if it is no link to a chart; the timeframe is "" if it names none
 */
export function readLink(hash) {
  const [, exchange, rest] = /^#?\/?([^/]+)\/(.+)$/su.exec(decoded(hash)) ?? [];
  if (exchange === undefined || rest === undefined) return undefined;
  const [, symbol = rest, timeframe = "", date] =
    /^(.+)\/([1-9]\d{0,3}[smhdwMy])(?:@([^/]*))?$/su.exec(rest) ?? [];
  const atMs = date === undefined ? undefined : readDate(date, "UTC")?.sinceMs;
  return { exchange, symbol, timeframe, date, atMs };
}

/** Written by hand, a percent sign may stand for itself. @param {string} hash @returns {string} */
function decoded(hash) {
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}

/** The address of the page, which names the open chart. */
export class Address {
  /** @type {string | undefined} What to write next. */
  #next;
  /** What was written or followed last: a link that is written by hand fires two events. */
  #last = "";

  /** @param {() => void} onFollow called when the user goes back or forward, or writes another link */
  constructor(onFollow) {
    const follow = () => {
      if (location.hash === this.#last) return;
      this.#next = undefined;
      this.#last = location.hash;
      onFollow();
    };
    addEventListener("popstate", follow);
    addEventListener("hashchange", follow);
  }

  get link() {
    this.#last = location.hash;
    return readLink(location.hash);
  }

  /** A new step in the browser's history. @param {string} hash "" for the page without a chart */
  push(hash) {
    this.#next = undefined;
    if (location.hash === hash) return;
    history.pushState(null, "", hash === "" ? location.pathname : hash);
    this.#last = location.hash;
  }

  /** The same step in the history, moved. @param {string} hash */
  async move(hash) {
    const isWaiting = this.#next !== undefined;
    this.#next = hash;
    if (isWaiting) return;
    await pause(REWRITE_MS);
    if (this.#next !== undefined && location.hash !== this.#next) {
      history.replaceState(null, "", this.#next);
      this.#last = location.hash;
    }
    this.#next = undefined;
  }
}
