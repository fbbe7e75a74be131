/**
 * Other series over the chart, as lines: the same symbol of other exchanges, the same base against another dollar, and the other
 * prices of the market itself.
 * @module
 */
import { ChartCandles } from "./chart_candles.js";
import { AnswerError } from "./feed.js";
import { priceText } from "./price_text.js";
import { addCandles, byId, element, setText } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {import("./chart_candles.js").Shown} Shown
 * @typedef {{ readonly place: number, readonly candles: ChartCandles }} OtherLine
 * @typedef {{ readonly place: number, readonly shown: Shown, candles: ChartCandles, trouble: string }} Other
 */

/** As many as there are colours and dashes that can be told apart. */
const LINES_MAX = 5;

/** The newest candles may be revised. */
const REVISABLE_CANDLES = 5;

/** Quotes that are worth the same, so that prices can be compared. */
const DOLLARS = ["USD", "USDT", "USDC", "FDUSD", "DAI", "TUSD", "PYUSD", "USDE"];

export class OtherExchanges {
  /** @type {Map<string, Other>} The switched on ones by name. */
  #on = new Map();
  /** @type {Map<string, HTMLButtonElement>} */
  #buttons = new Map();
  /** @type {Shown | undefined} */
  #shown;
  #onChange;

  /** @param {() => void} onChange called when a line was switched on or off */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** @returns {readonly OtherLine[]} */
  get lines() {
    return [...this.#on.values()];
  }

  /**
   * Offers what can be laid over a series. Lines stay switched on when the timeframe or the window changes.
   * @param {Shown} shown
   * @param {readonly SeriesStatus[]} all
   */
  offer(shown, all) {
    const offered = comparable(shown, all);
    const isSame = this.#shown?.exchange === shown.exchange && this.#shown.symbol === shown.symbol;
    for (const other of this.#on.values()) other.candles.drop();
    for (const [name, { place, shown: { exchange, symbol } }] of [...this.#on]) {
      if (!isSame) this.#on.delete(name);
      else this.#on.set(name, otherOf({ exchange, symbol, timeframe: shown.timeframe }, place));
    }
    this.#shown = shown;
    byId("chart-others").hidden = offered.length === 0;
    this.#buttons = new Map(offered.map((other) => {
      const name = nameOf(other);
      const known = isSame ? this.#buttons.get(name) : undefined;
      const button = known ?? element(
        "button",
        { type: "button" },
        element("span", { class: "line" }),
        element("span", {}, name),
        element("span", { class: "price" }),
      );
      button.onclick = () =>
        this.#switch(name, { ...other, timeframe: this.#shown?.timeframe ?? "" });
      return [name, button];
    }));
    byId("chart-others-list").replaceChildren(...this.#buttons.values());
    this.#mark();
  }

  /** Switches all off. */
  drop() {
    for (const { candles } of this.#on.values()) candles.drop();
    this.#on.clear();
    this.#shown = undefined;
  }

  /**
   * Loads what is new of a window, and drops what is outside of it.
   * @param {number} sinceMs
   * @param {number} untilMs
   */
  async cover(sinceMs, untilMs) {
    await Promise.all([...this.#on.values()].map((other) => coverOne(other, sinceMs, untilMs)));
    this.#mark();
  }

  /**
   * Tells the closes at a time.
   * @param {number | undefined} openTimeMs
   * @param {number | undefined} close of the series that they are laid over
   */
  tell(openTimeMs, close) {
    const isPremium = this.#shown?.symbol.endsWith("@premium") ?? false;
    for (const [name, { candles, trouble }] of this.#on) {
      const place = this.#buttons.get(name)?.lastElementChild;
      if (place === null || place === undefined) continue;
      const candle = openTimeMs === undefined ? undefined : candles.at(openTimeMs);
      const apart = candle === undefined || close === undefined || close === 0 || isPremium
        ? ""
        : ` (${signed((Number(candle.close) / close - 1) * 100)} %)`;
      const price = candle === undefined
        ? "no candle"
        : `${priceText(candle.close, candles.decimals)}${apart}`;
      setText(place, trouble === "" ? price : trouble);
    }
  }

  /** @param {string} name @param {Shown} shown */
  #switch(name, shown) {
    const known = this.#on.get(name);
    if (known !== undefined) {
      known.candles.drop();
      this.#on.delete(name);
    } else {
      const taken = [...this.#on.values()].map(({ place }) => place);
      const place = Array.from({ length: LINES_MAX }, (_, at) => at).find((at) =>
        !taken.includes(at)
      );
      if (place === undefined) return;
      this.#on.set(name, otherOf(shown, place));
    }
    this.#mark();
    this.#onChange();
  }

  #mark() {
    const isFull = this.#on.size >= LINES_MAX;
    for (const [name, button] of this.#buttons) {
      const other = this.#on.get(name);
      button.setAttribute("aria-pressed", String(other !== undefined));
      button.disabled = isFull && other === undefined;
      button.title = button.disabled ? `At most ${LINES_MAX} at once: switch one off first` : "";
      const [line, , price] = button.children;
      /** @type {HTMLElement} */ (line).dataset["place"] = String(other?.place ?? "");
      if (other === undefined && price !== undefined) setText(price, "");
    }
  }
}

/** @param {Shown} shown @param {number} place @returns {Other} */
function otherOf(shown, place) {
  return { place, shown, candles: new ChartCandles(shown, { hasReasons: false }), trouble: "" };
}

/** @param {Other} other @param {number} sinceMs @param {number} untilMs */
async function coverOne(other, sinceMs, untilMs) {
  const { candles, shown: { timeframe } } = other;
  try {
    if (candles.untilMs < sinceMs || candles.sinceMs > untilMs) {
      await candles.load(sinceMs, untilMs);
    } else {
      if (sinceMs < candles.sinceMs) await candles.load(sinceMs, candles.sinceMs);
      const newMs = addCandles(timeframe, candles.untilMs, -REVISABLE_CANDLES);
      if (untilMs > candles.untilMs) await candles.load(Math.max(sinceMs, newMs), untilMs);
      candles.keep(sinceMs, untilMs);
    }
    other.trouble = "";
  } catch (error) {
    const isThere = !(error instanceof AnswerError && error.status === 404);
    other.trouble = isThere
      ? "could not be read, is asked for again"
      : `not archived in ${timeframe}`;
  }
}

/**
 * @param {Shown} shown
 * @param {readonly SeriesStatus[]} all
 * @returns {readonly Pick<Shown, "exchange" | "symbol">[]} the same symbol first
 */
function comparable(shown, all) {
  /** @type {Map<string, Pick<Shown, "exchange" | "symbol">>} */
  const found = new Map();
  for (const { exchange, symbol } of all) {
    if (exchange === shown.exchange && symbol === shown.symbol) continue;
    const isSameMarket = exchange === shown.exchange && areOfOneMarket(symbol, shown.symbol);
    if (symbol === shown.symbol || isSameMarket || areDollars(symbol, shown.symbol)) {
      found.set(nameOf({ exchange, symbol }), { exchange, symbol });
    }
  }
  const rank = (/** @type {{ symbol: string }} */ { symbol }) => symbol === shown.symbol ? 0 : 1;
  return [...found.values()].sort((a, b) => rank(a) - rank(b) || (nameOf(a) < nameOf(b) ? -1 : 1));
}

/** Whether two prices of one market can be laid over each other. @param {string} a @param {string} b @returns {boolean} */
function areOfOneMarket(a, b) {
  const [one, other] = [a, b].map((symbol) => symbol.replace(/@(?:mark|index)$/, ""));
  return one === other;
}

/** Whether two spot markets trade one coin for dollars. @param {string} a @param {string} b @returns {boolean} */
function areDollars(a, b) {
  const [[base, quote = ""], [otherBase, otherQuote = ""]] = [a.split("/"), b.split("/")];
  return base === otherBase && DOLLARS.includes(quote) && DOLLARS.includes(otherQuote);
}

/** @param {Pick<Shown, "exchange" | "symbol">} series @returns {string} */
function nameOf({ exchange, symbol }) {
  return `${exchange} ${symbol}`;
}

/** @param {number} percent @returns {string} `+0.05`, `−0.10` */
function signed(percent) {
  const text = Math.abs(percent).toFixed(2);
  return `${text === "0.00" ? "±" : percent < 0 ? "−" : "+"}${text}`;
}
