/** The one error that leaves this floor: what the database refused, and whether asking again can help. @module */
import { DeadlineError } from "../../policy/deadline.ts";

/**
 * - `unavailable`: the server cannot be reached, is starting or stopping, or gave up this statement for a
 *   reason that passes (deadlock, lock or statement timeout, no connection or disk to spare), or does not answer.
 * - `refused`: the same statement will fail again.
 */
export type StoreErrorKind = "unavailable" | "refused";

/** A statement that failed. Above this floor nobody knows SQLSTATE. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly kind: StoreErrorKind;

  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Runs statements; what they throw becomes a {@linkcode StoreError} that names the action. */
export async function attempt<T>(action: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const code = codeOf(error);
    const isUnavailable = error instanceof DeadlineError || hasEndedConnection(error) ||
      (code !== undefined && passes(code));
    const kind = isUnavailable ? "unavailable" : "refused";
    const text = error instanceof Error ? error.message : String(error);
    const suffix = code === undefined ? "" : ` (${code})`;
    throw new StoreError(kind, `Cannot ${action}: ${text}${suffix}`, { cause: error });
  }
}

/** What postgres.js and the operating system say when a connection is lost or not to be had. */
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
 * SQLSTATE classes that pass (PostgreSQL manual, appendix A): 08 connection, 40 rollback (deadlock,
 * serialization), 53 insufficient resources, 57 operator intervention (shutdown, starting, timeout), 58
 * system error; 55P03 lock not available; 25006 read-only, as during a failover.
 */
function passes(code: string): boolean {
  return CONNECTION_CODES.has(code) || /^(?:08|40|53|57|58)/.test(code) || code === "55P03" ||
    code === "25006";
}

/**
 * Whether there is no server to talk to: the connection was lost or is not to be had (08, 57P: shutdown and start-up),
 * or there are too many others (53300).
 */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined &&
    (CONNECTION_CODES.has(code) || /^(?:08|57P0)/.test(code) || code === "53300");
}

/**
 * Whether the server ended the connection over a trouble of its own (XX000, internal error), such as no room for a file
 * that every new connection may want to write. The statement is not to blame.
 */
function hasEndedConnection(error: unknown): boolean {
  if (codeOf(error) !== "XX000") return false;
  const { severity } = error as { readonly severity?: unknown };
  return severity === "FATAL" || severity === "PANIC";
}

/**
 * What the user can do about a server that cannot be used as it is: not there, not to be found, or another user or
 * database than it knows (28, 3D000), or without the rights (42501). Undefined for what a statement itself got wrong.
 */
export function serverRemedy({ cause }: StoreError): string | undefined {
  const code = codeOf(cause) ?? "";
  if (code === "ENOTFOUND" || /failed to lookup address/.test(String(cause))) {
    return "Correct the host in DATABASE_URL";
  }
  if (isConnectionLost(cause)) return "Start that server, or correct DATABASE_URL";
  if (/^28/.test(code)) return "Correct user and password in DATABASE_URL";
  if (code === "3D000") return "Create that database, or correct DATABASE_URL";
  if (code === "42501") return "Give that right to the user of DATABASE_URL, or name another";
  return undefined;
}

/** Whether a statement failed because a row with the same key is there already (SQLSTATE 23505). */
export function isDuplicate(error: unknown): boolean {
  return codeOf(error) === "23505";
}

export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : undefined;
}
