/** Reads one row of JSON with every digit of its numbers. @module */

/** A row: values in their order, with names if it is an object. */
export interface JsonRow {
  readonly names: readonly string[] | undefined;
  /** Texts without quotes, numbers as they are written; nothing for null. */
  readonly values: readonly string[];
}

const TEXT = String.raw`"(?:[^"\\]|\\.)*"`;
const VALUES = new RegExp(String.raw`${TEXT}|[^\s,[\]]+`, "g");
const MEMBERS = new RegExp(String.raw`(${TEXT})\s*:\s*(${TEXT}|[^\s,{}]+)`, "g");
/** Python writes these, JSON has no such numbers. */
const NO_NUMBER = /(?<=[[,:]\s*)(?:NaN|-?Infinity)(?=\s*[,\]}])/g;

/**
 * The values of `[…]` or `{…}`.
 *
 * @throws Error when it is not valid, or holds a list or an object.
 */
export function readJsonRow(text: string): JsonRow {
  const parsed = parse(text);
  if (Array.isArray(parsed)) {
    const nested = parsed.findIndex(isNested);
    if (nested >= 0) {
      throw new Error(`its value ${nested + 1} is a list or an object, not a number`);
    }
    // JSON.parse would round numbers: they are taken from the text, which it found valid.
    const tokens = text.includes('"')
      ? text.slice(1, -1).match(VALUES) ?? []
      : parsed.length === 0
      ? []
      : text.slice(1, -1).split(",");
    return { names: undefined, values: tokens.map((token, at) => plain(token, parsed[at])) };
  }
  const members = Object.entries(parsed as Readonly<Record<string, unknown>>);
  const nested = members.find(([, value]) => isNested(value));
  if (nested !== undefined) {
    throw new Error(`its ${JSON.stringify(nested[0].slice(0, 40))} is a list or an object`);
  }
  const names: string[] = [];
  const values: string[] = [];
  for (const [, name, value] of text.matchAll(MEMBERS)) {
    names.push(JSON.parse(name!) as string);
    values.push(value!.startsWith('"') ? JSON.parse(value!) as string : plain(value!, undefined));
  }
  if (names.length !== members.length) throw new Error("it has two values of one name");
  return { names, values };
}

/** Wider rows are read the slow way. */
const SHAPE_VALUES_MAX = 64;

const NUMBER = String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?`;
const VALUE = String.raw`\s*(${NUMBER}|"[^"\\\0-\x1f]*"|null|true|false)\s*`;

/**
 * Reads rows with the same names, or the same number of values, as this one: what it gives is what {@linkcode readJsonRow}
 * gives, several times faster. Undefined for a row of another shape.
 */
export function sameShape({ names, values }: JsonRow): (text: string) => JsonRow | undefined {
  if (values.length > SHAPE_VALUES_MAX || values.length === 0) return () => undefined;
  const inner = names === undefined
    ? values.map(() => VALUE).join(",")
    : names.map((name) => String.raw`\s*${escaped(JSON.stringify(name))}\s*:${VALUE}`).join(",");
  const shape = new RegExp(names === undefined ? `^\\[${inner}\\]$` : `^\\{${inner}\\}$`);
  return (text) => {
    const match = shape.exec(text);
    if (match === null) return undefined;
    const row = new Array<string>(values.length);
    for (let at = 0; at < row.length; at++) {
      const value = match[at + 1]!;
      row[at] = value.startsWith('"') ? value.slice(1, -1) : value === "null" ? "" : value;
    }
    return { names, values: row };
  };
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/** Whether the text is a row: a list or an object of plain values. */
export function isJsonRow(text: string): boolean {
  try {
    readJsonRow(text);
    return true;
  } catch {
    return false;
  }
}

function plain(token: string, parsed: unknown): string {
  if (typeof parsed === "string") return parsed;
  const text = token.trim();
  return text === "null" ? "" : text;
}

function isNested(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const numbers = text.includes('"') && text.startsWith("[")
      ? text
      : text.replace(NO_NUMBER, "null");
    if (numbers === text) throw new Error("it is not valid JSON", { cause: error });
    try {
      return JSON.parse(numbers);
    } catch {
      throw new Error("it is not valid JSON", { cause: error });
    }
  }
}
