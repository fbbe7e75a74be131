/** Whether the page is told what is true now: connected, away, without its database, without the token. @module */
import { AwayError } from "./feed.js";
import { KeyedRows } from "./keyed_rows.js";
import { noticesOf } from "./notices.js";
import { age, byId, element, setText, time } from "./text.js";

/**
 * @typedef {import("../status.ts").Status} Status
 * @typedef {"connecting" | "live" | "away" | "unread" | "token"} State
 */

/** How the browser knows the state, for the pill at the top. */
const PILLS = {
  connecting: ["waiting", "connecting"],
  live: ["live", "live"],
  away: ["lost", "not connected"],
  unread: ["lost", "not current"],
  token: ["waiting", "token needed"],
};

export class PageState {
  /** The daemon's time of the newest status; undefined before the first. */
  #seen = /** @type {string | undefined} */ (undefined);
  /** The browser's own clock may be wrong: only differences of it count. */
  #seenAtMs = performance.now();
  #notices = new KeyedRows(byId("notices"), noticeRow);

  /** @param {Status} status @param {string} now */
  onStatus(status, now) {
    byId("content").hidden = false;
    byId("waiting").hidden = true;
    this.#notices.update(noticesOf(status, Date.parse(now)), ({ title }) => title);
  }

  /** The daemon has told something. @param {string} now @param {string | undefined} error why it cannot tell more */
  onEvent(now, error) {
    if (error === undefined) {
      this.#seen = now;
      this.#seenAtMs = performance.now();
      this.#enter("live", "");
      byId("live").title = `as of ${time(now)}`;
      return;
    }
    this.#enter("unread", `${error}. ${this.#shown()}`);
  }

  /** @param {Error} error */
  onLost(error) {
    // Browsers word this each in its own way, and a connection that ends while it tells is a TypeError.
    const isAway = error instanceof AwayError || error instanceof TypeError;
    const why = isAway ? "the daemon cannot be reached" : error.message;
    const sentence = `${why.charAt(0).toUpperCase()}${why.slice(1)}.`;
    this.#enter("away", `${sentence} It is tried again every few seconds. ${this.#shown()}`);
  }

  /** @param {string} hint what was wrong with the token; empty if none was given */
  onToken(hint) {
    this.#enter("token", "");
    byId("token-form").hidden = false;
    byId("content").hidden = true;
    byId("waiting").hidden = true;
    setText(byId("token-hint"), hint);
    const field = /** @type {HTMLInputElement} */ (byId("token"));
    field.setAttribute("aria-invalid", String(hint !== ""));
    field.focus();
    field.select();
  }

  #shown() {
    return this.#seen === undefined
      ? "There is nothing to show yet."
      : `What is shown below is of ${time(this.#seen)} UTC.`;
  }

  /** @param {State} state @param {string} trouble */
  #enter(state, trouble) {
    document.body.dataset["state"] = state;
    const [mark = "", words = ""] = PILLS[state];
    const live = byId("live");
    live.dataset["live"] = mark;
    setText(live, words);
    byId("trouble").hidden = trouble === "";
    setText(byId("trouble-text"), trouble);
    if (state === "away" || state === "unread") {
      setText(byId("waiting-text"), "No answer yet");
    }
    this.#tellAge();
  }

  /** With every new attempt. It is seen, not heard: a screen reader would read it each time. */
  #tellAge() {
    const isOld = this.#seen !== undefined && !byId("trouble").hidden;
    const text = isOld ? `Last seen ${age(performance.now() - this.#seenAtMs)} ago.` : "";
    setText(byId("trouble-age"), text);
  }
}

/** @returns {{ readonly row: HTMLElement, readonly show: (notice: import("./notices.js").Notice) => void }} */
function noticeRow() {
  const title = element("h2", {});
  const text = element("p", {});
  const row = element("section", { class: "panel state" }, title, text);
  return {
    row,
    show(notice) {
      row.dataset["level"] = notice.level;
      setText(title, notice.title);
      setText(text, notice.text);
    },
  };
}
