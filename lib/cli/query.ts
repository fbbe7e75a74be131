/** `titan10 query`: runs one read-only SQL query. @module */
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { type QueryPage, runQuery } from "../store/read_query.ts";
import { csvField, spreadsheetField } from "../transfer/candle_csv.ts";
import { durationFlag } from "./duration_flag.ts";
import { csvHead, csvLines, jsonLinesOf, rowLayout } from "./query_output.ts";
import { addSettingFlags, type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";
import { count } from "./text.ts";
import { pagesOfArchive } from "./with_archive.ts";

const HELP = `
A query is one SELECT, WITH, VALUES or TABLE. It cannot change anything: it runs
in a read-only transaction and with the rights of the role pg_database_owner,
which may only read the archive, and PostgreSQL lets it leave neither. To let
queries read another table: grant select on … to pg_database_owner. docs/sql.md
says when that role cannot be used.

A row may have at most 4 MB: select parts of longer texts.

While the daemon uses the embedded database, it runs the query, and returns at
most 10,000 rows or 4 MB. Its own writes wait until the query ends, so the
default of --timeout is 20 s then.`;

/** A query is cancelled after this time. */
const TIMEOUT_MS = 60_000;

/** The same while the daemon runs. It is shorter, because the daemon cannot write new candles during the query. */
const TIMEOUT_BESIDE_MS = 20_000;

/** The default limit of a table, which people read. */
const TABLE_ROWS = 1_000;

const QUERY_BYTES_MAX = 1024 * 1024;

/** Adds the command's options and its action. */
export function makeQuery(empty: Command, shell: Shell, perform: Perform): void {
  const command = empty
    .argument("<sql>", "the query; - reads it from standard input")
    .addOption(new Option("--json", "print JSON, one object a line").conflicts("csv"))
    .option("--csv", "print CSV")
    .addOption(
      new Option(
        "--quote-formulas",
        "in CSV, put an apostrophe before text that a spreadsheet would calculate",
      ).implies({ csv: true }).conflicts("json"),
    )
    .option(
      "--limit <rows>",
      "maximum number of rows (default: 1000 in a table, else all)",
      rowCount,
    )
    .addOption(
      new Option(
        "--timeout <duration>",
        "maximum duration, 90s or 10m (default: 60s, 20s while a daemon runs)",
      ).argParser(durationFlag),
    )
    .addHelpText("after", HELP);
  addSettingFlags(command as unknown as Command, ["DATA_DIR", "LOG_LEVEL"]);
  command.action((sql, flags: unknown) =>
    perform(() => query(shell, sql, flags as QueryFlags & Flags))
  );
}

interface QueryFlags {
  readonly json?: true;
  readonly csv?: true;
  readonly quoteFormulas?: true;
  readonly limit?: number;
  readonly timeout?: number;
}

async function query(shell: Shell, sql: string, flags: QueryFlags & Flags): Promise<ExitCode> {
  const text = sql === "-" ? await readAll(shell.input) : sql;
  const isTable = flags.json !== true && flags.csv !== true;
  const limit = flags.limit ?? (isTable ? TABLE_ROWS : Infinity);
  const field = flags.quoteFormulas === true ? spreadsheetField : csvField;
  const encoder = new TextEncoder();
  let layout: ReturnType<typeof rowLayout> | undefined;
  let rows = 0;
  let isCut = false;
  try {
    for await (const page of pagesOf(shell, text, flags)) {
      shell.signal.throwIfAborted();
      const taken = { ...page, rows: page.rows.slice(0, limit - rows) };
      isCut = taken.rows.length < page.rows.length;
      if (isTable) {
        layout ??= rowLayout(taken, shell.columns);
        if (taken.rows.length > 0) {
          shell.write(encoder.encode(`${layout(taken.rows, rows)}\n`));
        }
      } else if (flags.json === true) shell.write(encoder.encode(jsonLinesOf(taken)));
      else {
        const head = rows === 0 ? csvHead(page, field) : "";
        shell.write(encoder.encode(head + csvLines(taken, field)));
      }
      rows += taken.rows.length;
      if (isCut) break;
    }
  } catch (error) {
    // The reader closed the pipe, because it has read enough.
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.done;
    throw error;
  }
  if (isTable) shell.tell(rows === 1 ? "1 row" : `${count(rows)} rows`);
  if (isCut && flags.limit === undefined) {
    shell.tell("There are more rows: raise --limit to see them");
  }
  return EXIT.done;
}

/** The result, from the database or from the daemon that holds it. */
async function* pagesOf(
  shell: Shell,
  text: string,
  flags: QueryFlags & Flags,
): AsyncGenerator<QueryPage, void> {
  const ground = await readGround(shell, flags, { logLevelDefault: "error" });
  const { clock } = ground;
  const { signal } = shell;
  // One connection only: all statements of a query must run in the same session.
  const config = { ...ground.config, dbPoolMax: 1 };
  yield* pagesOfArchive({ ...ground, config }, {
    here: (database) =>
      runQuery(database, text, { timeoutMs: flags.timeout ?? TIMEOUT_MS, signal, clock }),
    path: "/query",
    asked: { text, timeoutMs: flags.timeout ?? TIMEOUT_BESIDE_MS },
    signal,
  });
}

async function readAll(input: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of input) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > QUERY_BYTES_MAX) throw new Error("Cannot read the query: it is too long");
  }
  return text;
}

function rowCount(text: string): number {
  const rows = /^\d{1,12}$/.test(text) ? Number(text) : 0;
  if (rows < 1) throw new InvalidArgumentError("expected a number of rows");
  return rows;
}
