/** Reads a row that PostgreSQL has written as one text, `(1,"a ""b""",)`. @module */

/**
 * The fields of a row. Null is nothing between two commas, the empty text is a pair of quotes (manual, "Composite Type
 * Input and Output Syntax").
 *
 * @param row as PostgreSQL writes it: with a doubled quote or backslash for each one inside of quotes.
 * @param count how many fields it has. No field and one null are written alike.
 */
export function fieldsOfRow(row: string, count: number): (string | null)[] {
  const fields: (string | null)[] = [];
  const last = row.length - 1;
  for (let at = 1; fields.length < count; at++) {
    if (row[at] === '"') {
      const end = endOfQuoted(row, at + 1);
      fields.push(row.slice(at + 1, end).replace(/(["\\])\1/g, "$1"));
      at = end + 1;
    } else {
      const comma = row.indexOf(",", at);
      const end = comma === -1 ? last : comma;
      fields.push(end === at ? null : row.slice(at, end));
      at = end;
    }
  }
  return fields;
}

/** Where the closing quote is: the first one that is not doubled. */
function endOfQuoted(row: string, start: number): number {
  let at = row.indexOf('"', start);
  while (row[at + 1] === '"') at = row.indexOf('"', at + 2);
  return at;
}
