/** The error of a failed statement: what failed, and whether trying again can help. @module */
import { DeadlineError } from "../../policy/deadline.ts";
import { errorText } from "../../text/redact.ts";

/**
 * - `unavailable`: the server cannot be reached, does not answer, is starting or stopping, or gave up this statement
 *   for a temporary reason (deadlock, lock or statement timeout, too few connections, no disk space).
 * - `refused`: the same statement will fail again.
 */
export type StoreErrorKind = "unavailable" | "refused";

/** A statement that failed. Code outside lib/store does not use SQLSTATE. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly kind: StoreErrorKind;

  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Runs statements. Errors become a {@linkcode StoreError} that names the action. */
export async function attempt<T>(action: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const code = codeOf(error);
    const isUnavailable = error instanceof DeadlineError || hasEndedConnection(error) ||
      (code !== undefined && passes(code));
    const kind = isUnavailable ? "unavailable" : "refused";
    const text = errorText(error);
    const suffix = code === undefined ? "" : ` (${code})`;
    throw new StoreError(kind, `Cannot ${action}: ${text}${suffix}`, { cause: error });
  }
}

/** Codes of postgres.js and the operating system for a lost or failed connection. */
const CONNECTION_CODES: ReadonlySet<string> = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
]);

/**
 * Temporary SQLSTATE classes (PostgreSQL manual, appendix A): 08 connection, 40 rollback (deadlock, serialization), 53
 * insufficient resources, 57 operator intervention (shutdown, starting, timeout), 58 system error; 55P03 lock not
 * available; 25006 read-only, as during a failover.
 */
function passes(code: string): boolean {
  return CONNECTION_CODES.has(code) || /^(?:08|40|53|57|58)/.test(code) || code === "55P03" ||
    code === "25006";
}

/**
 * Whether there is no connection to a server: it was lost or could not be opened (08, 57P: shutdown and start-up), or
 * the server has too many connections (53300).
 */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined &&
    (CONNECTION_CODES.has(code) || /^(?:08|57P0)/.test(code) || code === "53300");
}

/**
 * Whether there was no connection to the server. The database itself logs that once, so that what fails because of it need
 * not. A statement without an answer in time is told of by its name, for it may be too slow each time.
 */
export function isServerAway(error: unknown): boolean {
  return error instanceof StoreError && isConnectionLost(error.cause);
}

/** Whether PostgreSQL ended this statement because it and another one waited for each other. */
export function isDeadlock(error: unknown): boolean {
  return codeOf(error) === "40P01";
}

/** Whether an open connection ended, by an administrator, a shutdown or the network. */
export function isConnectionEnded(error: unknown): boolean {
  return /^(?:57P0[1245]|CONNECTION_CLOSED|ECONNRESET|EPIPE)$/.test(codeOf(error) ?? "");
}

/**
 * Whether the server ended the connection because of its own problem (XX000, internal error), for example no disk space
 * for a file that every new connection may write. The statement did not cause it.
 */
function hasEndedConnection(error: unknown): boolean {
  if (codeOf(error) !== "XX000") return false;
  const { severity } = error as { readonly severity?: unknown };
  return severity === "FATAL" || severity === "PANIC";
}

/** No host of several can be used (`sqlclient_unable_to_establish_sqlconnection`). Its text says what each of them is. */
export const NO_HOST = "08001";

/** Whether none of several hosts can be used. What to do about each is its own matter. */
export function isOfHosts(error: unknown): boolean {
  return error instanceof StoreError && codeOf(error.cause) === NO_HOST;
}

/**
 * What the user can do when the server cannot be used: it does not run or is not found, it does not know the user or
 * the database (28, 3D000), it lets in no more connections (53300), or the user lacks rights (42501). Undefined for errors
 * of the statement itself, and of several hosts.
 */
export function serverRemedy(error: StoreError): string | undefined {
  const { cause } = error;
  const code = codeOf(cause) ?? "";
  if (code === "ENOTFOUND" || /failed to lookup address/.test(String(cause))) {
    return "Correct the host in DATABASE_URL";
  }
  if (isOfHosts(error)) return undefined;
  if (code === "53300") {
    return "Lower DB_POOL_MAX, or let in more: max_connections, or the connection limit of the role or database";
  }
  if (isConnectionLost(cause)) return "Start that server, or correct DATABASE_URL";
  if (/^28/.test(code)) return "Correct user and password in DATABASE_URL";
  if (code === "3D000") return "Create that database, or correct DATABASE_URL";
  if (code === "42501") {
    return "Grant that permission to the user in DATABASE_URL, or use another user";
  }
  return undefined;
}

/**
 * Whether an error leaves it in doubt whether the embedded server is sound: it has no memory left (53200), or has found
 * something that should never be (XX000, XX001, XX002).
 */
export function isDoubtful(error: unknown): boolean {
  return /^(?:53200|XX00[0-2])$/.test(codeOf(error) ?? "");
}

/** Whether a statement failed because a row with the same key exists already (SQLSTATE 23505). */
export function isDuplicate(error: unknown): boolean {
  return codeOf(error) === "23505";
}

/**
 * Why something was not dropped: what depends on it, in PostgreSQL's words (SQLSTATE 2BP01). Undefined for all other
 * errors.
 */
export function readDependents(error: unknown): readonly string[] | undefined {
  if (!(error instanceof StoreError) || codeOf(error.cause) !== "2BP01") return undefined;
  const { detail } = error.cause as { readonly detail?: unknown };
  return typeof detail === "string" ? detail.split("\n") : [error.message];
}

/**
 * Whether a page was refused because another one wrote some of its candles while it was asked for (TT001, raised by
 * `titan10_may_revise`). Asked for again, it can be written.
 */
export function isContested(error: unknown): boolean {
  return error instanceof StoreError && codeOf(error.cause) === "TT001";
}

/**
 * Whether a page was refused because its symbol means another market than the one that was asked (TT002, raised by
 * `titan10_is_market`). Another program has found that out: the markets must be loaded again.
 */
export function isOfOtherMarket(error: unknown): boolean {
  return error instanceof StoreError && codeOf(error.cause) === "TT002";
}

/**
 * Whether something was refused because a later holder of the symbol's lease has written (TT004, raised by
 * `titan10_may_write`). It is the other node's to ask for now.
 */
export function isFenced(error: unknown): boolean {
  return error instanceof StoreError && codeOf(error.cause) === "TT004";
}

/** What a statement ends with whose connections were given up, as postgres.js calls it. */
export function givenUp(): Error {
  const error = new Error("the connections that it waited for were given up");
  return Object.assign(error, { code: "CONNECTION_DESTROYED" });
}

export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : undefined;
}
