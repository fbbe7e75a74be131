/**
 * What each parameter of DATABASE_URL means here. The names are those of libpq (PostgreSQL manual, 34.1.2), Prisma's, and
 * `prepare` of postgres.js.
 *
 * @module
 */

/** Which servers of a list are used (`target_session_attrs`). */
export type Target = "any" | "primary" | "standby" | "prefer-standby";

/** How the connection to a server is secured. */
export interface TlsSettings {
  /**
   * - `disable`: not encrypted.
   * - `verify-full`: encrypted, and the server's certificate and name are verified.
   *
   * Undefined when the URL does not say. Then a local connection is not encrypted, and any other is verified.
   */
  readonly mode: "disable" | "verify-full" | undefined;
  /** File of authorities' certificates that are trusted in addition to the well-known ones; undefined for none. */
  readonly rootCertificatePath: string | undefined;
}

/** What the parameters of a URL say, hosts and names aside. */
export interface ParameterValues {
  sslmode?: TlsSettings["mode"];
  rootCertificatePath?: string | undefined;
  /** A file in the format of `.pgpass`, which is read when there is no password. */
  passwordPath?: string;
  /** Undefined when the URL does not say: then `any`, or `primary` of several hosts. */
  target?: Target;
  /** Zero waits as long as the system does. */
  connectTimeoutS?: number;
  keepsAlive: boolean;
  /** False where statements may not be prepared, as behind a pooler. */
  prepares: boolean;
  /** Sent to the server with every new connection. */
  readonly settings: Record<string, string>;
}

/** Keeps what a text says; returns what is allowed instead of it. */
type Parameter = (text: string, values: ParameterValues) => string | undefined;

/** What the values of `sslmode` are, and why not the others. */
const SSLMODES_ALLOWED = "sslmode=disable, require, verify-ca or verify-full, the last " +
  "three verify alike; prefer and allow do not protect the connection";

const VERIFIED = ["require", "verify-ca", "verify-full"];

/**
 * `require` and `verify-ca` are treated as `verify-full`, because encryption without verifying the server does not stop
 * an attacker in between.
 */
function sslmode(text: string, values: ParameterValues): string | undefined {
  if (text !== "disable" && !VERIFIED.includes(text)) return SSLMODES_ALLOWED;
  values.sslmode = text === "disable" ? "disable" : "verify-full";
}

function target(text: string, values: ParameterValues): string | undefined {
  const found = TARGETS[text];
  if (found === undefined) return `target_session_attrs=${list(Object.keys(TARGETS))}`;
  values.target = found;
}

/** Our sessions may always write where the server may, so `read-write` asks for a primary, `read-only` for a standby. */
const TARGETS: Readonly<Record<string, Target>> = {
  "any": "any",
  "primary": "primary",
  "read-write": "primary",
  "standby": "standby",
  "read-only": "standby",
  "prefer-standby": "prefer-standby",
};

function connectTimeout(text: string, values: ParameterValues): string | undefined {
  if (!/^\d{1,5}$/.test(text)) return "connect_timeout in whole seconds";
  values.connectTimeoutS = Number(text);
}

function prepare(name: string, unprepared: string): Parameter {
  return (text, values) => {
    if (text !== "true" && text !== "false") return `${name}=true or false`;
    if (text === unprepared) values.prepares = false;
  };
}

/** Sent to the server, which says itself if it does not know it. */
export function serverSetting(name: string): Parameter {
  return (text, values) => {
    values.settings[name] = text;
    return undefined;
  };
}

/** Accepts the values that ask for nothing that is not done anyway. */
function only(name: string, allowed: readonly string[], why: string): Parameter {
  return (text) => allowed.includes(text) ? undefined : `${name}=${list(allowed)}, because ${why}`;
}

function never(name: string, why: string): Parameter {
  return () => `no ${name}, because ${why}`;
}

/** The settings of a session that answers depend on. They are always sent, so that no URL may name them. */
const OWN_SETTINGS = [
  "TimeZone",
  "DateStyle",
  "standard_conforming_strings",
  "IntervalStyle",
  "extra_float_digits",
  "array_nulls",
  "bytea_output",
  "default_transaction_isolation",
  "default_transaction_read_only",
  "default_transaction_deferrable",
  "transform_null_equals",
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "idle_session_timeout",
] as const;

/** The name of such a setting. */
export type OwnSetting = typeof OWN_SETTINGS[number];

const SET_ALWAYS = "titan10 always sets it";

/** `-c name=value` or `--name=value`, as in the options of PostgreSQL's own program. */
const OPTION = /(?:^|\s)(?:-c\s*|--)([\w.-]+)\s*=/g;

function options(text: string, values: ParameterValues): string | undefined {
  const names = [...text.matchAll(OPTION)].map(([, name]) => name!.replaceAll("-", "_"));
  const own = OWN_SETTINGS.find((own) =>
    names.some((name) => name.toLowerCase() === own.toLowerCase())
  );
  if (own !== undefined) return `no ${own} in options, because ${SET_ALWAYS}`;
  values.settings["options"] = text;
}

const NO_CLIENT_CERTIFICATE = "client certificates are not supported: use a password";
const NO_GSSAPI = "GSSAPI is not supported";
const NO_REVOCATION = "certificate revocation lists are not supported";
const NO_KEEPALIVE_TIMES =
  "it is the system's: net.ipv4.tcp_keepalive_* (every statement has its " +
  "own deadline)";
const NO_NAMED_URLS = "service files are not read: write the URL in full";
const NO_OAUTH = "OAuth is not supported";
const OWN_DEADLINES = "every statement has its own deadline";

const RULES: Readonly<Record<string, Parameter>> = {
  sslmode,
  ssl: (text, values) => text === "true" ? sslmode("require", values) : "ssl=true, or sslmode",
  sslrootcert: (text, values) => {
    // A URL with a certificate of an authority asks for a verified server.
    values.sslmode ??= "verify-full";
    if (text !== "system") values.rootCertificatePath = text;
    return undefined;
  },
  passfile: (text, values) => {
    values.passwordPath = text;
    return undefined;
  },
  target_session_attrs: target,
  connect_timeout: connectTimeout,
  keepalives: (text, values) => {
    if (text !== "0" && text !== "1") return "keepalives=0 or 1";
    values.keepsAlive = text === "1";
  },
  application_name: serverSetting("application_name"),
  options,
  prepare: prepare("prepare", "false"),
  pgbouncer: prepare("pgbouncer", "true"),
  // The schema alone, as Prisma does: one that does not exist must not lead to another.
  schema: (text, values) => {
    values.settings["search_path"] = `"${text.replaceAll('"', '""')}"`;
    return undefined;
  },
  // Names the program where it does not name itself. Titan-10 does.
  fallback_application_name: () => undefined,
  client_encoding: only("client_encoding", ["UTF8", "utf8", "UTF-8", "auto"], "texts are UTF-8"),
  replication: only(
    "replication",
    ["false", "off", "no", "0"],
    "titan10 sends statements, not replication commands",
  ),
  channel_binding: only("channel_binding", ["prefer", "disable"], "it is not supported"),
  load_balance_hosts: only("load_balance_hosts", ["disable"], "hosts are tried in their order"),
  min_protocol_version: only("min_protocol_version", ["3.0"], "protocol 3.0 is spoken"),
  max_protocol_version: only("max_protocol_version", ["3.0", "latest"], "protocol 3.0 is spoken"),
  sslcompression: only("sslcompression", ["0"], "TLS is not compressed"),
  sslsni: only("sslsni", ["1"], "the name of the host is always sent"),
  sslnegotiation: only("sslnegotiation", ["postgres"], "the server is asked for TLS first"),
  sslcertmode: only("sslcertmode", ["disable", "allow"], NO_CLIENT_CERTIFICATE),
  requiressl: (text, values) =>
    text === "1" ? sslmode("require", values) : "requiressl=1, or sslmode",
  ssl_min_protocol_version: only(
    "ssl_min_protocol_version",
    ["TLSv1", "TLSv1.1", "TLSv1.2"],
    "only TLS 1.2 and newer are used",
  ),
  ssl_max_protocol_version: only(
    "ssl_max_protocol_version",
    ["TLSv1.3"],
    "only TLS 1.2 and newer are used",
  ),
  sslcert: never("sslcert", NO_CLIENT_CERTIFICATE),
  sslkey: never("sslkey", NO_CLIENT_CERTIFICATE),
  sslpassword: never("sslpassword", NO_CLIENT_CERTIFICATE),
  sslkeylogfile: never("sslkeylogfile", "keys of connections are never written to a file"),
  sslcrl: never("sslcrl", NO_REVOCATION),
  sslcrldir: never("sslcrldir", NO_REVOCATION),
  requirepeer: never("requirepeer", "the owner of a socket is not looked up"),
  require_auth: never("require_auth", "the server chooses how to ask for the password"),
  gssencmode: only("gssencmode", ["disable", "prefer"], NO_GSSAPI),
  gssdelegation: only("gssdelegation", ["0"], NO_GSSAPI),
  krbsrvname: never("krbsrvname", NO_GSSAPI),
  gsslib: never("gsslib", NO_GSSAPI),
  keepalives_idle: only("keepalives_idle", ["0"], NO_KEEPALIVE_TIMES),
  keepalives_interval: only("keepalives_interval", ["0"], NO_KEEPALIVE_TIMES),
  keepalives_count: only("keepalives_count", ["0"], NO_KEEPALIVE_TIMES),
  tcp_user_timeout: only("tcp_user_timeout", ["0"], OWN_DEADLINES),
  ["service"]: never("service", NO_NAMED_URLS),
  servicefile: never("servicefile", NO_NAMED_URLS),
  oauth_issuer: never("oauth_issuer", NO_OAUTH),
  oauth_client_id: never("oauth_client_id", NO_OAUTH),
  oauth_client_secret: never("oauth_client_secret", NO_OAUTH),
  oauth_scope: never("oauth_scope", NO_OAUTH),
  scram_client_key: never("scram_client_key", "the password itself is needed"),
  scram_server_key: never("scram_server_key", "the password itself is needed"),
  database: never("database", "dbname is its name"),
  ...Object.fromEntries(OWN_SETTINGS.map((name) => [name.toLowerCase(), never(name, SET_ALWAYS)])),
  // Prisma's others.
  connection_limit: never("connection_limit", "DB_POOL_MAX is the number of connections"),
  pool_timeout: never("pool_timeout", OWN_DEADLINES),
  socket_timeout: never("socket_timeout", OWN_DEADLINES),
  statement_cache_size: never("statement_cache_size", "pgbouncer=true is what prepares nothing"),
  sslaccept: (text, values) =>
    text === "strict" ? sslmode("verify-full", values) : "sslaccept=strict, or sslmode",
  sslidentity: never("sslidentity", NO_CLIENT_CERTIFICATE),
};

/** By name. A name that is not in it is a setting of the server's. */
export const PARAMETERS: ReadonlyMap<string, Parameter> = new Map(Object.entries(RULES));

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
