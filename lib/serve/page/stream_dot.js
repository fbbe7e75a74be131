/** Whether the candles of an exchange are streamed: a dot, and a sentence that says more. @module */
import { moment } from "./reasons.js";
import { count, element, setText } from "./text.js";

/** @typedef {import("../status.ts").ExchangeStatus} ExchangeStatus */

/** @returns {{ readonly cell: HTMLElement, readonly show: (status: ExchangeStatus, nowMs: number) => void }} */
export function streamDot() {
  const dot = element("span", { class: "dot", "aria-hidden": "true" });
  const word = element("span", {});
  // A title is not read out everywhere.
  const more = element("span", { class: "hidden" });
  const cell = element("td", { role: "cell", class: "stream" }, dot, word, more);
  return {
    cell,
    show(status, nowMs) {
      const state = status.stream?.state ?? "off";
      const text = streamText(status, nowMs);
      cell.dataset["stream"] = state;
      cell.title = text;
      setText(word, state);
      setText(more, `: ${text}`);
    },
  };
}

/**
 * @param {ExchangeStatus} status
 * @param {number} nowMs
 * @returns {string} one or two sentences
 */
export function streamText({ exchange, stream }, nowMs) {
  if (stream === null) {
    return `Candles of ${exchange} are not streamed: the daemon is starting, or its settings do not name ${exchange}.`;
  }
  const { state, why, since, connections, open, lastMessageAt, lastEnd } = stream;
  if (state === "off") return `Candles of ${exchange} come by polls alone: ${why}.`;
  if (since === null) {
    return `The stream of ${exchange} is not open yet: its markets are not loaded.`;
  }
  const from = ` since ${moment(since, nowMs)}`;
  const last = lastMessageAt === null
    ? "no message yet"
    : `last message ${moment(lastMessageAt, nowMs)}`;
  const end = lastEnd === null
    ? ""
    : ` The last connection that ended did at ${
      moment(lastEnd.at, nowMs)
    } (${lastEnd.reason}: ${lastEnd.why}).`;
  const what = state === "up"
    ? `Candles of ${exchange} are streamed${from}`
    : `The stream of ${exchange} is down${from}, and candles come by polls`;
  return `${what}: ${count(open)} of ${count(connections)} connections open, ${last}.${end}`;
}
