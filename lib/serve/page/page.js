/** The page: shows the daemon's status, and asks for the token if one is needed. @module */
import { Chart } from "./chart.js";
import { keepToken, listen, TokenError } from "./feed.js";
import { nameOf, SeriesTable } from "./series_table.js";
import { legendEntries } from "./state.js";
import { age, byId, compact, count, element, percent, setText, time } from "./text.js";

/** @typedef {import("../status.ts").Status} Status */

const chart = new Chart();
const table = new SeriesTable((series) => {
  // The focus returns to this button when the chart is closed.
  for (const button of document.querySelectorAll("button.open")) {
    if (button.getAttribute("aria-label")?.startsWith(`${nameOf(series)}:`)) {
      /** @type {HTMLElement} */ (button).focus();
    }
  }
  void chart.open(series);
});

/** @type {Status | undefined} */
let newest;

byId("legend").append(...legendEntries());
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(/** @type {HTMLInputElement} */ (byId("token")).value.trim());
  byId("token-form").hidden = true;
  void start();
});
void start();

async function start() {
  try {
    await listen({ onEvent, onLost });
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    chart.leave();
    byId("token-form").hidden = false;
    byId("content").hidden = true;
    setText(byId("token-hint"), error.isWrong ? `${error.message}.` : "");
    showLive("waiting", "closed");
    byId("token").focus();
  }
}

/** @param {{ now: string, status?: Status, error?: string }} event */
function onEvent({ now, status, error }) {
  const nowMs = Date.parse(now);
  showTrouble(error === undefined ? undefined : `${error}.`);
  showLive(error === undefined ? "live" : "lost", error === undefined ? "live" : "error");
  byId("live").title = `as of ${time(now)}`;
  if (status !== undefined) {
    const isFirst = newest === undefined;
    newest = status;
    byId("content").hidden = false;
    showSums(status);
    showExchanges(status, nowMs);
    table.update(status.series, nowMs);
    if (isFirst) performance.mark("series shown");
    void chart.update(status.series, nowMs);
  } else table.tell(nowMs);
  if (newest === undefined) return;
  showAbout(newest, nowMs);
  showJobs(newest, nowMs);
}

/** @param {Error} error */
function onLost(error) {
  chart.lose();
  showLive("lost", "not connected");
  showTrouble(
    `Not connected (${error.message}). Trying again. The values below are old.`,
  );
}

/** @param {string | undefined} text */
function showTrouble(text) {
  const trouble = byId("trouble");
  trouble.hidden = text === undefined;
  setText(trouble, text ?? "");
}

/** @param {string} state @param {string} text */
function showLive(state, text) {
  const live = byId("live");
  live.dataset["live"] = state;
  setText(live, text);
}

/** @param {Status} status @param {number} nowMs */
function showAbout({ version, startedAt, database }, nowMs) {
  const kind = database.kind === "embedded" ? "embedded database" : "server";
  const timescale = database.timescaledb === null ? "" : `, TimescaleDB ${database.timescaledb}`;
  const up = startedAt === null ? "" : ` · up ${age(nowMs - Date.parse(startedAt))}`;
  setText(byId("about"), `${version} · ${kind}${timescale}${up}`);
}

/** @param {Status} status */
function showSums({ series }) {
  const sum = { candles: 0, owed: 0, missing: 0, explained: 0 };
  for (const one of series) {
    sum.candles += one.candles;
    sum.owed += one.owed;
    sum.missing += one.missing;
    sum.explained += one.explained;
  }
  const known = sum.candles + sum.explained;
  const all = known + sum.owed + sum.missing;
  /** @type {readonly (readonly [string, string, string])[]} */
  const entries = [
    ["Series", count(series.length), ""],
    ["Stored", compact(sum.candles), "candles"],
    ["Explained", compact(sum.explained), "missing candles with a known reason"],
    ["Owed", compact(sum.owed), "candles not fetched yet"],
    [
      "Missing",
      compact(sum.missing),
      "missing candles without a reason yet; they are fetched again",
    ],
    ["Known", all === 0 ? "–" : percent(known / all), "stored or explained"],
  ];
  const place = byId("sums");
  if (place.childElementCount === 0) {
    place.append(...entries.map(([name, , what]) => {
      const value = element("dd", {});
      return element("div", { title: what }, element("dt", {}, name), value);
    }));
  }
  for (const [at, [name, value]] of entries.entries()) {
    const box = /** @type {Element} */ (place.children[at]);
    setText(/** @type {Node} */ (box.lastElementChild), value);
    box.classList.toggle("alarming", name === "Missing" && sum.missing > 0);
  }
}

const BREAKER_NAMES = { closed: "closed", open: "open", half_open: "half open" };

/** @param {Status} status @param {number} nowMs */
function showExchanges({ exchanges }, nowMs) {
  fill(
    byId("exchanges"),
    exchanges,
    ({ exchange, breaker, breakerOf, bannedUntil, paceMs, lastError }) => [
      element("th", { scope: "row" }, exchange),
      element(
        "td",
        {},
        element(
          "span",
          { class: "pill", "data-breaker": breaker },
          [BREAKER_NAMES[breaker], ...breakerOf].join(" "),
        ),
      ),
      bannedUntil === null ? element("td", { class: "zero" }, "none") : element(
        "td",
        { class: "alarming", title: `until ${time(bannedUntil)}` },
        `${age(Date.parse(bannedUntil) - nowMs)} left`,
      ),
      element(
        "td",
        { class: "number", title: "minimum time between two requests" },
        paceMs === null ? "–" : `${count(paceMs)} ms`,
      ),
      element(
        "td",
        { class: lastError === null ? "wide zero" : "wide error", title: lastError ?? undefined },
        lastError ?? "none",
      ),
    ],
  );
}

/** @param {Status} status @param {number} nowMs */
function showJobs({ jobs }, nowMs) {
  const ago = (/** @type {string | null} */ iso) =>
    element(
      "td",
      { class: "number", title: iso === null ? undefined : time(iso) },
      iso === null ? "never" : `${age(nowMs - Date.parse(iso))} ago`,
    );
  fill(byId("jobs"), jobs, ({ job, lastStart, lastSuccess, lastOutcome }) => [
    element("th", { scope: "row" }, job),
    element(
      "td",
      {},
      element(
        "span",
        { class: "pill", "data-outcome": lastOutcome ?? "none" },
        lastOutcome ?? "running",
      ),
    ),
    ago(lastStart),
    ago(lastSuccess),
  ]);
}

/**
 * @template T
 * @param {HTMLElement} body
 * @param {readonly T[]} rows
 * @param {(row: T) => HTMLElement[]} cellsOf
 */
function fill(body, rows, cellsOf) {
  body.replaceChildren(...rows.map((row) => {
    const cells = cellsOf(row);
    // On a phone the rows look like cards; the roles tell screen readers that they are still a table.
    for (const cell of cells) {
      cell.setAttribute("role", cell.tagName === "TH" ? "rowheader" : "cell");
    }
    return element("tr", { role: "row" }, ...cells);
  }));
}
