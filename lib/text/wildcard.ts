/** Patterns of file names, for those that no shell has expanded. @module */

/** Whether a text has anything that a pattern may have. */
export function hasWildcard(text: string): boolean {
  return /[*?[{]/.test(text);
}

/**
 * What names a pattern matches: `*` any characters, `?` one, `[a-c]` one of these, `[!a-c]` one of the others, `{a,b}` one
 * of these texts. As in a shell, a name that begins with a dot must be meant by a dot.
 *
 * @param pattern Of one name, without folders.
 */
export function wildcard(pattern: string): RegExp {
  const [source] = partOf(pattern, 0, "");
  return new RegExp(`^${pattern.startsWith(".") ? "" : "(?!\\.)"}${source}$`, "su");
}

/** The expression of the pattern from `at` on until one of `ends`, and where that is. */
function partOf(pattern: string, at: number, ends: string): readonly [string, number] {
  let source = "";
  while (at < pattern.length && !ends.includes(pattern[at]!)) {
    const character = String.fromCodePoint(pattern.codePointAt(at)!);
    if (character === "*") source += ".*";
    else if (character === "?") source += ".";
    else {
      const group = groupAt(pattern, at);
      if (group !== undefined) {
        source += group[0];
        at = group[1];
        continue;
      }
      source += RegExp.escape(character);
    }
    at += character.length;
  }
  return [source, at];
}

/** `[…]` or `{…}`; one that is not closed stands for itself. */
function groupAt(pattern: string, at: number): readonly [string, number] | undefined {
  if (pattern[at] === "[") {
    const end = pattern.indexOf("]", at + (/[!^]/.test(pattern[at + 1] ?? "") ? 3 : 2));
    if (end < 0) return undefined;
    const inner = pattern.slice(at + 1, end);
    const isNot = /^[!^]/.test(inner);
    const set = (isNot ? inner.slice(1) : inner).replace(/[\\\]\[^&~|{}()/]/g, "\\$&");
    return isRange(set) ? [`[${isNot ? "^" : ""}${set}]`, end + 1] : undefined;
  }
  if (pattern[at] !== "{" || !pattern.includes("}", at)) return undefined;
  const choices: string[] = [];
  let from = at + 1;
  for (;;) {
    const [choice, end] = partOf(pattern, from, ",}");
    if (end >= pattern.length) return undefined;
    choices.push(choice);
    if (pattern[end] === "}") return [`(?:${choices.join("|")})`, end + 1];
    from = end + 1;
  }
}

/** Whether the ranges run upwards; others are no pattern. */
function isRange(set: string): boolean {
  try {
    new RegExp(`[${set}]`, "u");
    return true;
  } catch {
    return false;
  }
}
