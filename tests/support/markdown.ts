/** What a Markdown file says in tables, in code and under which heading. @module */

export interface Table {
  /** First cell of the head, `variable`. */
  readonly name: string;
  /** Cells of each row, without the white space around them. */
  readonly rows: readonly (readonly string[])[];
}

/** A paragraph, a list item, a row of a table or a block of code. */
export interface Passage {
  /** Nearest heading above it. */
  readonly heading: string;
  readonly text: string;
  /** What of it is code: spans in backticks, lines of a block. */
  readonly code: readonly string[];
  /** `sql` of a block that begins with it. */
  readonly language?: string;
}

/** All tables, from top to bottom. */
export function tablesOf(markdown: string): readonly Table[] {
  return [...markdown.matchAll(/^\|.*(?:\n\|.*)+$/gm)].map(([text]) => {
    const [head = [], , ...rows] = text.split("\n").map(cellsOf);
    return { name: head[0] ?? "", rows };
  });
}

/** Everything between headings, from top to bottom. */
export function passagesOf(markdown: string): readonly Passage[] {
  const passages: Passage[] = [];
  let heading = "";
  const blocks = /^```(\w*)\n([\s\S]*?)^```$|^#+ (.+)$|^(?:[-|].*|[^\n#`|-].*|`(?!``).*)$/gm;
  for (const match of markdown.matchAll(blocks)) {
    const [line, language, block, title] = match;
    const last = passages.at(-1);
    if (title !== undefined) {
      heading = title;
    } else if (block !== undefined) {
      passages.push({ heading, text: block, code: block.split("\n"), language: language ?? "" });
    } else if (
      last?.language === undefined && last?.heading === heading && !/^[-|]/.test(line) &&
      markdown[match.index - 2] !== "\n"
    ) {
      // A further line of the same paragraph; a span of code may go over its end.
      passages[passages.length - 1] = prose(heading, `${last.text} ${line.trim()}`);
    } else {
      passages.push(prose(heading, line));
    }
  }
  return passages;
}

/** The code of all passages. */
export function codeOf(markdown: string): readonly string[] {
  return passagesOf(markdown).flatMap(({ code }) => code);
}

/** What a link may name behind `#`: each heading as GitHub writes it there, one that is repeated with `-1` behind it. */
export function anchorsOf(markdown: string): readonly string[] {
  const counts = new Map<string, number>();
  return [...markdown.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/^#+ (.+)$/gm)].map(
    ([, title = ""]) => {
      const anchor = title.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-");
      const count = counts.get(anchor) ?? 0;
      counts.set(anchor, count + 1);
      return count === 0 ? anchor : `${anchor}-${count}`;
    },
  );
}

/** The text without the backticks of a span that it wholly is. */
export function plain(cell: string): string {
  return cell.replace(/^`(.*)`$/, "$1");
}

function prose(heading: string, text: string): Passage {
  return { heading, text, code: [...text.matchAll(/`([^`]+)`/g)].map(([, span = ""]) => span) };
}

function cellsOf(line: string): string[] {
  return line.replace(/^\|/, "").replace(/\|$/, "").split(/(?<!\\)\|/).map((cell) => cell.trim());
}
