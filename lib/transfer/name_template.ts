/** Reads what a file's name says by a template of the user's: `{symbol}-{timeframe}-{date}`. @module */
import { printable } from "../text/printable.ts";

/** What a file's name says of its candles, as it is written there. */
export interface NameParts {
  readonly exchange?: string | undefined;
  readonly symbol?: string | undefined;
  readonly base?: string | undefined;
  readonly quote?: string | undefined;
  readonly timeframe?: string | undefined;
  readonly date?: string | undefined;
}

export interface NameTemplate {
  readonly text: string;
  /** @throws Error when the name has another form. */
  readonly read: (name: string) => NameParts;
}

/** What a part may hold. Symbols are written in many ways, but not with a space or a dot. */
const PARTS: Readonly<Record<string, string>> = {
  exchange: "[A-Za-z0-9]+",
  symbol: String.raw`[^\s.]+?`,
  base: "[^\\s./_-]+?",
  quote: "[^\\s./_-]+?",
  timeframe: "[0-9]*[A-Za-z]*[0-9]*",
  date: String.raw`\d{4}(?:-?\d\d){0,2}`,
  any: ".*?",
};

const ALLOWED = Object.keys(PARTS).map((part) => `{${part}}`).join(" ");

/**
 * Parses a template. Endings such as `.csv.gz` need not be in it, and `{any}` alone says that names mean nothing.
 *
 * @throws Error that says what is wrong with it.
 */
export function parseNameTemplate(text: string): NameTemplate {
  const seen = new Set<string>();
  let open = false;
  const source = text.replaceAll(/\{([^{}]*)\}|[^{}]+|[{}]/g, (piece, part?: string) => {
    if (part === undefined) {
      if (piece === "{" || piece === "}") {
        throw new Error(`a ${piece} stands alone in it. Allowed are ${ALLOWED}`);
      }
      open = false;
      return piece.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
    }
    if (!Object.hasOwn(PARTS, part)) {
      throw new Error(`{${part}} is not known. Allowed are ${ALLOWED}`);
    }
    if (open) {
      throw new Error(
        `nothing stands between {${part}} and the part before it: both may be anything`,
      );
    }
    open = true;
    if (part === "any") return PARTS.any!;
    if (seen.has(part)) throw new Error(`{${part}} stands twice in it`);
    seen.add(part);
    return `(?<${part}>${PARTS[part]!})`;
  });
  if (seen.size === 0 && !text.includes("{any}")) {
    throw new Error(`it names nothing. Allowed are ${ALLOWED}`);
  }
  if (seen.has("symbol") && (seen.has("base") || seen.has("quote"))) {
    throw new Error("it has {symbol}, and {base} or {quote}: one of both says it");
  }
  if (seen.has("base") !== seen.has("quote")) {
    throw new Error("{base} needs {quote}, and {quote} needs {base}");
  }
  const whole = new RegExp(`^${source}$`, "u");
  return {
    text,
    read: (name) => {
      const found = whole.exec(name) ?? whole.exec(withoutEnding(name));
      if (found !== null) return { ...found.groups };
      throw new Error(
        `Cannot read ${printable(name)}: its name has not the form ${printable(text)} of --name`,
      );
    },
  };
}

/** A name without the endings that say how the file is packed and written, and without the number of a second download. */
export function withoutEnding(name: string): string {
  return name.replace(ENDINGS, "").replace(/ ?\(\d+\)$| - Copy$/, "").replace(ENDINGS, "");
}

const ENDINGS =
  /(?:\.(?:csv|txt|tsv|gz|zip|zst|json|jsonl|ndjson|parquet|feather|arrow|dat|data))+$/i;
