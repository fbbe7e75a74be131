/** A role whose sessions begin with settings that change what statements mean, and how their answers read. @module */

const HOSTILE_SETTINGS: Readonly<Record<string, string>> = {
  TimeZone: "Asia/Kathmandu",
  DateStyle: "German, DMY",
  IntervalStyle: "iso_8601",
  extra_float_digits: "-15",
  array_nulls: "off",
  bytea_output: "escape",
  standard_conforming_strings: "off",
  escape_string_warning: "on",
  backslash_quote: "off",
  quote_all_identifiers: "on",
  transform_null_equals: "on",
  client_encoding: "LATIN1",
  client_min_messages: "debug1",
  statement_timeout: "1ms",
  lock_timeout: "1ms",
  idle_in_transaction_session_timeout: "1ms",
  idle_session_timeout: "1ms",
  default_transaction_isolation: "serializable",
  default_transaction_read_only: "on",
  default_transaction_deferrable: "on",
  plan_cache_mode: "force_generic_plan",
  enable_hashjoin: "off",
  enable_seqscan: "off",
  work_mem: "64kB",
};

/** The statements that make such a role. */
export function hostileRole(name: string): string {
  return [
    `create role ${name} login superuser`,
    ...Object.entries(HOSTILE_SETTINGS).map(([setting, value]) =>
      `alter role ${name} set ${setting} = ${value.includes(",") ? value : `'${value}'`}`
    ),
  ].join(";\n");
}
