/** Entries of lists of markets and tickers as no exchange should send them. @module */

type Leaf = string | number | boolean | null;

/** What comes in place of every number of an entry. */
const ODD_NUMBERS: readonly unknown[] = [
  "NaN",
  "Infinity",
  -1,
  "1e400000000",
  "1e-400000000",
  "9".repeat(5_000),
  2_000_000_000,
  null,
  {},
  { toString: 1 },
  [1, 2],
];

/** What comes in place of every text. */
const ODD_TEXTS: readonly unknown[] = [
  "ВТС",
  "<img src=x>",
  "BTC\u0000\u001b[2J",
  "__proto__",
  "constructor",
  "toString",
  "",
  7,
  null,
  { toString: 1 },
];

/** What comes in place of a whole entry. */
const ODD_ENTRIES: readonly unknown[] = [null, 7, "text", "", true, [], {}, [null], { symbol: 7 }];

/** An answer with odd entries among those of its longest list of entries, or object of them. */
export function withOddEntries(body: string): string {
  const json = JSON.parse(body);
  const list = collections(json, 4).sort((one, other) => sizeOf(other) - sizeOf(one))[0];
  if (list === undefined) return body;
  const [like] = Object.values(list);
  const odd = [
    ...ODD_ENTRIES,
    ...ODD_NUMBERS.map((value) => changed(like, (leaf) => isNumber(leaf) ? value : renamed(leaf))),
    ...ODD_TEXTS.map((value) => changed(like, (leaf) => isText(leaf) ? value : leaf)),
  ];
  if (Array.isArray(list)) {
    // By the first entry bitget's class tells its lists from each other.
    list.splice(1, 0, ...odd.slice(0, 3));
    list.push(...odd.slice(3));
  } else {
    odd.forEach((entry, at) => list[`ODD${at}`] = entry);
    for (const name of ["__proto__", "constructor", "toString", "ВТС"]) {
      Object.defineProperty(list, name, { value: like, enumerable: true, writable: true });
    }
  }
  return JSON.stringify(json);
}

type Collection = unknown[] | Record<string, unknown>;

function sizeOf(list: Collection): number {
  return Object.keys(list).length;
}

/** Lists and objects whose members are all lists or objects of one sort. */
function collections(value: unknown, depth: number): Collection[] {
  if (typeof value !== "object" || value === null || depth === 0) return [];
  const members = Object.values(value);
  const isOne = members.length > 1 &&
    members.every((member) =>
      typeof member === "object" && member !== null &&
      Array.isArray(member) === Array.isArray(members[0])
    );
  const inner = members.flatMap((member) => collections(member, depth - 1));
  return isOne ? [value as Collection, ...inner] : inner;
}

function changed(value: unknown, change: (leaf: Leaf) => unknown): unknown {
  if (Array.isArray(value)) return value.map((member) => changed(member, change));
  if (typeof value !== "object" || value === null) return change(value as Leaf);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, changed(member, change)]),
  );
}

function isNumber(leaf: Leaf): boolean {
  return typeof leaf === "number" || (typeof leaf === "string" && /^-?[\d.]+$/.test(leaf));
}

function isText(leaf: Leaf): boolean {
  return typeof leaf === "string" && !isNumber(leaf);
}

/** So that an odd entry is not about a market that has a true one. */
function renamed(leaf: Leaf): Leaf {
  return isText(leaf) ? `${leaf}X` : leaf;
}
