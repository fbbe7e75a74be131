/** The answer to a query: as a table, as JSON lines or as CSV. @module */
import { printable } from "../text/printable.ts";
import type { QueryColumn, QueryPage } from "../store/read_query.ts";
import { csvField } from "../transfer/candle_csv.ts";
import { table } from "./text.ts";

type Row = QueryPage["rows"][number];

/** OIDs of built-in types, which never change (`pg_type.dat`). */
const BOOL = 16;
const JSON_TYPES: ReadonlySet<number> = new Set([114, 3802]);
const NUMBER_TYPES: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700]);
const TIMESTAMPTZ = 1184;

/** A page as CSV after RFC 4180 without its head; nothing stands for null. */
export function csvLines({ columns, rows }: QueryPage): string {
  return rows.map((row) =>
    `${row.map((text, i) => csvField(plainText(text, columns[i]!) ?? "")).join(",")}\n`
  ).join("");
}

export function csvHead({ columns }: QueryPage): string {
  return `${columns.map(({ name }) => csvField(name)).join(",")}\n`;
}

/**
 * A page as one object a line. Numbers keep all their digits, which is for the reader to read as it likes; NaN and
 * infinities are strings. Of columns of one name the last counts.
 */
export function jsonLinesOf({ columns, rows }: QueryPage): string {
  return rows.map((row) => {
    const fields = new Map(columns.map((column, i) => [column.name, jsonText(row[i]!, column)]));
    const members = [...fields].map(([name, text]) => `${JSON.stringify(name)}:${text}`);
    return `{${members.join(",")}}\n`;
  }).join("");
}

function jsonText(text: string | null, column: QueryColumn): string {
  if (text === null) return "null";
  if (column.type === BOOL) return String(text === "t");
  if (JSON_TYPES.has(column.type)) return text.replaceAll("\n", " ");
  if (NUMBER_TYPES.has(column.type) && /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/.test(text)) return text;
  return JSON.stringify(plainText(text, column));
}

/** Times as ISO 8601, in which PostgreSQL almost writes them; everything else as it is. */
function plainText(text: string | null, { type }: QueryColumn): string | null {
  if (text === null || type !== TIMESTAMPTZ) return text;
  return text.replace(/^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00$/, "$1T$2Z");
}

/** Rows below each other, or, where they are wider than the terminal, one field a line. */
export function renderRows(
  columns: readonly QueryColumn[],
  rows: readonly Row[],
  width: number,
): string {
  const head = columns.map(({ name }) => printable(name));
  const cells = rows.map((row) =>
    row.map((text, i) => text === null ? "–" : printable(plainText(text, columns[i]!) ?? ""))
  );
  const numeric = columns.flatMap(({ type }, i) => NUMBER_TYPES.has(type) ? [i] : []);
  const widths = head.map((name, i) =>
    cells.reduce((most, row) => Math.max(most, row[i]!.length), name.length)
  );
  const total = widths.reduce((sum, width) => sum + width + 2, -2);
  if (total <= width) return table(head, cells, { numeric });
  const nameWidth = Math.max(...head.map((name) => name.length));
  return cells.map((row, n) => {
    const fields = row.map((text, i) => `${head[i]!.padEnd(nameWidth)}  ${text}`.trimEnd());
    return [`row ${n + 1}`, ...fields].join("\n");
  }).join("\n\n");
}
