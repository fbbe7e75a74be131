/** Formats numbers, times and tables for a terminal. @module */

const WHOLE_NUMBERS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `1234567` → `1,234,567`. */
export function count(value: number): string {
  return WHOLE_NUMBERS.format(value);
}

/** Seconds as `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** ISO 8601 without seconds, `2024-01-01 00:00`; `–` for null. */
export function minute(iso: string | null): string {
  return iso === null ? "–" : iso.slice(0, 16).replace("T", " ");
}

/** The time of day if it is today, else the date. */
export function moment(iso: string, nowMs: number): string {
  const isToday = iso.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10);
  return isToday ? iso.slice(11, 16) : iso.slice(0, 10);
}

interface TableOptions {
  /** Indexes of the columns that are aligned right. */
  readonly numeric?: readonly number[];
  /** The width of the table. If it is too wide, the middle of its first column is cut. @default 80 */
  readonly columns?: number;
}

/** The least width of the first column. */
const FIRST_COLUMN_MIN = 12;

const BETWEEN_COLUMNS = "  ";

type Row = readonly string[];

/** Rows below a head, without ruled lines, so that awk can split them. */
export function table(head: Row, rows: readonly Row[], options: TableOptions = {}): string {
  return tableLayout(head, rows, options)([head, ...rows]);
}

/**
 * Sets the column widths of a table of any length from its first rows. Later cells that are wider are not cut, except
 * in the first column.
 *
 * @returns a function that formats rows.
 */
export function tableLayout(
  head: Row,
  firstRows: readonly Row[],
  { numeric = [], columns = 80 }: TableOptions = {},
): (rows: readonly Row[]) => string {
  const widths = head.map((name, index) =>
    widest([name, ...firstRows.map((row) => row[index] ?? "")])
  );
  const [first = 0, ...others] = widths;
  const rest = others.reduce((sum, other) => sum + BETWEEN_COLUMNS.length + other, 0);
  widths[0] = Math.min(first, Math.max(FIRST_COLUMN_MIN, columns - rest));
  const lineOf = (row: Row): string =>
    row.map((text, index) => {
      const cell = index === 0 ? shorten(text, widths[0]!) : text;
      const padding = " ".repeat(Math.max(0, widths[index]! - width(cell)));
      return numeric.includes(index) ? padding + cell : cell + padding;
    }).join(BETWEEN_COLUMNS).trimEnd();
  return (rows) => rows.map(lineOf).join("\n");
}

/** The width of the widest of these texts. */
function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, width(text)), 0);
}

/** The text itself, or its beginning and end with `…` between them, in at most `columns` columns. */
export function shorten(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  const characters = charactersOf(text);
  // The beginning shows the exchange, the end shows quote and timeframe, so each gets half.
  const end = within(characters.toReversed(), Math.floor((columns - 1) / 2)).toReversed();
  const start = within(characters, columns - 1 - width(end.join("")));
  return [...start, "…", ...end].join("");
}

/** The text itself, or its beginning with `…`, in at most `columns` columns. */
export function cut(text: string, columns: number): string {
  return width(text) <= columns ? text : `${within(charactersOf(text), columns - 1).join("")}…`;
}

/** Characters as readers count them: a letter with its accents is one. */
function charactersOf(text: string): readonly string[] {
  return [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
}

/** As many characters as fit. */
function within(characters: readonly string[], columns: number): readonly string[] {
  const kept: string[] = [];
  let taken = 0;
  for (const character of characters) {
    taken += width(character);
    if (taken > columns) break;
    kept.push(character);
  }
  return kept;
}

/** How many columns a text takes on a terminal: none for colours and combining marks, two for wide characters. */
export function width(text: string): number {
  // A shortcut: nearly all texts are plain ASCII.
  if (/^[ -~]*$/.test(text)) return text.length;
  let columns = 0;
  for (const character of text.replace(COLOR, "")) {
    if (!NO_COLUMN.test(character)) columns += TWO_COLUMNS.test(character) ? 2 : 1;
  }
  return columns;
}

// deno-lint-ignore no-control-regex -- It is what colours are made of.
const COLOR = /\x1b\[\d+m/g;

const NO_COLUMN = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Characters that East Asian fonts draw twice as wide (Unicode UAX #11, W and F), and emoji. */
const TWO_COLUMNS =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\p{Emoji_Presentation}\u{17000}-\u{18cff}\u{20000}-\u{3fffd}]/u;

/** Splits a text into lines of at most `columns`. A longer word is split too. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (width(longer) <= columns) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    line = word;
    while (width(line) > columns) {
      const fitting = within(charactersOf(line), columns).join("");
      lines.push(fitting);
      line = line.slice(fitting.length);
    }
  }
  return [...lines, line];
}
