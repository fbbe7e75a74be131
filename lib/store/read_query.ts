/** Runs a statement that somebody else wrote, and sees to it that it only reads. @module */
import type { Database } from "./connection/database.ts";
import { attempt, codeOf, StoreError } from "./connection/store_error.ts";

/** A column of an answer. */
export interface QueryColumn {
  readonly name: string;
  /** The type's OID, as in `pg_type`. */
  readonly type: number;
}

/** Consecutive rows, as the texts that PostgreSQL writes; the first page may be empty, and names the columns. */
export interface QueryPage {
  readonly columns: readonly QueryColumn[];
  readonly rows: readonly (readonly (string | null)[])[];
}

interface QueryOptions {
  /** After which a server ends the query. The embedded one cannot. Milliseconds. */
  readonly timeoutMs: number;
  /**
   * Whether others use the connection too: then all is over before they get their turn, and an answer has at most
   * {@linkcode SHARED_ROWS_MAX} rows.
   */
  readonly isShared: boolean;
}

/** Rows at once. */
const FETCH_ROWS = 1_000;

/** What a daemon holds in memory of one answer, in rows. */
export const SHARED_ROWS_MAX = 10_000;

/** Others may have a name like this in mind. */
const PORTAL = "titan10_query";

/**
 * The answer to a query, page by page. Of a connection that is not shared, the database must have one at most.
 *
 * That it only reads is not a matter of reading its text, but of what PostgreSQL takes:
 *
 * - `declare … for` takes one SELECT, VALUES, TABLE or WITH that changes nothing, and the extended protocol one
 *   statement: neither COPY, CALL, DO, SET nor COMMIT can be said;
 * - the transaction is begun read-only and has taken its snapshot, after which PostgreSQL refuses to lift that, also by
 *   `set_config`: functions that write fail;
 * - it ends with a rollback, which also takes back what `set_config` has set;
 * - a superuser's query runs as `pg_read_all_data`, who may not read files, run programs or end others' statements.
 *
 * Not prevented: what functions do beyond transactions, with the rights of the login, such as advisory locks or dblink;
 * and a superuser who means it can take the role off by `set_config('role', …)`. Use another login against intent.
 *
 * @throws StoreError
 */
export async function* runQuery(
  { long }: Database,
  text: string,
  { timeoutMs, isShared }: QueryOptions,
): AsyncGenerator<QueryPage, void> {
  // The extended protocol, also without parameters.
  const send = (statement: string): PromiseLike<RawAnswer> =>
    long.unsafe(statement, [], { simple: false, prepare: false } as object).raw() as PromiseLike<
      unknown
    > as PromiseLike<RawAnswer>;
  const fetch = (rows: number): string => `fetch forward ${rows} from ${PORTAL}`;
  const opening = [
    "begin transaction isolation level repeatable read read only",
    guardStatement(timeoutMs),
    `declare ${PORTAL} no scroll cursor for ${text}`,
  ];
  if (isShared) {
    // Sent in one go, so that nothing of anybody else comes between.
    const statements = [
      ...opening,
      fetch(SHARED_ROWS_MAX + 1),
      "rollback",
      "select pg_advisory_unlock_all()",
    ];
    const answers = await attemptAll(statements.map(send));
    const answer = answers[opening.length]!;
    const rowsMax = Math.min(answer.length, SHARED_ROWS_MAX);
    // Read from bytes as they are taken.
    for (let row = 0; row === 0 || row < rowsMax; row += FETCH_ROWS) {
      yield pageOf(answer, row, Math.min(row + FETCH_ROWS, rowsMax));
    }
    if (answer.length <= SHARED_ROWS_MAX) return;
    throw new StoreError(
      "refused",
      `Cannot give more than ${SHARED_ROWS_MAX} rows of a query while the daemon runs: ask for fewer, ` +
        "use titan10 export, or stop the daemon",
    );
  }
  try {
    await attemptAll(opening.map(send));
    for (;;) {
      const [answer] = await attemptAll([send(fetch(FETCH_ROWS))]);
      const page = pageOf(answer!, 0, answer!.length);
      yield page;
      if (page.rows.length < FETCH_ROWS) return;
    }
  } finally {
    await send("rollback").then(() => {}, () => {});
  }
}

/** What postgres.js answers with: the fields' bytes. */
type RawAnswer = readonly (readonly (Uint8Array | null)[])[] & {
  readonly columns?: readonly QueryColumn[];
};

/** Also takes the snapshot. */
function guardStatement(timeoutMs: number): string {
  return `select set_config('statement_timeout', '${Math.round(timeoutMs)}', true),
    case when rolsuper and exists (select from pg_roles where rolname = 'pg_read_all_data')
         then set_config('role', 'pg_read_all_data', true) end
    from pg_roles where rolname = current_user`;
}

/** Waits for all, and fails as the first that has failed: those after it fail because of it. */
async function attemptAll(
  statements: readonly PromiseLike<RawAnswer>[],
): Promise<readonly RawAnswer[]> {
  const settled = await Promise.allSettled(statements);
  return await attempt("run the query", () => {
    const failed = settled.find((result) => result.status === "rejected");
    if (failed !== undefined) throw explained(failed.reason);
    return Promise.resolve(
      settled.flatMap((result) => result.status === "fulfilled" ? [result.value] : []),
    );
  });
}

function explained(error: unknown): unknown {
  // Syntax error; not permitted in a cursor.
  if (codeOf(error) !== "42601" && codeOf(error) !== "0A000") return error;
  const text = error instanceof Error ? error.message : String(error);
  return Object.assign(
    new Error(`${text}. A query is one SELECT, WITH, VALUES or TABLE that only reads`, {
      cause: error,
    }),
    { code: codeOf(error) },
  );
}

function pageOf(answer: RawAnswer, fromRow: number, toRow: number): QueryPage {
  const decoder = new TextDecoder();
  return {
    columns: (answer.columns ?? []).map(({ name, type }) => ({ name, type })),
    rows: answer.slice(fromRow, toRow).map((row) =>
      row.map((field) => field === null ? null : decoder.decode(field))
    ),
  };
}
