/** What stands in for a chart, or above it: that it is empty, fails or cannot be asked for, why, and what to do. @module */
import { nearSeries } from "./near_series.js";
import { dateText } from "./dates.js";
import { linkOf } from "./permalink.js";
import { AnswerError, AwayError, TokenError } from "./feed.js";
import { age, byId, count, element } from "./text.js";

/**
 * @typedef {import("../status.ts").SeriesStatus} SeriesStatus
 * @typedef {import("./chart_candles.js").Shown} Shown
 * @typedef {{
 *   readonly kind: "loading" | "empty" | "note" | "failed" | "away" | "locked" | "unknown",
 *   readonly title: string,
 *   readonly text: string,
 *   readonly links?: readonly Shown[],
 *   readonly action?: { readonly text: string, readonly act: () => void },
 * }} ChartState
 */

/** @type {ChartState} */
export const LOADING = { kind: "loading", title: "Loading", text: "" };

/** @param {string | undefined} text @returns {ChartState | undefined} */
export function noteState(text) {
  return text === undefined ? undefined : { kind: "note", title: "", text };
}

/**
 * @param {ChartState | undefined} state undefined where the candles say all
 * @param {{ readonly isAlone: boolean }} options whether there are no candles beside it
 */
export function drawState(state, { isAlone }) {
  const place = byId("chart-state");
  place.hidden = state === undefined;
  if (state === undefined) return place.replaceChildren();
  const { kind, title, text, links = [], action } = state;
  place.dataset["kind"] = kind;
  place.classList.toggle("alone", isAlone);
  place.setAttribute("role", /^(?:failed|away|locked)$/.test(kind) ? "alert" : "status");
  const button = action === undefined
    ? []
    : [element("button", { type: "button", id: "chart-act" }, action.text)];
  button[0]?.addEventListener("click", () => action?.act());
  place.replaceChildren(
    ...title === "" ? [] : [element("strong", {}, title)],
    ...text === "" ? [] : [element("p", {}, text)],
    ...links.length === 0 ? [] : [
      element(
        "ul",
        { "aria-label": "Series with a similar name" },
        ...links.map((shown) => {
          const { exchange, symbol, timeframe } = shown;
          const name = `${exchange} ${symbol} ${timeframe}`;
          return element("li", {}, element("a", { href: linkOf(shown) }, name));
        }),
      ),
    ],
    ...button,
  );
}

/**
 * @param {unknown} error of a request
 * @param {() => void} again
 * @param {Parameters<typeof failureState>[2]} asked
 * @returns {{ readonly state: ChartState, readonly again: (() => void) | undefined, readonly retryMs: number | undefined }}
 *   what is tried again when the daemon is heard, or after which time by itself
 */
export function failureOf(error, again, asked) {
  const retryMs = error instanceof AnswerError ? error.retryMs : undefined;
  const state = failureState(error, again, asked);
  const isFinal = state.kind === "unknown" || retryMs !== undefined;
  return { state, again: isFinal ? undefined : again, retryMs };
}

/**
 * @param {unknown} error of a request
 * @param {() => void} again
 * @param {{ readonly shown: Shown, readonly all: readonly SeriesStatus[] }} asked
 * @returns {ChartState}
 */
function failureState(error, again, { shown, all }) {
  const action = { text: "Try again", act: again };
  if (error instanceof TokenError) {
    return {
      kind: "locked",
      title: "The token is not accepted",
      text: `${
        error.isWrong ? "The daemon has another token now" : "The daemon asks for a token"
      }: the value of HTTP_TOKEN. Enter it, and this chart opens again.`,
      action: { text: "Enter the token", act: () => location.reload() },
    };
  }
  if (error instanceof AwayError) return awayState(again);
  if (!(error instanceof AnswerError)) {
    return {
      kind: "failed",
      title: "The chart cannot be drawn",
      text: `${error instanceof Error ? error.message : error}. Load the page again.`,
      action: { text: "Load again", act: () => location.reload() },
    };
  }
  const { status, retryMs, message } = error;
  if (status === 404) return unknownState(shown, nearSeries(shown, all), message);
  const said = /[.!?]$/.test(message) ? message : `${message}.`;
  if (status === 503) {
    const when = retryMs === undefined
      ? "when the daemon tells of itself again"
      : `in ${age(retryMs)}`;
    return {
      kind: "failed",
      title: "The daemon cannot answer now",
      text: `${said} This chart asks again ${when}.`,
      action,
    };
  }
  const todo = status >= 500
    ? "The daemon's log says more. This chart asks again when the daemon tells of itself."
    : "";
  return {
    kind: "failed",
    title: `The candles cannot be shown (${status})`,
    text: `${said} ${todo}`.trim(),
    action,
  };
}

/** @param {() => void} again @returns {ChartState} */
export function awayState(again) {
  return {
    kind: "away",
    title: "The daemon cannot be reached",
    text: "It has stopped, or the network is away. Once it answers, this chart goes on by itself.",
    action: { text: "Try again", act: again },
  };
}

/**
 * Where no candle is in the loaded time.
 * @param {SeriesStatus | undefined} series undefined where it is calculated from another
 * @param {{ readonly base: string | null, readonly lastMs: number | undefined, readonly onNewest: () => void }} known
 *   the timeframe that it is calculated from, and its newest candle, if it has any
 * @param {import("./dates.js").Writing} writing
 * @returns {ChartState}
 */
export function emptyState(series, { base, lastMs, onNewest }, writing) {
  if (lastMs !== undefined) {
    const last = dateText(lastMs, writing);
    const why = base === null
      ? "The reason is shaded and listed below"
      : `The reason is told in ${base}`;
    return {
      kind: "empty",
      title: "No candle here",
      text: `${why}. The newest one stored is of ${last}.`,
      action: { text: "Show the newest", act: onNewest },
    };
  }
  const title = "No candle is stored yet";
  if (series === undefined) {
    const text = `It is calculated from ${
      base ?? "another timeframe"
    }: look there for what is stored and owed.`;
    return { kind: "empty", title, text };
  }
  const { owed, missing, explained, lastError } = series;
  const text = lastError !== null
    ? `The exchange refuses this series: ${
      lastError.replace(/\.$/, "")
    }. Look at the spelling of its symbol and timeframe, and at what titan10 doctor says.`
    : owed > 0
    ? `${
      count(owed)
    } candles are owed. The next backfill fetches them, or at once: titan10 backfill.`
    : missing > 0
    ? `${count(missing)} candles are missing and are fetched again by themselves.`
    : explained > 0
    ? "The exchange has none: why is listed below."
    : "Nothing is asked for: BACKFILL reaches back to no candle of this timeframe. The first one comes when it has closed.";
  return { kind: "empty", title, text };
}

/**
 * @param {Shown} asked
 * @param {readonly Shown[]} near
 * @param {string} [said] by the daemon
 * @returns {ChartState}
 */
export function unknownState({ exchange, symbol, timeframe }, near, said) {
  const name = [exchange, symbol, timeframe].filter((word) => word !== "").join(" ");
  const why = said ??
    (timeframe === "" ? `The link names no timeframe: ${name}` : `${name} is not in this archive`);
  return {
    kind: "unknown",
    title: "There is no such series",
    text: near.length > 0
      ? `${why}. Similar names are:`
      : `${why}, and no name is similar. Close the chart and search the table.`,
    links: near,
  };
}
