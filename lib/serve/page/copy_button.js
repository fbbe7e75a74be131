/** A button that copies a text. @module */
import { element, setText } from "./text.js";

/**
 * @param {HTMLElement} source whose text is copied
 * @param {string} name of what is copied, for who hears the button alone
 */
export function copyButton(source, name) {
  const button = element("button", { type: "button", "aria-label": `Copy ${name}` }, "Copy");
  const tell = (/** @type {string} */ text) => {
    setText(button, text);
    button.setAttribute("aria-label", text === "Copy" ? `Copy ${name}` : `${name}: ${text}`);
  };
  button.addEventListener("click", async () => {
    // Where the browser allows no page to copy, as over plain HTTP, the user copies what is selected.
    getSelection()?.selectAllChildren(source);
    try {
      await navigator.clipboard.writeText(source.textContent ?? "");
      tell("Copied");
    } catch {
      tell("Selected");
    }
  });
  return Object.assign(button, { reset: () => tell("Copy") });
}
