/** Under the chart: the candles in view as a file, as SQL and as commands. @module */
import { copyButton } from "./copy_button.js";
import { ask, isGuarded } from "./feed.js";
import {
  csvOf,
  curlOf,
  exportOf,
  fileNameOf,
  jsonOf,
  PAGE_CANDLES_MAX,
  queryOf,
  slotsOf,
  sqlOf,
} from "./take_texts.js";
import { addCandles, byId, count, element, setText, time } from "./text.js";

/**
 * @typedef {import("./take_texts.js").View} View
 * @typedef {import("./take_texts.js").Candle} Candle
 */

/** A file of more is made by `titan10 export`: the browser holds all of it in memory. */
const FILE_CANDLES_MAX = 200_000;

export class Take {
  /** @type {View | undefined} */
  #view;
  #range = element("p", { class: "quiet" });
  #told = element("p", { class: "quiet", role: "status" });
  #sql = takenText("SQL", "take-sql");
  #curl = takenText("curl", "take-curl");
  #export = takenText("titan10", "take-export");
  #end = new AbortController();

  constructor() {
    const files = /** @type {const} */ (["csv", "json"]).map((kind) => {
      const button = element("button", { type: "button" }, `Download ${kind.toUpperCase()}`);
      button.id = `take-${kind}`;
      button.addEventListener("click", () => void this.#download(kind));
      return button;
    });
    byId("chart-take").replaceChildren(
      element("h3", {}, "Take these candles"),
      this.#range,
      element("div", { class: "files" }, ...files),
      this.#told,
      this.#sql.row,
      this.#curl.row,
      this.#export.row,
    );
  }

  /** @param {View} view what is in view now */
  show(view) {
    const { exchange, symbol, timeframe, isRollup, sinceMs, untilMs } = view;
    const known = this.#view;
    this.#view = view;
    if (
      known?.exchange !== exchange || known.symbol !== symbol || known.timeframe !== timeframe
    ) this.close();
    const [since, until] = [sinceMs, untilMs].map((ms) => time(new Date(ms).toISOString()));
    const slots = slotsOf(view);
    setText(
      this.#range,
      `${exchange} ${symbol} ${timeframe}, what is in view: ${since} to before ${until} UTC, ` +
        `at most ${count(slots)} ${slots === 1 ? "candle" : "candles"}.`,
    );
    this.#sql.show(sqlOf(view), "for psql, Grafana or titan10 query");
    this.#curl.show(
      curlOf(view, { origin: location.origin, isGuarded: isGuarded() }),
      slots > PAGE_CANDLES_MAX
        ? `the first ${count(PAGE_CANDLES_MAX)} of them, as JSON`
        : "as JSON",
    );
    this.#export.row.hidden = isRollup;
    if (!isRollup) this.#export.show(exportOf(view), "where the daemon's settings are");
  }

  /** Ends a download: its series is not shown any more. */
  close() {
    this.#end.abort();
    this.#end = new AbortController();
    setText(this.#told, "");
  }

  /** @param {"csv" | "json"} kind */
  async #download(kind) {
    const view = this.#view;
    if (view === undefined) return;
    this.close();
    const { signal } = this.#end;
    try {
      const candles = await loadAll(
        view,
        signal,
        (loaded) => setText(this.#told, `Loading: ${count(loaded)} candles`),
      );
      const text = kind === "csv" ? csvOf(view, candles) : jsonOf(view, candles);
      save(text, fileNameOf(view, kind), kind === "csv" ? "text/csv" : "application/json");
      const isCut = candles.length >= FILE_CANDLES_MAX;
      setText(
        this.#told,
        `${count(candles.length)} candles in ${fileNameOf(view, kind)}.` +
          (isCut ? " There are more: titan10 export writes all of them." : ""),
      );
    } catch (error) {
      if (signal.aborted) return;
      setText(
        this.#told,
        `Not downloaded: ${error instanceof Error ? error.message : String(error)}. Try again.`,
      );
    }
  }
}

/**
 * @param {View} view
 * @param {AbortSignal} signal
 * @param {(loaded: number) => void} onLoaded
 * @returns {Promise<Candle[]>}
 */
async function loadAll(view, signal, onLoaded) {
  /** @type {Candle[]} */
  const all = [];
  for (let { sinceMs } = view; sinceMs < view.untilMs && all.length < FILE_CANDLES_MAX;) {
    const { candles } = await ask("/candles", queryOf({ ...view, sinceMs }), signal);
    for (const candle of candles) all.push(candle);
    onLoaded(all.length);
    if (candles.length < PAGE_CANDLES_MAX) break;
    sinceMs = addCandles(view.timeframe, Date.parse(candles.at(-1).time), 1);
  }
  return all;
}

/** @param {string} text @param {string} name @param {string} type */
function save(text, name, type) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  element("a", { href: url, download: name }).click();
  // The download has its own hold on the blob once it has begun.
  AbortSignal.timeout(60_000).addEventListener("abort", () => URL.revokeObjectURL(url));
}

/**
 * A text to copy, what it is for, and its button.
 * @param {string} name
 * @param {string} id
 */
function takenText(name, id) {
  const code = element("code", { id });
  const what = element("span", { class: "quiet" });
  const button = copyButton(code, name);
  const row = element("div", { class: "taken" }, element("strong", {}, name), what, button, code);
  return {
    row,
    /** @param {string} text @param {string} use */
    show(text, use) {
      setText(code, text);
      setText(what, use);
      button.reset();
    },
  };
}
