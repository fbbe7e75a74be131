/** The sentences of an answer that is not data: an HTML page, a line of text, or the texts of an error. @module */

/** No page of a firewall is longer; what stands behind does not say why. */
const PAGE_CHARACTERS_MAX = 64 * 1024;

/** Sentences read at most. */
const TEXTS_MAX = 100;

/** Values of JSON looked at: an error has few. */
const VALUES_MAX = 50;

/** The sentences of a page, its title first, without HTML. */
export function pageTexts(page: string): readonly string[] {
  const text = page.slice(0, PAGE_CHARACTERS_MAX)
    .replace(/<!--[\s\S]*?(?:-->|$)/g, " ")
    .replace(/<(script|style|svg)\b[\s\S]*?(?:<\/\1\s*>|$)/gi, " ")
    .replace(/<\/?(?:a|abbr|b|code|em|font|i|small|span|strong|u)\b[^>]*>/gi, "")
    .replace(/<[^>]*(?:>|$)/g, "\n");
  return decoded(text).split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim())
    .flatMap((line) => line.split(/(?<=\p{L}{2}[.!?])\s+(?=\p{Lu})/u))
    .filter((sentence) => sentence !== "")
    .slice(0, TEXTS_MAX);
}

/** The texts in JSON, the outermost first. */
export function firstTexts(json: unknown): readonly string[] {
  const texts: string[] = [];
  const values: unknown[] = [json];
  for (let at = 0; at < values.length && at < VALUES_MAX; at++) {
    const value = values[at];
    if (typeof value === "string") texts.push(value);
    else if (typeof value === "object" && value !== null) {
      for (const inner of Object.values(value).slice(0, VALUES_MAX)) values.push(inner);
    }
  }
  return texts.flatMap(pageTexts);
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  apos: "'",
  gt: ">",
  lt: "<",
  nbsp: " ",
  quot: '"',
};

function decoded(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]+));/gi, (whole, ...parts) => {
    const [decimal, hex, name] = parts as (string | undefined)[];
    if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? whole;
    const code = decimal === undefined ? parseInt(hex ?? "", 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
