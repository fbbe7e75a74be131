/** Changes single values in the text of a YAML file, and leaves all else as it is: comments, order, spaces, line ends. @module */
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { endOfLine, lineEndOf, nextLine, startOfLine } from "../text/lines.ts";

/** The keys that lead to a value in maps. */
type KeyPath = readonly [string, ...string[]];

/** A key with its value. */
type Entry = YAMLMap["items"][number];

/** A list of texts, a map of texts, or nothing behind the colon. */
type NewValue = readonly string[] | Readonly<Record<string, string>> | null;

/** A part of the text, and what takes its place. */
interface Splice {
  readonly from: number;
  readonly until: number;
  readonly text: string;
}

/**
 * Sets a value. Of a list that is there already, only the items change that are not in both: what goes and what comes take
 * each other's place as far as they can, further ones are added at the end. Maps on the way that are missing are made.
 *
 * @throws Error when the text is written in a way in which that cannot be done. It says what to write by hand.
 */
export function withValue(text: string, path: KeyPath, value: NewValue): string {
  const document = parse(text);
  const there = document.getIn(path, true);
  const splices = isSeq(there) && Array.isArray(value)
    ? listSplices(text, there, value)
    : insertion(text, document, { path, value });
  const written = isSeq(there) && Array.isArray(value) ? listAfter(there, value) : value;
  const expected = valueSet(document.toJS(), path, written);
  return proved(text, splices, { expected, todo: `set ${path.join(".")} to ${flowText(written)}` });
}

/** Removes a key and its value from a map that has others. @throws Error as {@linkcode withValue} does. */
export function withoutValue(text: string, path: KeyPath): string {
  const document = parse(text);
  const map = document.getIn(path.slice(0, -1), true);
  const entries = isMap(map) ? map.items : [];
  const at = entries.findIndex((entry) => keyOf(entry) === path.at(-1));
  const items = entries.map((entry) => ({ from: startOf(entry), until: endOf(entry) }));
  const splices = at < 0
    ? []
    : [isFlow(map) ? removeInline(text, items, at) : removeLines(text, items[at]!)];
  document.deleteIn(path);
  return proved(text, splices, { expected: document.toJS(), todo: `remove ${path.join(".")}` });
}

function parse(text: string): Document {
  return parseDocument(text, { prettyErrors: false, version: "1.2" });
}

/** The text with the splices, if it has the expected values then. What is written oddly is not guessed at. */
function proved(
  text: string,
  splices: readonly Splice[],
  { expected, todo }: { readonly expected: unknown; readonly todo: string },
): string {
  let changed = text;
  for (const { from, until, text: by } of [...splices].sort((a, b) => b.from - a.from)) {
    changed = changed.slice(0, from) + by + changed.slice(until);
  }
  const document = parse(changed);
  const isAsExpected = document.errors.length === 0 &&
    JSON.stringify(document.toJS()) === JSON.stringify(expected);
  if (isAsExpected) return changed;
  throw new Error(`This file is written in a way that cannot be changed here: ${todo} by hand`);
}

/** The same value with another one inside. */
function valueSet(all: unknown, [key, ...others]: readonly string[], value: NewValue): unknown {
  if (key === undefined) return value;
  const there = all as Readonly<Record<string, unknown>> | null;
  return { ...there, [key]: valueSet(there?.[key], others, value) };
}

function valuesOf(list: YAMLSeq): readonly string[] {
  return list.items.map((item) => isScalar(item) ? String(item.value) : "");
}

/** Which items take the place of which, and which are added. */
function listChange(list: YAMLSeq, wanted: readonly string[]): {
  /** By place: the new item, or undefined if it goes. */
  readonly changed: ReadonlyMap<number, string | undefined>;
  readonly added: readonly string[];
} {
  const values = valuesOf(list);
  const added = wanted.filter((item) => !values.includes(item));
  const gone = values.flatMap((item, at) => wanted.includes(item) ? [] : [at]);
  return {
    changed: new Map(gone.map((at, index) => [at, added[index]])),
    added: added.slice(gone.length),
  };
}

function listAfter(list: YAMLSeq, wanted: readonly string[]): readonly string[] {
  const { changed, added } = listChange(list, wanted);
  const kept = valuesOf(list).flatMap((item, at) =>
    changed.has(at) ? changed.get(at) ?? [] : [item]
  );
  return [...kept, ...added];
}

function listSplices(text: string, list: YAMLSeq, wanted: readonly string[]): readonly Splice[] {
  const { changed, added } = listChange(list, wanted);
  const items = (list.items as readonly Node[]).map((item) => ({
    from: item.range?.[0] ?? 0,
    until: item.range?.[1] ?? 0,
  }));
  const splices = [...changed].map(([at, item]): Splice => {
    if (item !== undefined) return { ...items[at]!, text: plainOrQuoted(item) };
    if (isFlow(list)) return removeInline(text, items, at);
    const dash = text.lastIndexOf("-", items[at]!.from - 1);
    return removeLines(text, { from: dash, until: items[at]!.until });
  });
  const last = items.at(-1);
  if (added.length === 0 || last === undefined) return splices;
  const texts = added.map(plainOrQuoted);
  const end = endOfLine(text, last.until);
  const eol = lineEndOf(text);
  if (!isFlow(list)) {
    const dash = text.lastIndexOf("-", last.from - 1);
    const before = text.slice(startOfLine(text, dash), last.from);
    const lines = texts.map((item) => `${eol}${before}${item}`).join("");
    return [...splices, { from: end, until: end, text: lines }];
  }
  const indent = text.slice(startOfLine(text, last.from), last.from);
  const isAlone = indent.trim() === "" &&
    /^[ \t]*,?[ \t]*(?:#.*)?$/.test(text.slice(last.until, end));
  if (!isAlone) {
    return [...splices, { from: last.until, until: last.until, text: `, ${texts.join(", ")}` }];
  }
  // Each on a line of its own, as the one before; a comment behind that stays with it.
  const hasComma = /^[ \t]*,/.test(text.slice(last.until, end));
  const lines = texts.map((item) => `${eol}${indent}${item},`).join("");
  return [
    ...splices,
    ...(hasComma ? [] : [{ from: last.until, until: last.until, text: "," }]),
    { from: end, until: end, text: lines },
  ];
}

interface Span {
  readonly from: number;
  readonly until: number;
}

/** Removes an item of a list or map in brackets with its comma, and its line where it is alone on it. */
function removeInline(text: string, items: readonly Span[], at: number): Splice {
  const { from, until } = items[at]!;
  const comma = /^[ \t]*,[ \t]*/.exec(text.slice(until))?.[0] ?? "";
  const line = { from: startOfLine(text, from), until: endOfLine(text, until) };
  const isAlone = text.slice(line.from, from).trim() === "" &&
    /^[ \t]*(?:#.*)?$/.test(text.slice(until + comma.length, line.until));
  if (isAlone && text.slice(line.from, from) !== "") return removeLines(text, { from, until });
  const before = items[at - 1];
  if (comma === "" && before !== undefined && /^[\s,]*$/.test(text.slice(before.until, from))) {
    return { from: before.until, until, text: "" };
  }
  return { from, until: until + comma.length, text: "" };
}

/** Removes all lines of a span, with comments behind it. */
function removeLines(text: string, { from, until }: Span): Splice {
  return { from: startOfLine(text, from), until: nextLine(text, until), text: "" };
}

/** Puts in a key with its value, and the maps that lead to it. */
function insertion(
  text: string,
  document: Document,
  { path, value }: { readonly path: KeyPath; readonly value: NewValue },
): readonly Splice[] {
  const [step, eol] = [stepOf(text, document), lineEndOf(text)];
  let [node, depth]: [unknown, number] = [document.contents, 0];
  let parent: { readonly map: YAMLMap; readonly entry: Entry } | undefined;
  while (isMap(node)) {
    const key = path[depth];
    const map: YAMLMap = node;
    const entry: Entry | undefined = map.items.find((one) => keyOf(one) === key);
    if (entry === undefined) return intoMap(text, map, { keys: path.slice(depth), value, step });
    [node, depth, parent] = [entry.value, depth + 1, { map, entry }];
  }
  const keys = path.slice(depth);
  if (parent === undefined) {
    const lines = blockLines(keys, value, { indent: "", step });
    const before = text === "" || text.endsWith("\n") ? "" : eol;
    return [{ from: text.length, until: text.length, text: before + lines.join(eol) + eol }];
  }
  const { map, entry } = parent;
  const [start, end] = [startOf(entry), endOf(entry)];
  if (isFlow(map)) {
    return [{ from: start, until: end, text: `${keyOf(entry)}: ${flowChain(keys, value)}` }];
  }
  const nothing = isNode(entry.value) ? entry.value.range : undefined;
  const indent = text.slice(startOfLine(text, start), start);
  const at = endOfLine(text, end);
  const lines = blockLines(keys, value, { indent: indent + step, step });
  return [
    // A null that is written out.
    ...(nothing && nothing[0] < nothing[1]
      ? [{ from: nothing[0], until: nothing[1], text: "" }]
      : []),
    { from: at, until: at, text: lines.map((line) => eol + line).join("") },
  ];
}

function intoMap(
  text: string,
  map: YAMLMap,
  { keys, value, step }: {
    readonly keys: readonly string[];
    readonly value: NewValue;
    readonly step: string;
  },
): readonly Splice[] {
  const [first, last] = [map.items[0], map.items.at(-1)];
  if (first === undefined || last === undefined) {
    const at = (map.range?.[0] ?? 0) + 1;
    return [{ from: at, until: at, text: ` ${keys[0]}: ${flowChain(keys.slice(1), value)} ` }];
  }
  if (isFlow(map)) {
    const at = endOf(last);
    return [{ from: at, until: at, text: `, ${keys[0]}: ${flowChain(keys.slice(1), value)}` }];
  }
  const eol = lineEndOf(text);
  const start = startOf(first);
  const indent = text.slice(startOfLine(text, start), start);
  const at = endOfLine(text, endOf(last));
  const lines = blockLines(keys, value, { indent, step });
  const gap = indent === "" ? eol : "";
  return [{ from: at, until: at, text: gap + lines.map((line) => eol + line).join("") }];
}

/** How much further in the exchanges stand than `exchanges`. @default two spaces */
function stepOf(text: string, document: Document): string {
  for (const { value } of isMap(document.contents) ? document.contents.items : []) {
    if (!isMap(value) || isFlow(value) || value.items[0] === undefined) continue;
    const start = startOf(value.items[0]);
    return text.slice(startOfLine(text, start), start);
  }
  return "  ";
}

/** `exchanges:`, `  okx:`, `    symbols: [BTC/USDT]`. */
function blockLines(
  keys: readonly string[],
  value: NewValue,
  { indent, step }: { readonly indent: string; readonly step: string },
): readonly string[] {
  return keys.map((key, depth) => {
    const last = depth === keys.length - 1 && value !== null ? ` ${flowText(value)}` : "";
    return `${indent}${step.repeat(depth)}${key}:${last}`;
  });
}

function flowChain(keys: readonly string[], value: NewValue): string {
  const [key, ...others] = keys;
  return key === undefined ? flowText(value) : `{ ${key}: ${flowChain(others, value)} }`;
}

function flowText(value: NewValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map(plainOrQuoted).join(", ")}]`;
  const entries = Object.entries(value).map(([key, text]) => `${key}: ${plainOrQuoted(text)}`);
  return `{ ${entries.join(", ")} }`;
}

/** What YAML reads as the same text without quotes, and people do, too. */
function plainOrQuoted(text: string): string {
  return /^[A-Za-z0-9][\w./-]*$/.test(text) && /[a-z/]/i.test(text) && !WORDS.test(text)
    ? text
    : JSON.stringify(text);
}

const WORDS = /^(?:true|false|null|\d[\d.e]*)$/i;

function isFlow(node: unknown): boolean {
  return (isMap(node) || isSeq(node)) && node.flow === true;
}

function keyOf({ key }: Entry): string {
  return isScalar(key) ? String(key.value ?? "") : "";
}

function startOf({ key }: Entry): number {
  return isNode(key) ? key.range?.[0] ?? 0 : 0;
}

/** Where the last value in an entry ends, without the comments behind it. */
function endOf({ key, value }: Entry): number {
  if (isMap(value) && !isFlow(value) && value.items.length > 0) return endOf(value.items.at(-1)!);
  if (isSeq(value) && !isFlow(value) && value.items.length > 0) {
    return endOfNode(value.items.at(-1));
  }
  return value === null ? endOfNode(key) : endOfNode(value);
}

function endOfNode(node: unknown): number {
  return isNode(node) ? node.range?.[1] ?? 0 : 0;
}
