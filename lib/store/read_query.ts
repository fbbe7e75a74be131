/** Runs a user's query and makes sure that it only reads. @module */
import type { Clock } from "../clock.ts";
import { DeadlineError, withDeadline } from "../policy/deadline.ts";
import type { Database } from "./connection/database.ts";
import { attempt, codeOf, StoreError } from "./connection/store_error.ts";
import { errorText } from "../text/redact.ts";

/** A column of a result. */
export interface QueryColumn {
  readonly name: string;
  /** The OID of the type, as in `pg_type`. */
  readonly type: number;
}

/**
 * Consecutive rows, as the texts that PostgreSQL writes. The first page names the columns, even when it has no rows.
 */
export interface QueryPage {
  readonly columns: readonly QueryColumn[];
  readonly rows: readonly (readonly (string | null)[])[];
}

interface QueryOptions {
  /** Each statement is cancelled after this time. Milliseconds. */
  readonly timeoutMs: number;
  /** Cancels the query: at once on the embedded server, else when the current statement ends. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The most rows to return, read in one go because other work waits for the connection. @default no limit */
  readonly rowsMax?: number;
}

/** Rows that are fetched at once. */
const FETCH_ROWS = 1_000;

/** The most rows of one result that a daemon holds in memory. */
export const SHARED_ROWS_MAX = 10_000;

/** The name of the cursor, which should not clash with names in the user's query. */
const PORTAL = "titan10_query";

const ACTION = "run the query";

/**
 * The result of a query, page by page. If the database is a server, it must be limited to one connection.
 *
 * The query's text is not inspected. PostgreSQL itself makes sure that it only reads:
 *
 * - `declare … for` takes one SELECT, VALUES, TABLE or WITH that changes nothing, and the extended protocol takes one
 *   statement. So COPY, CALL, DO, SET and COMMIT are not possible;
 * - the transaction is read-only and has taken its snapshot. After that PostgreSQL refuses to make it writable, also by
 *   `set_config`. Functions that write fail;
 * - the transaction ends with a rollback, which also undoes what `set_config` has set;
 * - a superuser's query runs as `pg_read_all_data`, which may not read files, run programs or end others' statements.
 *
 * Not prevented: functions that act outside of transactions with the rights of the login, such as advisory locks or
 * dblink. Also, a superuser can deliberately leave the role by `set_config('role', …)`. Against attacks, use a login
 * with fewer rights.
 *
 * @throws StoreError
 * @throws the signal's reason.
 */
export async function* runQuery(
  database: Database,
  text: string,
  options: QueryOptions,
): AsyncGenerator<QueryPage, void> {
  const { rowsMax, signal } = options;
  signal.throwIfAborted();
  const session = database.takeTurn === undefined
    ? serverSession(database, options)
    : await embeddedSession(database.takeTurn, options);
  let page: QueryPage;
  try {
    for (const statement of openingOf(text, options)) await session.ask(statement);
    page = await session.ask(fetchOf(rowsMax === undefined ? FETCH_ROWS : rowsMax + 1));
    while (rowsMax === undefined) {
      yield page;
      if (page.rows.length < FETCH_ROWS) return;
      page = await session.ask(fetchOf(FETCH_ROWS));
    }
  } finally {
    session.end();
  }
  // The rows are returned only after the session has ended, because other work waits for the connection and the reader
  // may be slow.
  const count = Math.min(page.rows.length, rowsMax);
  for (let row = 0; row === 0 || row < count; row += FETCH_ROWS) {
    yield { ...page, rows: page.rows.slice(row, Math.min(row + FETCH_ROWS, count)) };
  }
  if (page.rows.length <= rowsMax) return;
  throw new StoreError(
    "refused",
    `Cannot return more than ${rowsMax} rows of a query while the daemon runs: ask for fewer, ` +
      "use titan10 export, or stop the daemon",
  );
}

/** A connection for this query alone. */
interface Session {
  ask(statement: string): Promise<QueryPage>;
  /** Rolls back the transaction. */
  end(): void;
}

function openingOf(text: string, { timeoutMs }: QueryOptions): readonly string[] {
  return [
    "begin transaction isolation level repeatable read read only",
    guardStatement(timeoutMs),
    `declare ${PORTAL} no scroll cursor for ${text}`,
  ];
}

function fetchOf(rows: number): string {
  return `fetch forward ${rows} from ${PORTAL}`;
}

function serverSession(database: Database, options: QueryOptions): Session {
  // `simple: false` uses the extended protocol, even without parameters.
  const send = (statement: string): Promise<RawAnswer> =>
    database.runLong(
      ACTION,
      (sql) =>
        sql.unsafe(statement, [], { simple: false, prepare: false } as object)
          .raw() as Promise<unknown> as Promise<RawAnswer>,
    );
  return {
    ask: (statement) => attemptQuery(options, async () => pageOf(await send(statement))),
    end: () => void send("rollback").catch(() => {}),
  };
}

/**
 * The embedded server has no statement time-outs. When the time is up, the server itself is ended together with the
 * statement.
 */
async function embeddedSession(
  takeTurn: NonNullable<Database["takeTurn"]>,
  options: QueryOptions,
): Promise<Session> {
  const { timeoutMs } = options;
  const turn = await attemptQuery(
    options,
    () => attempt(ACTION, () => withDeadline(timeoutMs, takeTurn, options)),
    `the database was busy with other work for ${timeoutMs / 1000} s`,
  );
  return {
    ask: (statement) =>
      attemptQuery(
        options,
        () =>
          attempt(ACTION, () =>
            withDeadline(timeoutMs, (signal) => turn.ask(statement, signal), options)),
      ),
    end: () => turn.end(),
  };
}

/** The result of postgres.js, with each field as bytes. */
type RawAnswer = readonly (readonly (Uint8Array | null)[])[] & {
  readonly columns?: readonly QueryColumn[];
};

/** Sets the time-out and the role. As the first query, it also takes the snapshot. */
function guardStatement(timeoutMs: number): string {
  return `select set_config('statement_timeout', '${Math.round(timeoutMs)}', true),
    case when rolsuper and exists (select from pg_roles where rolname = 'pg_read_all_data')
         then set_config('role', 'pg_read_all_data', true) end
    from pg_roles where rolname = current_user`;
}

/** @param late the message when the time was not enough. */
async function attemptQuery<T>(
  { timeoutMs, signal }: QueryOptions,
  run: () => Promise<T>,
  late = `it took longer than ${timeoutMs / 1000} s and was ended`,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    signal.throwIfAborted();
    const { cause } = error as StoreError;
    const [code, text] = [codeOf(cause), errorText(cause)];
    // 42601: syntax error. 0A000: not permitted in a cursor.
    const isNoQuery = code === "42601" || code === "0A000";
    const isLate = cause instanceof DeadlineError || code === "57014" && /timeout/.test(text);
    if (!isNoQuery && !isLate) throw error;
    const hint = `A query is one SELECT, WITH, VALUES or TABLE that only reads (${code})`;
    throw new StoreError("refused", `Cannot ${ACTION}: ${isLate ? late : `${text}. ${hint}`}`, {
      cause,
    });
  }
}

function pageOf(answer: RawAnswer): QueryPage {
  const decoder = new TextDecoder();
  return {
    columns: (answer.columns ?? []).map(({ name, type }) => ({ name, type })),
    rows: answer.map((row) => row.map((field) => field === null ? null : decoder.decode(field))),
  };
}
