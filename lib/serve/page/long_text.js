/** A text that may be long: its beginning, and a button that shows all of it. @module */
import { element, setText } from "./text.js";

/** About three lines of a narrow column. Longer ones are folded. */
const CHARACTERS_MAX = 200;

/**
 * @param {string} kind its class
 * @returns {{ readonly place: HTMLElement, readonly show: (text: string, of: string) => void }} `of` names what the text is
 *   about, for who hears the button alone
 */
export function longText(kind) {
  const text = element("span", { class: "long" });
  const button = element("button", { type: "button", class: "fold", "aria-expanded": "false" });
  const place = element("div", { class: kind }, text, button);
  let isOpen = false;
  let about = "";
  const draw = () => {
    const isLong = (text.textContent ?? "").length > CHARACTERS_MAX;
    button.hidden = !isLong;
    text.classList.toggle("folded", isLong && !isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
    setText(button, isOpen ? "Show less" : "Show all");
    button.setAttribute("aria-label", `${isOpen ? "Show less" : "Show all"} of ${about}`);
  };
  button.addEventListener("click", (event) => {
    // The row around it opens a chart.
    event.stopPropagation();
    isOpen = !isOpen;
    draw();
  });
  button.hidden = true;
  place.hidden = true;
  return {
    place,
    show(said, of) {
      if (said === text.textContent && of === about) return;
      about = of;
      place.hidden = said === "";
      setText(text, said);
      draw();
    },
  };
}
