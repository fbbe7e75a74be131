/** The buttons of the timeframes in which a symbol can be shown. @module */
import { byId, element } from "./text.js";

/**
 * @param {readonly { readonly timeframe: string, readonly rolledUpFrom: string | null }[]} timeframes finest first
 * @param {string} shown
 * @param {(timeframe: string) => void} onChoose
 */
export function drawTimeframes(timeframes, shown, onChoose) {
  const place = byId("chart-timeframes");
  const hadFocus = place.contains(document.activeElement);
  place.replaceChildren(...timeframes.map(({ timeframe, rolledUpFrom }) => {
    const button = element("button", { type: "button" }, timeframe);
    button.setAttribute("aria-pressed", String(timeframe === shown));
    if (rolledUpFrom !== null) button.title = `calculated from ${rolledUpFrom}`;
    button.addEventListener("click", () => onChoose(timeframe));
    return button;
  }));
  // The pressed button was replaced.
  const pressed = /** @type {HTMLElement | null} */ (place.querySelector("[aria-pressed=true]"));
  if (hadFocus) pressed?.focus();
}

/** Until the buttons of a series have come. @param {string} shown */
export function pressTimeframe(shown) {
  for (const button of byId("chart-timeframes").children) {
    button.setAttribute("aria-pressed", String(button.textContent === shown));
  }
}
