/** The page: shows the daemon's status, and asks for the token if one is needed. @module */
import { showAlerts, tellAlertAges } from "./alerts.js";
import { BackfillPace } from "./backfill_pace.js";
import { Chart } from "./chart.js";
import { Events } from "./events.js";
import { keepToken, listen, TokenError } from "./feed.js";
import { Funding } from "./funding.js";
import { Nodes } from "./nodes.js";
import { Overview } from "./overview.js";
import { PageState } from "./page_state.js";
import { nameOf } from "./series_row.js";
import { SeriesTable } from "./series_table.js";
import { legendEntries } from "./state.js";
import { age, byId, compact, count, element, percent, setText } from "./text.js";

/**
 * @typedef {import("../status.ts").Status} Status
 * @typedef {import("../news.ts").News} News
 */

const state = new PageState();
const events = new Events();
const chart = new Chart();
const overview = new Overview();
const funding = new Funding();
const nodes = new Nodes();
const pace = new BackfillPace();
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
    state.onToken(error.isWrong ? `${error.message}: it is not the daemon's HTTP_TOKEN.` : "");
  }
}

/** @param {Error} error */
function onLost(error) {
  chart.lose();
  state.onLost(error);
}

/**
 * @param {{ now: string, status?: Status, news?: News, error?: string,
 *   forming?: import("./chart_candles.js").Candle | null }} event
 */
function onEvent({ now, status, news, error, forming }) {
  const nowMs = Date.parse(now);
  if (forming !== undefined) return chart.form(forming);
  if (news !== undefined) {
    showAlerts(news, nowMs);
    events.update(news.events, nowMs);
    return;
  }
  state.onEvent(now, error);
  // What is shown stays as it was told, with its ages.
  if (error !== undefined) return;
  tellAlertAges(nowMs);
  events.tell(nowMs);
  if (status !== undefined) {
    const isFirst = newest === undefined;
    newest = status;
    pace.note(status.series, nowMs);
    showSums(status);
    events.offer(status.exchanges.map(({ exchange }) => exchange));
    table.update(status.series, {
      nowMs,
      pace,
      exchanges: new Map(status.exchanges.map((one) => [one.exchange, one])),
      jobs: new Map(status.jobs.map((one) => [one.job, one])),
    });
    void chart.update(status, nowMs);
    if (isFirst) performance.mark("series shown");
  } else table.tell(nowMs);
  if (newest === undefined) return;
  state.onStatus(newest, now);
  showAbout(newest, nowMs);
  overview.update(newest, nowMs);
  funding.update(newest.funding, nowMs);
  nodes.update(newest.nodes, nowMs);
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
