/** Which metrics and labels an expression of PromQL names, and whether there are such. @module */

const GOLDEN = new URL("../integration/golden/metrics.txt", import.meta.url);

/** What others export: Prometheus itself, node_exporter, and our own recording rule. */
const FOREIGN: ReadonlyMap<string, readonly string[]> = new Map([
  ["up", []],
  ["node_filesystem_avail_bytes", ["mountpoint", "fstype", "device"]],
  ["node_filesystem_size_bytes", ["mountpoint", "fstype", "device"]],
  ["titan10:timeframe_seconds", ["timeframe"]],
]);

/** What a scrape adds to every metric; ours has a label `job`, too, which the scrape renames. */
const SCRAPE_LABELS = ["job", "instance"];

/** The labels of each metric as Prometheus stores it: the golden file is what the registry says. */
export async function readStoredMetrics(): Promise<ReadonlyMap<string, readonly string[]>> {
  const stored = new Map(FOREIGN);
  const samples = (await Deno.readTextFile(GOLDEN)).matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm);
  for (const [, name = "", labels = ""] of samples) {
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, label = ""]) => label);
    stored.set(name, names.map((label) => label === "job" ? "exported_job" : label));
  }
  return stored;
}

/** A sentence for each metric and label of the expression that does not exist. */
export function unknownIn(
  expression: string,
  stored: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const { metrics, labels } = mentionedIn(expression);
  if (metrics.length === 0 && !/^vector\(/.test(expression)) {
    return [`names no metric: ${expression}`];
  }
  const problems = metrics.flatMap(({ name, labels }) => {
    const known = stored.get(name);
    if (known === undefined) return [`there is no metric ${name}`];
    return labels.filter((label) => ![...known, ...SCRAPE_LABELS].includes(label))
      .map((label) => `${name} has no label ${label}`);
  });
  const known = [...metrics.flatMap(({ name }) => stored.get(name) ?? []), ...SCRAPE_LABELS];
  return [
    ...problems,
    ...labels.filter((label) => !known.includes(label)).map((label) =>
      `none of its metrics has a label ${label}`
    ),
  ].map((problem) => `${problem}: ${expression}`);
}

export interface Mentioned {
  /** Each with the labels that its braces match on. */
  readonly metrics: readonly { readonly name: string; readonly labels: readonly string[] }[];
  /** Labels that results are grouped, matched or joined by. */
  readonly labels: readonly string[];
}

/** Words before a parenthesis that holds labels. */
const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;

const KEYWORDS = /^(?:and|or|unless|bool|offset|by|without|on|ignoring|group_left|group_right)$/;

/** Reads names only: whether the expression makes sense is for promtool to say. */
export function mentionedIn(expression: string): Mentioned {
  const text = expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').replaceAll(/\[[^\]]*\]/g, "");
  const labels = [...text.matchAll(GROUPING)].flatMap(([, list = ""]) => wordsOf(list));
  const bare = text.replaceAll(GROUPING, " ");
  const metrics = [...bare.matchAll(/([a-zA-Z_][\w:]*)\s*(\(|\{[^}]*\})?/g)]
    .filter(([, name = "", after]) => after !== "(" && !KEYWORDS.test(name))
    .filter(({ index }) => !isInBraces(bare, index) && !/[\d.]/.test(bare[index - 1] ?? ""))
    .map(([, name = "", braces = ""]) => ({ name, labels: matchedLabels(braces) }));
  return { metrics, labels };
}

function matchedLabels(braces: string): readonly string[] {
  return [...braces.matchAll(/([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)/g)].map(([, name = ""]) => name);
}

function isInBraces(text: string, at: number): boolean {
  return text.lastIndexOf("{", at) > text.lastIndexOf("}", at);
}

function wordsOf(list: string): readonly string[] {
  return list.split(",").map((word) => word.trim()).filter((word) => word !== "");
}
