/** What has happened to the archive, newest first; all of it or of one exchange. @module */
import { ask } from "./feed.js";
import { age, byId, count, element, setText, time } from "./text.js";

/** @typedef {import("../news.ts").EventEntry} EventEntry */

/** How many are asked for at once. */
const ASKED = 50;

/** So many are kept on the page. */
const SHOWN_MAX = 500;

/** The list of events. */
export class Events {
  /** By id: one that happens again keeps its own. @type {Map<number, EventEntry>} */
  #known = new Map();
  /** Whether nothing older than what is shown is left to ask for. */
  #isWhole = false;
  #nowMs = 0;

  constructor() {
    byId("events-exchange").addEventListener("change", () => {
      this.#known.clear();
      void this.#ask({});
    });
    byId("events-older").addEventListener("click", () => {
      const oldest = this.#sorted().at(-1);
      void this.#ask(oldest === undefined ? {} : { before: oldest.time });
    });
  }

  /** @param {readonly EventEntry[]} events the newest of all @param {number} nowMs */
  update(events, nowMs) {
    const isFirst = this.#known.size === 0;
    this.#nowMs = nowMs;
    this.#add(
      events.filter(({ exchange }) => this.#exchange === "" || exchange === this.#exchange),
    );
    // All that there are came at once.
    if (isFirst && this.#exchange === "" && events.length < 20) this.#isWhole = true;
    this.#draw();
  }

  /** The exchanges to choose from. @param {readonly string[]} exchanges */
  offer(exchanges) {
    const select = this.#select;
    if (select.options.length === exchanges.length + 1) return;
    const chosen = select.value;
    select.replaceChildren(
      element("option", { value: "" }, "all exchanges"),
      ...exchanges.map((id) => element("option", { value: id }, id)),
    );
    select.value = exchanges.includes(chosen) ? chosen : "";
  }

  /** Says anew how long ago each was. @param {number} nowMs */
  tell(nowMs) {
    this.#nowMs = nowMs;
    for (
      const one of /** @type {NodeListOf<HTMLElement>} */ (
        byId("events-list").querySelectorAll("[data-time]")
      )
    ) {
      setText(one, `${age(nowMs - Date.parse(one.dataset["time"] ?? ""))} ago`);
    }
  }

  get #select() {
    return /** @type {HTMLSelectElement} */ (byId("events-exchange"));
  }

  get #exchange() {
    return this.#select.value;
  }

  /** @param {{ before?: string }} range */
  async #ask(range) {
    const exchange = this.#exchange;
    const of = exchange === "" ? {} : { exchange };
    try {
      const { events } = await ask("/eventlog", { limit: String(ASKED), ...of, ...range });
      if (exchange !== this.#exchange) return;
      this.#isWhole = events.length < ASKED;
      this.#add(events);
      this.#draw();
    } catch (error) {
      setText(byId("events-none"), error instanceof Error ? error.message : String(error));
      byId("events-none").hidden = false;
    }
  }

  /** @param {readonly EventEntry[]} events */
  #add(events) {
    for (const event of events) this.#known.set(event.id, event);
    for (const { id } of this.#sorted().slice(SHOWN_MAX)) this.#known.delete(id);
  }

  #sorted() {
    return [...this.#known.values()].sort((one, other) =>
      other.time.localeCompare(one.time) || other.id - one.id
    );
  }

  #draw() {
    const events = this.#sorted();
    byId("events-list").replaceChildren(...events.map(itemOf));
    setText(byId("events-none"), "Nothing has happened yet.");
    byId("events-none").hidden = events.length > 0;
    byId("events-older").hidden = this.#isWhole || events.length === 0 ||
      events.length >= SHOWN_MAX;
    this.tell(this.#nowMs);
  }
}

/** @param {EventEntry} event @returns {HTMLElement} */
function itemOf(event) {
  const { kind, tone, text } = event;
  const extras = extrasOf(event);
  return element(
    "li",
    { "data-tone": tone, "data-kind": kind },
    element(
      "time",
      { datetime: event.time, title: `${new Date(event.time).toLocaleString()} here` },
      element("span", { "data-time": event.time, class: "ago" }),
      element("span", { class: "exact quiet" }, time(event.time)),
    ),
    element(
      "p",
      {},
      text,
      ...extras === "" ? [] : [element("span", { class: "quiet" }, ` · ${extras}`)],
    ),
  );
}

/** @param {EventEntry} event @returns {string} `1,234 candles · 37 times since 12:03` */
function extrasOf({ times, since, candles }) {
  return [
    ...candles === null ? [] : [`${count(candles)} candle${candles === 1 ? "" : "s"}`],
    ...times === 1 ? [] : [`${count(times)} times since ${time(since)}`],
  ].join(" · ");
}
