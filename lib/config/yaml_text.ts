/** Reads the text of a YAML file, and knows where each of its values stands. @module */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";

/** The keys and numbers that lead to a value. */
export type ValuePath = readonly PropertyKey[];

interface YamlProblem {
  /** Line and column, `14:9`. */
  readonly place: string;
  readonly allowed: string;
}

/** What a YAML file holds. */
export interface YamlText {
  /** Undefined when the text cannot be read. */
  readonly value: unknown;
  readonly problems: readonly YamlProblem[];
  /** Line and column of a value, or of its key. */
  readonly placeOf: (path: ValuePath, options?: { readonly isKey?: boolean }) => string;
  /** How many characters stand before it. */
  readonly offsetOf: (path: ValuePath, options?: { readonly isKey?: boolean }) => number;
  /** A value as it is written, without quotes; a map or a list in short. */
  readonly sourceOf: (path: ValuePath) => string;
}

/** A file by hand has a few KiB. */
const CHARACTERS_MAX = 1_000_000;

/** More would not be read. */
const FAULTS_MAX = 100;

/** What is allowed, by the parser's codes. */
const ALLOWED_BY_CODE: Partial<Record<YAMLError["code"], string>> = {
  TAB_AS_INDENT: "spaces at the beginning of a line, no tabs",
  DUPLICATE_KEY: "each name once in a map",
  BAD_INDENT: "items of one list or map in one column, and a ] or } where one was opened",
  BLOCK_AS_IMPLICIT_KEY: 'one "name: value" in a line, and quotes around a text that contains ": "',
  MULTILINE_IMPLICIT_KEY: "a colon and a space behind each name",
  MISSING_CHAR: "a colon behind each name, and the end of each quoted text, list and map",
  BAD_SCALAR_START: "quotes around a text that begins with @ or `",
  BAD_DQ_ESCAPE: "single quotes around a text that contains a backslash",
  MULTIPLE_DOCS: "one document, so no further line of ---",
  TAG_RESOLVE_FAILED: 'quotes around a text that begins with !, such as "!*UP/*"',
  RESOURCE_EXHAUSTION: "fewer levels of lists and maps",
  UNEXPECTED_TOKEN:
    'one value, and quotes around a text that contains { } [ ] or , such as "${NAME}"',
  BAD_DIRECTIVE: "no line that begins with %",
};

/** Reads YAML 1.2: `on`, `yes` and dates are texts. Anchors, aliases and tags are refused. */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  const refused = (problems: readonly YamlProblem[]): YamlText => ({
    value: undefined,
    problems,
    placeOf: () => "1:1",
    offsetOf: () => 0,
    sourceOf: () => "",
  });
  if (text.length > CHARACTERS_MAX) {
    return refused([{ place: "1:1", allowed: `at most ${CHARACTERS_MAX} characters` }]);
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: "1.2" });
  const faults = [
    ...syntaxFaults(document),
    ...(document.errors.length === 0 ? foreignSyntax(document) : []),
  ];
  const problems = atMostOneALine(faults, (offset) => lines.linePos(offset).line)
    .map(({ offset, allowed }) => ({ place: at(offset), allowed }));
  if (problems.length > 0) return refused(problems);
  return {
    value: document.toJS(),
    problems,
    placeOf: (path, { isKey = false } = {}) => at(offsetOf(document, path, isKey)),
    offsetOf: (path, { isKey = false } = {}) => offsetOf(document, path, isKey),
    sourceOf: (path) => {
      const node = nodeAt(document, path);
      if (isMap(node)) return "{…}";
      if (isSeq(node)) return "[…]";
      if (isScalar(node) && typeof node.value === "string") return node.value;
      return text.slice(node?.range?.[0] ?? 0, node?.range?.[1] ?? 0);
    },
  };
}

interface Fault {
  readonly offset: number;
  readonly allowed: string;
}

/** One place of a line is enough, and a file may have a fault in each of its characters. */
function atMostOneALine(
  faults: readonly Fault[],
  lineOf: (offset: number) => number,
): readonly Fault[] {
  const byLine = new Map(
    faults.toReversed().map((fault) => [`${lineOf(fault.offset)} ${fault.allowed}`, fault]),
  );
  return [...byLine.values()].sort((one, other) => one.offset - other.offset).slice(0, FAULTS_MAX);
}

/** Of errors that follow from each other only the first. */
function syntaxFaults({ errors, warnings }: Document): readonly Fault[] {
  const repeated = errors.filter(({ code }) => code === "DUPLICATE_KEY");
  const [first] = errors.filter((error) => !repeated.includes(error));
  return [...(first === undefined ? [] : [first]), ...repeated, ...warnings].map((
    { code, pos: [offset] },
  ) => ({ offset, allowed: ALLOWED_BY_CODE[code] ?? "YAML 1.2" }));
}

/** Texts and numbers that say so, and what is in quotes. */
const TAGS = /^(?:tag:yaml\.org,2002:(?:str|int)|!)$/;

/** What YAML has, and a file of settings does not need. */
function foreignSyntax(document: Document): readonly Fault[] {
  const faults: Fault[] = [];
  // The parser has told of these.
  const hasUnknownTag = document.warnings.some(({ code }) => code === "TAG_RESOLVE_FAILED");
  const add = (node: Node, allowed: string): void => {
    faults.push({ offset: node.range?.[0] ?? 0, allowed });
  };
  if (document.directives?.yaml.explicit) {
    faults.push({ offset: 0, allowed: ALLOWED_BY_CODE.BAD_DIRECTIVE! });
  }
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) {
        add(node, 'quotes around a text that begins with *, such as "*/FDUSD"; no aliases');
      } else if (node.anchor !== undefined) {
        add(node, "no anchor &…; what exchanges share stands in defaults");
      } else if (!hasUnknownTag && node.tag !== undefined && !TAGS.test(node.tag)) {
        add(node, "no tag !…");
      }
      for (const { key } of isMap(node) ? node.items : []) {
        if (isNode(key) && !isScalar(key)) add(key, "a name before the colon");
        if (isScalar(key) && key.value === "<<") {
          add(key, "no merge key <<; what exchanges share stands in defaults");
        }
      }
    },
  });
  return faults;
}

function nodeAt(document: Document, path: ValuePath): Node | undefined {
  let node: unknown = document.contents;
  for (const step of path) {
    if (isMap(node)) node = itemOf(node, step)?.value;
    else if (isSeq(node)) node = node.items[Number(step)];
    else return undefined;
  }
  return isNode(node) ? node : undefined;
}

/** Where a value begins. One that is missing is looked for at its key, or in what should contain it. */
function offsetOf(document: Document, path: ValuePath, isKey: boolean): number {
  const parent = nodeAt(document, path.slice(0, -1));
  const key = isMap(parent) ? itemOf(parent, path.at(-1)!)?.key : undefined;
  const [value, name] = [nodeAt(document, path), isNode(key) ? key : undefined];
  const [first, second] = isKey ? [name, value] : [value, name];
  return (first ?? second ?? parent)?.range?.[0] ?? 0;
}

function itemOf(
  map: { readonly items: readonly { readonly key: unknown; readonly value: unknown }[] },
  step: PropertyKey,
): { readonly key: unknown; readonly value: unknown } | undefined {
  return map.items.find(({ key }) => isScalar(key) && String(key.value ?? "") === String(step));
}
