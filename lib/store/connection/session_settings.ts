/** The settings of a session that answers depend on. They are ours, whatever a role or a database has set. @module */
import type { OwnSetting } from "../../config/database_parameters.ts";

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

/** How the parameters of a connection are sent. `few` is for a pooler that refuses the others. */
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
  };
}

/** A setting that is not what statements need. */
interface ForeignSetting {
  readonly name: string;
  readonly value: string;
  readonly needed: string;
}

/** Selects the name and the value of each setting that a pooler may have kept from us. Any session can read them. */
export const READ_SETTINGS = `select name, setting from pg_settings where name in (${
  Object.keys(UNKNOWN_TO_POOLERS).map((name) => `'${name}'`).join(", ")
})`;

/** Which of them are not what statements need. */
export function foreignSettings(
  rows: readonly { readonly name: string; readonly setting: string }[],
): readonly ForeignSetting[] {
  return Object.entries(UNKNOWN_TO_POOLERS).flatMap(([name, needed]) => {
    const value = rows.find((row) => row.name === name)?.setting;
    if (value === undefined || value === needed) return [];
    // More digits than the shortest exact ones are exact, too.
    if (name === "extra_float_digits" && Number(value) >= Number(needed)) return [];
    return [{ name, value, needed }];
  });
}

/**
 * Whether a pooler has refused a start-up parameter. PgBouncer: "unsupported startup parameter: extra_float_digits"
 * (08P01); PostgreSQL and others: "unrecognized configuration parameter" (42704).
 */
export function refusesSettings(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  // An error of a statement is of another kind, and does not end the connection.
  const { severity, code } = error as { readonly severity?: unknown; readonly code?: unknown };
  return code === "08P01" && /unsupported startup parameter/i.test(error.message) ||
    severity === "FATAL" && /unrecognized configuration parameter/i.test(error.message);
}
