/** The settings of a session that answers depend on. They are ours, whatever a role or a database has set. @module */
import type { OwnSetting } from "../../config/database_parameters.ts";
import type { Sql } from "./sql.ts";
import { StoreError } from "./store_error.ts";

/**
 * Sent with every new connection, and stronger than `alter role … set` and `alter database … set`. Poolers know these
 * and pass them on.
 */
const KNOWN_TO_POOLERS = {
  TimeZone: "UTC",
  DateStyle: "ISO, YMD",
  standard_conforming_strings: "on",
} as const satisfies Partial<Record<OwnSetting, string>>;

/**
 * Sent as well, but a pooler may refuse them. The timeouts are off because every statement has its own deadline, and
 * because compressing, copying and exporting take long.
 */
const UNKNOWN_TO_POOLERS = {
  IntervalStyle: "postgres",
  extra_float_digits: "1",
  array_nulls: "on",
  bytea_output: "hex",
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  transform_null_equals: "off",
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
} as const satisfies Record<Exclude<OwnSetting, keyof typeof KNOWN_TO_POOLERS>, string>;

/**
 * Not sent, because older servers do not know the one, and not every user may set the other. Without triggers no older
 * values of candles would be kept.
 */
const NEVER_SENT = { transaction_timeout: "0", session_replication_role: "origin" } as const;

/** postgres.js sends it. */
const SENT_BY_DRIVER = { client_encoding: "UTF8" } as const;

/** Sent as well: a session without it is not begun by us alone, but lent by a pooler. Servers keep any name with a dot. */
const MARK = "titan10.session";

/** How the parameters of a connection are sent. `few` is for a pooler, which refuses or drops the others. */
export type SessionScope = "all" | "few";

/**
 * The start-up parameters of a connection.
 *
 * @param options.statementMsMax after this time the server ends a statement; undefined for never. A pooler may not know
 * it: the statement's own deadline then ends the wait for it.
 */
export function sessionSettings(
  scope: SessionScope,
  { statementMsMax = 0 }: { readonly statementMsMax?: number | undefined } = {},
): Readonly<Record<string, string>> {
  if (scope === "few") return KNOWN_TO_POOLERS;
  return {
    ...KNOWN_TO_POOLERS,
    ...UNKNOWN_TO_POOLERS,
    statement_timeout: String(statementMsMax),
    [MARK]: "own",
  };
}

/** What a session must have, by name. A pooler may drop what it is sent, and would lead to another schema then. */
export function neededSettings(
  ofUrl: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const found = Object.entries(ofUrl).find(([name]) => name.toLowerCase() === "search_path")?.[1];
  const searchPath = found ?? searchPathOf(ofUrl["options"] ?? "");
  return {
    ...SENT_BY_DRIVER,
    ...KNOWN_TO_POOLERS,
    ...UNKNOWN_TO_POOLERS,
    ...NEVER_SENT,
    ...(searchPath === undefined ? {} : { search_path: searchPath }),
  };
}

/** As PostgreSQL reads its options: the last one holds, and a backslash keeps what follows. */
function searchPathOf(options: string): string | undefined {
  const found = options.matchAll(/(?:^|\s)(?:-c\s*|--)search[_-]path=((?:\\.|[^\s\\])*)/gi);
  return [...found].at(-1)?.[1]?.replace(/\\(.)/g, "$1");
}

/** A pooler has dropped parameters that it was sent. */
class PoolerFoundError extends Error {
  override readonly name = "PoolerFoundError";
}

/**
 * Reads the settings of a session that are not what it must have. Any session can read them.
 *
 * @throws PoolerFoundError when all of them were sent, and a pooler has dropped them.
 */
export async function foreignSettings(
  sql: Sql,
  { scope, needed }: {
    readonly scope: SessionScope;
    readonly needed: Readonly<Record<string, string>>;
  },
): Promise<readonly ForeignSetting[]> {
  const names = Object.keys(needed).map((name) => `'${name}'`).join(", ");
  const rows = await sql.unsafe<{ name: string; setting: string | null }[]>(
    `select name, setting from pg_settings where name in (${names})
     union all select '${MARK}', current_setting('${MARK}', true)`,
  );
  const found = new Map(rows.map(({ name, setting }) => [name, setting]));
  if (scope === "all" && !found.get(MARK)) throw new PoolerFoundError("a pooler drops parameters");
  return Object.entries(needed).flatMap(([name, wanted]) => {
    const value = found.get(name) ?? wanted;
    // More digits than the shortest exact ones are exact, too.
    const isExact = name === "extra_float_digits" && Number(value) >= Number(wanted);
    if (flat(value) === flat(wanted) || isExact) return [];
    return [{ name, value, needed: wanted, isSent: !(name in NEVER_SENT) }];
  });
}

/** Spaces in a list mean nothing. */
function flat(list: string): string {
  return list.replaceAll(/\s*,\s*/g, ",");
}

/** A setting that is not what statements need. */
interface ForeignSetting {
  readonly name: string;
  readonly value: string;
  readonly needed: string;
  /** Whether it was sent: then a pooler has kept it from the server. */
  readonly isSent: boolean;
}

/** Says which settings a session has that it must not have, and how they are set right. */
export function foreignRefusal(foreign: readonly ForeignSetting[]): StoreError {
  const found = foreign.map(({ name, value }) => `${name} = ${value}`).join(", ");
  const mend = foreign.map(({ name, needed }) => `${name} = ${needed}`).join(", ");
  const [why, orElse] = foreign.some(({ isSent }) => isSent)
    ? [
      "use this pooler: it drops settings that titan10 needs, and ",
      ", or name the server itself in DATABASE_URL",
    ]
    : ["use this server as this user: ", ""];
  return new StoreError(
    "refused",
    `Cannot ${why}the server has ${found}. Set ${mend} for the role (alter role … set)${orElse}`,
  );
}

/**
 * Whether a pooler has refused or dropped a start-up parameter. PgBouncer: "unsupported startup parameter: extra_float_digits"
 * (08P01); PostgreSQL and others: "unrecognized configuration parameter" (42704), in the language of the server.
 */
export function refusesSettings(error: unknown): error is Error {
  if (error instanceof PoolerFoundError) return true;
  if (!(error instanceof Error)) return false;
  // An error of a statement is of another kind, and does not end the connection.
  const { severity, code } = error as { readonly severity?: unknown; readonly code?: unknown };
  return code === "08P01" && /unsupported startup parameter/i.test(error.message) ||
    severity === "FATAL" &&
      (code === "42704" || /unrecognized configuration parameter/i.test(error.message));
}

/** Without a cause: that it ended the connection does not mean that it is away. */
export function refusalOf(error: Error): StoreError {
  return new StoreError(
    "refused",
    `Cannot use DATABASE_URL: the server, or the pooler in front of it, refuses its parameter "${error.message}". ` +
      "Leave it out (schema there sets search_path) and set it for the role instead: alter role … set",
  );
}
