/** Reads the few elements of S3's XML documents that are needed, as text. @module */

/** The text of the first element of this name; undefined where there is none. */
export function firstText(xml: string, name: string): string | undefined {
  const found = new RegExp(`<${name}(?:\\s[^>]{0,200})?>([^<]*)</${name}>`).exec(xml)?.[1];
  return found === undefined ? undefined : plainText(found);
}

/** The insides of all elements of this name. They contain none of the same name. */
export function insides(xml: string, name: string): readonly string[] {
  const parts = xml.split(new RegExp(`<${name}(?:\\s[^>]{0,200})?>`)).slice(1);
  return parts.map((part) => part.slice(0, part.indexOf(`</${name}>`)));
}

/** As an element's text. */
export function xmlText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

function plainText(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));/gi,
    (whole, ten, hex, name) => {
      if (name !== undefined) return ENTITIES[name] ?? whole;
      const point = ten === undefined ? parseInt(hex, 16) : Number(ten);
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    },
  );
}
