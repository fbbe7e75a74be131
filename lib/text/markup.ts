/** HTML in which every text from outside is escaped. @module */
import { printable } from "./printable.ts";

/** A piece of HTML. Only {@linkcode markup} makes it, so what is in it is safe. */
export interface Markup {
  readonly html: string;
}

class SafeMarkup implements Markup {
  readonly html: string;

  constructor(html: string) {
    this.html = html;
  }
}

type Part = string | number | Markup | readonly Markup[];

/**
 * A template of HTML. Strings are escaped, and their control characters made visible, as those that change the writing
 * direction. They may stand between tags and in quoted attributes, nowhere else.
 */
export function markup(template: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const texts = parts.map((part, at) => textOf(part) + template[at + 1]!);
  return new SafeMarkup(template[0]! + texts.join(""));
}

function textOf(part: Part): string {
  if (typeof part === "string") return printable(part).replace(/[&<>"']/g, (one) => ESCAPED[one]!);
  if (typeof part === "number") return String(part);
  const all = part instanceof Array ? part : [part];
  return all.map((one) => {
    if (one instanceof SafeMarkup) return one.html;
    throw new TypeError("only markup`…` makes markup");
  }).join("");
}

const ESCAPED: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
