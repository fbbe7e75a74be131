/** The documents for users, and which of them has each table that is compared with the program. @module */

const ROOT = new URL("../../", import.meta.url);

/** Where the table is whose first column has this name. */
export const TABLES = {
  command: "docs/commands.md",
  variable: "docs/configuration.md",
  metric: "docs/http.md",
  endpoint: "docs/http.md",
  alert: "docs/alerts.md",
  state: "docs/guarantees.md",
  message: "docs/operating.md",
} as const;

/** Has the names of all tables, views and functions of the schema. */
export const NAMES_OF_SCHEMA = "docs/sql.md";

/** Path from the root, and text, of every document. */
export const DOCUMENTS: ReadonlyMap<string, string> = new Map(
  await Promise.all(
    [
      ...["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/README.md"],
      ...[...Deno.readDirSync(new URL("docs/", ROOT))]
        .filter(({ name }) => name.endsWith(".md")).map(({ name }) => `docs/${name}`).toSorted(),
    ].map(async (path) => [path, await Deno.readTextFile(new URL(path, ROOT))] as const),
  ),
);
