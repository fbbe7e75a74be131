/** The table of nodes that share the archive: who leads, who works on what, and who is gone. Hidden while there is one. @module */
import { KeyedRows } from "./keyed_rows.js";
import { moment } from "./reasons.js";
import { age, byId, count, element, setText, time } from "./text.js";

/**
 * @typedef {import("../node_status.ts").NodeStatus} NodeStatus
 * @typedef {import("./reasons.js").Reason} Reason
 */

export class Nodes {
  /** @type {KeyedRows<{ readonly node: NodeStatus, readonly nowMs: number }>} */
  #rows = new KeyedRows(byId("nodes-rows"), nodeRow);

  /** @param {readonly NodeStatus[]} nodes @param {number} nowMs */
  update(nodes, nowMs) {
    // One node alone does everything, as with the embedded database.
    const isShown = nodes.length > 1;
    byId("nodes").hidden = !isShown;
    this.#rows.update(
      isShown ? nodes.map((node) => ({ node, nowMs })) : [],
      ({ node }) => node.node,
    );
    const gone = nodes.filter(({ isLive }) => !isLive).length;
    setText(byId("nodes-count"), gone === 0 ? "" : `${count(gone)} of ${count(nodes.length)} gone`);
    byId("nodes-count").classList.toggle("alarming", gone > 0);
  }
}

/** @param {NodeStatus} node @returns {string} */
export function nodeState({ kind, isLive, isLeader, leases, differs }) {
  if (!isLive) return "gone";
  if (kind === "backfill") return "backfill";
  if (isLeader) return "leads";
  if (differs.length > 0) return "differs";
  return leases === 0 ? "stands by" : "works";
}

/** @param {NodeStatus} node @param {number} nowMs @returns {Reason} */
export function nodeReason(node, nowMs) {
  const { isLive, seenAt, differs, exchanges } = node;
  if (!isLive) {
    return {
      level: "bad",
      text: `Not seen since ${moment(seenAt, nowMs)}. Other nodes have its symbols. ` +
        "If it was removed on purpose, this row goes a day later.",
    };
  }
  if (differs.length > 0) {
    return {
      level: "warn",
      text: `It works, but cannot lead: its settings differ. ${differs.join("; ")}.`,
    };
  }
  const barred = exchanges.flatMap(({ exchange, egress, bannedUntil, deniedSince, breaker }) => {
    if (deniedSince !== null) return [`${exchange} refuses ${egress}`];
    if (bannedUntil !== null && Date.parse(bannedUntil) > nowMs) {
      return [`${exchange} has banned ${egress} until ${moment(bannedUntil, nowMs)}`];
    }
    return breaker === "closed"
      ? []
      : [`the breaker of ${exchange} is ${breaker.replace("_", " ")}`];
  });
  return barred.length === 0
    ? { level: "good", text: "" }
    : { level: "warn", text: `${barred.join("; ")}.` };
}

/** @returns {{ readonly row: HTMLElement, readonly show: (one: { readonly node: NodeStatus, readonly nowMs: number }) => void }} */
function nodeRow() {
  const name = element("th", { scope: "row", role: "rowheader" });
  const pill = element("span", { class: "pill" });
  const egress = element("td", { role: "cell", title: "the address by which it asks exchanges" });
  const numbers = ["exchanges", "symbols"].map((what) =>
    element("td", { role: "cell", class: "number", "data-name": what })
  );
  const up = element("td", { role: "cell", class: "number" });
  const why = element("p", { class: "why" });
  const row = element(
    "tr",
    { role: "row" },
    name,
    element("td", { role: "cell" }, pill),
    egress,
    ...numbers,
    up,
    element("td", { role: "cell", class: "wide" }, why),
  );
  return {
    row,
    show({ node, nowMs }) {
      const { level, text } = nodeReason(node, nowMs);
      row.dataset["level"] = level;
      setText(name, node.name);
      name.title = `${node.version}, ${node.node}`;
      setText(pill, nodeState(node));
      pill.dataset["level"] = level;
      setText(egress, node.egress ?? "–");
      const names = [...new Set(node.exchanges.map(({ exchange }) => exchange))];
      for (const [at, value] of [names.length, node.leases].entries()) {
        setText(/** @type {HTMLElement} */ (numbers[at]), count(value));
      }
      const [asks] = numbers;
      if (asks !== undefined) asks.title = names.join(", ");
      setText(up, node.isLive ? age(nowMs - Date.parse(node.startedAt)) : "–");
      if (node.isLive) up.dataset["name"] = "up";
      else delete up.dataset["name"];
      up.title = `since ${time(node.startedAt)}`;
      setText(why, text);
    },
  };
}
