/** Runs a statement that somebody else wrote, and sees to it that it only reads. @module */
import type { Clock } from "../clock.ts";
import { DeadlineError, withDeadline } from "../policy/deadline.ts";
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
  /** After which each of its statements is ended. Milliseconds. */
  readonly timeoutMs: number;
  /** Ends it: at once where the server is embedded, else with the statement in hand. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Rows that are given at most, and all at once, because others wait for the connection. @default no bound */
  readonly rowsMax?: number;
}

/** Rows at once. */
const FETCH_ROWS = 1_000;

/** What a daemon holds in memory of one answer, in rows. */
export const SHARED_ROWS_MAX = 10_000;

/** Others may have a name like this in mind. */
const PORTAL = "titan10_query";

const ACTION = "run the query";

/**
 * The answer to a query, page by page. Of a server, the database must have one connection at most.
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
  // Only now: others wait for the connection, and the reader may be slow.
  const count = Math.min(page.rows.length, rowsMax);
  for (let row = 0; row === 0 || row < count; row += FETCH_ROWS) {
    yield { ...page, rows: page.rows.slice(row, Math.min(row + FETCH_ROWS, count)) };
  }
  if (page.rows.length <= rowsMax) return;
  throw new StoreError(
    "refused",
    `Cannot give more than ${rowsMax} rows of a query while the daemon runs: ask for fewer, ` +
      "use titan10 export, or stop the daemon",
  );
}

/** A connection that nobody else uses meanwhile. */
interface Session {
  ask(statement: string): Promise<QueryPage>;
  /** Takes back what is open. */
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
  // The extended protocol, also without parameters.
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

/** The embedded server has no time-outs of its own: it is ended with the statement. */
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

/** @param late why the time was not enough. */
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
    const [code, text] = [codeOf(cause), cause instanceof Error ? cause.message : String(cause)];
    // Syntax error; not permitted in a cursor.
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
