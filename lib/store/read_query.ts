/** Runs a user's query and makes sure that it only reads. @module */
import type { Clock } from "../clock.ts";
import { DeadlineError, withDeadline } from "../policy/deadline.ts";
import { runCancellable } from "./connection/cancelling.ts";
import type { Database } from "./connection/database.ts";
import { attempt, codeOf, StoreError } from "./connection/store_error.ts";
import { byteText } from "../text/bytes.ts";
import { errorText } from "../text/redact.ts";
import { fieldsOfRow } from "./row_text.ts";

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
  /** Cancels the query at once. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The most rows to return, read in one go because other work waits for the connection. @default no limit */
  readonly rowsMax?: number | undefined;
}

/** Rows that are fetched at once. */
const FETCH_ROWS = 1_000;

/**
 * No more rows are fetched once they have this many bytes, and a longer row is refused. So one answer is shorter than
 * twice this; the embedded server ends one that is longer than 8 MiB.
 */
export const FETCH_BYTES = 4_000_000;

/** The most rows of one result that a daemon holds in memory. */
export const SHARED_ROWS_MAX = 10_000;

/** The cursor that `titan10_query_open` makes. */
const PORTAL = "titan10_query";

const ACTION = "run the query";

/**
 * The result of a query, page by page. If the database is a server, it must be limited to one connection.
 *
 * The query's text is not inspected. PostgreSQL itself makes sure that it only reads:
 *
 * - the text is a string for functions of ours (`sql/0026_query.sql`), never part of a statement of the login. They run
 *   it with the rights of their owner, who may read the archive and is neither a superuser nor the login. In there
 *   PostgreSQL refuses to change the role or the session's user;
 * - a cursor takes one SELECT, VALUES, TABLE or WITH that changes nothing. So COPY, CALL, DO, SET and COMMIT are not
 *   possible;
 * - the transaction is read-only and has taken its snapshot. After that PostgreSQL refuses to make it writable, also by
 *   `set_config`. Functions that write fail;
 * - the transaction ends with a rollback, which also undoes what `set_config` has set.
 *
 * Not prevented is what everybody may do on that server: take advisory locks, which end with the query, use memory and
 * temporary files, write messages for logical decoding.
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
  let page: FetchedPage;
  try {
    const fetchPage = await openQuery(session, text, options);
    page = await fetchPage(rowsMax === undefined ? FETCH_ROWS : rowsMax + 1);
    while (rowsMax === undefined) {
      yield page;
      if (page.isLast) return;
      page = await fetchPage(FETCH_ROWS);
    }
  } finally {
    session.end();
  }
  // The rows are returned only after the session has ended, because other work waits for the connection and the reader
  // may be slow.
  const { columns, rows, isLast } = page;
  const count = Math.min(rows.length, rowsMax);
  for (let row = 0; row === 0 || row < count; row += FETCH_ROWS) {
    yield { columns, rows: rows.slice(row, Math.min(row + FETCH_ROWS, count)) };
  }
  if (isLast) return;
  const most = rows.length > rowsMax ? `${rowsMax} rows` : byteText(FETCH_BYTES);
  throw new StoreError(
    "refused",
    `Cannot return more than ${most} of a query while the daemon runs. Ask for fewer or shorter rows, ` +
      "use titan10 export, or stop the daemon",
  );
}

interface FetchedPage extends QueryPage {
  /** Whether no rows follow. */
  readonly isLast: boolean;
}

/** A connection for this query alone. */
interface Session {
  ask(statement: string): Promise<QueryPage>;
  /** Rolls back the transaction, and gives up the locks that the query took. */
  end(): void;
}

/** @returns what fetches the next rows. */
async function openQuery(
  session: Session,
  text: string,
  { timeoutMs }: QueryOptions,
): Promise<(rows: number) => Promise<FetchedPage>> {
  if (text.includes("\0")) {
    throw new StoreError("refused", `Cannot ${ACTION}: it contains a NUL character`);
  }
  await session.ask("begin transaction isolation level repeatable read read only");
  const { rows: [found] } = await session.ask(guardStatement(timeoutMs));
  const { schema, owner } = ownerOf(found!);
  const ask = (statement: string): Promise<QueryPage> =>
    session.ask(statement).catch((error) => {
      throw isDenied(error) ? deniedError(error, owner) : error;
    });
  await ask(`select ${schema}.titan10_query_open(${literal(text)})`);
  // From a cursor that was not read yet, this gives the columns and runs nothing.
  const { columns } = await session.ask(`fetch forward 0 from ${PORTAL}`);
  return async (rows) => {
    const fetched = await ask(
      `select * from ${schema}.titan10_query_fetch(${rows}, ${FETCH_BYTES})`,
    );
    const texts = fetched.rows.flatMap(([row]) => row ?? []);
    return {
      columns,
      rows: texts.map((row) => fieldsOfRow(row, columns.length)),
      isLast: texts.length < fetched.rows.length,
    };
  };
}

/** Sets the time-out, and finds who owns the functions. As the first query, it also takes the snapshot. */
function guardStatement(timeoutMs: number): string {
  return `with functions as (
      select rolname, prosecdef and not rolsuper as is_guarded, has_function_privilege(pg_proc.oid, 'execute') as may_run
      from pg_proc join pg_roles on pg_roles.oid = proowner
      where pronamespace = (select oid from pg_namespace where nspname = current_schema())
        and proname in ('titan10_query_open', 'titan10_query_fetch')
    )
    select quote_ident(current_schema()), quote_ident(current_user), max(rolname), count(*) = 2, bool_and(is_guarded),
           bool_and(may_run), set_config('statement_timeout', '${Math.round(timeoutMs)}', true)
    from functions`;
}

/** Whose rights a query has, and the schema of the functions. */
interface QueryOwner {
  readonly owner: string;
  /** Quoted. The query may change the search path. */
  readonly schema: string;
}

/** @throws StoreError when the query would not be held to reading, or may not be run. */
function ownerOf(found: QueryPage["rows"][number]): QueryOwner {
  const [schema, login, owner, isThere, isGuarded, mayRun] = found;
  if (isThere === "t" && isGuarded === "t" && mayRun === "t") {
    return { schema: schema!, owner: owner! };
  }
  const functions = `${schema}.titan10_query_open, ${schema}.titan10_query_fetch`;
  const why = isThere !== "t"
    ? "there is no archive in this database, or one of an older titan10. Run titan10 migrate"
    : isGuarded !== "t"
    ? `its functions have the rights of ${owner}, who may write. Run titan10 migrate`
    : `${login} may not run it. Run as the owner of the database: grant execute on function ${functions} to ${login}`;
  throw new StoreError("refused", `Cannot ${ACTION}: ${why}`);
}

function isDenied(error: unknown): error is StoreError {
  return error instanceof StoreError && codeOf(error.cause) === "42501";
}

function deniedError(error: StoreError, owner: string): StoreError {
  return new StoreError(
    "refused",
    `${error.message}. A query has the rights of ${owner}, which may read the archive. Grant that role what else it ` +
      "should read",
    { cause: error },
  );
}

/** A string of SQL, which no setting reads in another way. */
function literal(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

function serverSession(database: Database, options: QueryOptions): Session {
  const { signal, clock } = options;
  // `simple: false` uses the extended protocol, even without parameters.
  const send = (statement: string): Promise<RawAnswer> =>
    database.runLong(ACTION, (pool) =>
      runCancellable(
        (sql) =>
          sql.unsafe(statement, [], { simple: false, prepare: false } as object)
            .raw() as Promise<unknown> as Promise<RawAnswer>,
        { pool, signals: [signal], clock },
      ));
  return {
    ask: (statement) => attemptQuery(options, async () => pageOf(await send(statement))),
    // In one message: a pooler gives the connection away when the transaction has ended, with the locks of its session.
    end: () =>
      void database.runLong(
        ACTION,
        (sql) => sql.unsafe("rollback; select pg_advisory_unlock_all()"),
      ).catch(() => {}),
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
    end: () => void turn.end(),
  };
}

/** The result of postgres.js, with each field as bytes. */
type RawAnswer = readonly (readonly (Uint8Array | null)[])[] & {
  readonly columns?: readonly QueryColumn[];
};

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
    // 42601: syntax error. 0A000, 42P11: not permitted in a cursor.
    const isNoQuery = code === "42601" || code === "0A000" || code === "42P11";
    const isLate = cause instanceof DeadlineError || code === "57014" && /timeout/.test(text);
    const isGreedy = code === "53200";
    if (!isNoQuery && !isLate && !isGreedy) throw error;
    const hint = isGreedy
      ? `Ask for fewer or shorter rows (${code})`
      : `A query is one SELECT, WITH, VALUES or TABLE that only reads (${code})`;
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

/**
 * Sees to it that queries have the rights of a role that may only read, where the login may arrange that, and that this
 * role may read every table there is. Does nothing when it is so already.
 */
export async function guardQueries(database: Database): Promise<void> {
  await database.run("guard the queries of users", (sql) => sql`select titan10_guard_query()`);
}
