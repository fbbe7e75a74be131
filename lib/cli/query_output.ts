/** Prints the result of a query as a table, as JSON lines or as CSV. @module */
import { printable } from "../text/printable.ts";
import type { QueryColumn, QueryPage } from "../store/read_query.ts";
import type { CsvField } from "../transfer/candle_csv.ts";
import { tableLayout } from "./text.ts";

type Row = QueryPage["rows"][number];

/** OIDs of built-in types, which never change (`pg_type.dat`). */
const BOOL = 16;
const JSON_TYPES: ReadonlySet<number> = new Set([114, 3802]);
const NUMBER_TYPES: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700]);
const TIMESTAMPTZ = 1184;

/** A page as CSV (RFC 4180) without the head. Null is an empty field. */
export function csvLines({ columns, rows }: QueryPage, field: CsvField): string {
  return rows.map((row) =>
    `${row.map((text, i) => field(plainText(text, columns[i]!) ?? "")).join(",")}\n`
  ).join("");
}

export function csvHead({ columns }: QueryPage, field: CsvField): string {
  return `${columns.map(({ name }) => field(name)).join(",")}\n`;
}

/**
 * A page as one object per line. Numbers keep all their digits. NaN and infinities are strings. If several columns have
 * the same name, the last one is used.
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

/** Converts PostgreSQL's times to ISO 8601. Everything else stays as it is. */
function plainText(text: string | null, { type }: QueryColumn): string | null {
  if (text === null || type !== TIMESTAMPTZ) return text;
  return text.replace(/^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00$/, "$1T$2Z");
}

/**
 * Chooses the layout of a result from its first page: a table, or one field per line if the table would be wider than
 * the terminal.
 *
 * @returns a function that formats rows, given how many rows came before them.
 */
export function rowLayout(
  { columns, rows: firstRows }: QueryPage,
  width: number,
): (rows: readonly Row[], rowsBefore: number) => string {
  const head = columns.map(({ name }) => printable(name));
  const cellsOf = (row: Row): readonly string[] =>
    row.map((text, i) => text === null ? "–" : printable(plainText(text, columns[i]!) ?? ""));
  const cells = firstRows.map(cellsOf);
  const numeric = columns.flatMap(({ type }, i) => NUMBER_TYPES.has(type) ? [i] : []);
  const widths = head.map((name, i) =>
    cells.reduce((most, row) => Math.max(most, row[i]!.length), name.length)
  );
  const total = widths.reduce((sum, width) => sum + width + 2, -2);
  if (total <= width) {
    const layout = tableLayout(head, cells, { numeric });
    return (rows, rowsBefore) => layout([...rowsBefore === 0 ? [head] : [], ...rows.map(cellsOf)]);
  }
  const nameWidth = head.reduce((most, name) => Math.max(most, name.length), 0);
  return (rows, rowsBefore) =>
    rows.map((row, n) => {
      const fields = cellsOf(row).map((text, i) =>
        `${head[i]!.padEnd(nameWidth)}  ${text}`.trimEnd()
      );
      const number = rowsBefore + n + 1;
      return [`${number === 1 ? "" : "\n"}row ${number}`, ...fields].join("\n");
    }).join("\n");
}
