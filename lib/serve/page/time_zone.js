/** The time zone of the chart: chosen from a list, and remembered by the browser. @module */
import { offsetName } from "./dates.js";
import { byId, element } from "./text.js";

const KEPT_KEY = "titan10.timeZone";

/**
 * Fills the list.
 * @param {(zone: string) => void} onChoose
 * @returns {string} the zone that was chosen the last time; UTC at first
 */
export function offerZones(onChoose) {
  const select = /** @type {HTMLSelectElement} */ (byId("chart-zone"));
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const chosen = keptZone();
  const named = [...new Set(["UTC", own, chosen])];
  const others = Intl.supportedValuesOf("timeZone").filter((zone) => !named.includes(zone));
  select.append(
    ...named.map((zone) =>
      element("option", { value: zone }, zone === own && own !== "UTC" ? `${zone} (yours)` : zone)
    ),
    element(
      "optgroup",
      { label: "All time zones" },
      ...others.map((zone) => element("option", { value: zone }, zone)),
    ),
  );
  select.value = chosen;
  select.addEventListener("change", () => {
    keepZone(select.value);
    onChoose(select.value);
  });
  return chosen;
}

/** @returns {string} */
function keptZone() {
  try {
    const zone = localStorage.getItem(KEPT_KEY) ?? "UTC";
    // Of another browser version, it may be unknown.
    offsetName(zone, 0);
    return zone;
  } catch {
    return "UTC";
  }
}

/** Where the browser stores nothing, the choice is for this page alone. @param {string} zone */
function keepZone(zone) {
  try {
    localStorage.setItem(KEPT_KEY, zone);
  } catch {
    // It is not needed for anything else.
  }
}
