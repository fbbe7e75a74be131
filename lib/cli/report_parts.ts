/** The parts that the page of a report is made of: bars, tables, sections. @module */
import type { Completeness } from "../report/completeness.ts";
import { type Markup, markup } from "../text/markup.ts";
import { count } from "./text.ts";

const PARTS = [
  ["there", "there"],
  ["explained", "missing for a reason"],
  ["owed", "not fetched yet"],
  ["open", "missing without a reason so far"],
] as const;

/** What the colours of {@linkcode bar} mean. */
export const LEGEND = markup`<ul class="legend">${
  PARTS.map(([part, words]) =>
    markup`<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="${part}" width="10" height="10"/></svg>${words}</li>`
  )
}</ul>`;

/** A bar of what is there, explained, owed and open. */
export function bar(
  { wanted, there, explained, owed, missing }: Completeness,
  looks = "bar",
): Markup {
  const label = `${count(there)} there, ${count(explained)} explained, ${count(owed)} owed, ${
    count(missing)
  } open`;
  let x = 0;
  const parts = [there, explained, owed, missing].map((candles, at) => {
    const width = wanted === 0 ? 0 : (candles / wanted) * 1_000;
    // What there is of a state can be seen, however little it is.
    const drawn = candles > 0 ? Math.max(width, 4) : 0;
    const from = Math.min(x, 1_000 - drawn);
    x += width;
    return candles > 0
      ? markup`<rect class="${PARTS[at]![0]}" x="${from.toFixed(1)}" width="${
        drawn.toFixed(1)
      }" height="10"/>`
      : markup``;
  });
  return markup`<svg class="${looks}" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="${label}">${parts}</svg>`;
}

export function section(title: string, parts: readonly Markup[]): Markup {
  return markup`<section>
<h2>${title}</h2>
${parts}
</section>`;
}

export function paragraphs(texts: readonly string[]): readonly Markup[] {
  return texts.map((text) => markup`<p>${text}</p>`);
}

/** How a column looks. */
type Column = readonly [head: string, looks: "name" | "number" | "words" | "drawn" | "code" | ""];

type Cell = string | Markup;

/** A table that may be wider than its page. */
export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): Markup {
  const head = columns.map(([name, looks]) =>
    markup`<th class="${looks}" scope="col">${name}</th>`
  );
  const body = rows.map((row) =>
    markup`<tr>${row.map((cell, at) => markup`<td class="${columns[at]![1]}">${cell}</td>`)}</tr>\n`
  );
  return markup`<div class="scroll" tabindex="0"><table>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody>
</table></div>`;
}
