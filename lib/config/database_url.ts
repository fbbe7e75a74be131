/** Reads DATABASE_URL as libpq does, and what the variables of `psql` say of what it leaves out. @module */
import {
  PARAMETERS,
  type ParameterValues,
  serverSetting,
  type Target,
  type TlsSettings,
} from "./database_parameters.ts";

/** One server of a URL. */
export interface ServerHost {
  /** A name, an address, or the directory of a unix socket, which begins with a slash. */
  readonly name: string;
  readonly port: number;
  /** Where to connect to, while `name` is what the server's certificate is for; undefined for `name`. */
  readonly address: string | undefined;
}

/** How to reach a server and what to tell it. */
export interface ServerAddress extends Omit<ParameterValues, "target" | "sslmode"> {
  /** At least one, in the order in which they are tried. */
  readonly hosts: readonly ServerHost[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly tls: TlsSettings;
  readonly target: Target;
}

/** A URL that cannot be used. The message says what is expected, and repeats no value, which may be secret. */
export class DatabaseUrlError extends Error {
  override readonly name = "DatabaseUrlError";
  /** The parameter that is wrong; undefined when it is not a parameter. */
  readonly parameter: string | undefined;

  constructor(message: string, parameter?: string) {
    super(message);
    this.parameter = parameter;
  }
}

const PORT_DEFAULT = 5432;

/** @throws DatabaseUrlError */
export function readDatabaseUrl(text: string): ServerAddress {
  const { host, port = "", hostaddr, user, password, dbname, ...others } = Object
    .fromEntries(keywordsOf(text));
  const values: ParameterValues = { keepsAlive: true, prepares: true, settings: {} };
  for (const [name, value] of Object.entries(others)) {
    const parameter = PARAMETERS.get(name) ?? PARAMETERS.get(name.toLowerCase());
    const allowed = (parameter ?? serverSetting(name))(value, values);
    if (allowed !== undefined) throw new DatabaseUrlError(allowed, name);
  }
  const { sslmode, target, ...kept } = values;
  const hosts = hostsOf({ host, port, hostaddr });
  return {
    ...kept,
    hosts,
    user: user || undefined,
    password: password || undefined,
    database: dbname || undefined,
    tls: { mode: sslmode, rootCertificatePath: values.rootCertificatePath },
    target: target ?? (hosts.length > 1 ? "primary" : "any"),
  };
}

/** What is expected instead of this URL; undefined when it can be used. */
export function databaseUrlProblem(text: string): DatabaseUrlError | undefined {
  try {
    readDatabaseUrl(text);
  } catch (error) {
    if (error instanceof DatabaseUrlError) return error;
    throw error;
  }
}

/** The variables that psql reads for what a URL leaves out, by parameter (PostgreSQL manual, 34.15). */
export const PG_VARIABLES: Readonly<Record<string, string>> = {
  host: "PGHOST",
  hostaddr: "PGHOSTADDR",
  port: "PGPORT",
  dbname: "PGDATABASE",
  user: "PGUSER",
  password: "PGPASSWORD",
  passfile: "PGPASSFILE",
  options: "PGOPTIONS",
  application_name: "PGAPPNAME",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  sslcertmode: "PGSSLCERTMODE",
  sslcrl: "PGSSLCRL",
  sslcrldir: "PGSSLCRLDIR",
  sslsni: "PGSSLSNI",
  sslcompression: "PGSSLCOMPRESSION",
  sslnegotiation: "PGSSLNEGOTIATION",
  ssl_min_protocol_version: "PGSSLMINPROTOCOLVERSION",
  ssl_max_protocol_version: "PGSSLMAXPROTOCOLVERSION",
  requiressl: "PGREQUIRESSL",
  requirepeer: "PGREQUIREPEER",
  require_auth: "PGREQUIREAUTH",
  channel_binding: "PGCHANNELBINDING",
  gssencmode: "PGGSSENCMODE",
  gssdelegation: "PGGSSDELEGATION",
  gsslib: "PGGSSLIB",
  krbsrvname: "PGKRBSRVNAME",
  ["service"]: "PGSERVICE",
  servicefile: "PGSERVICEFILE",
  connect_timeout: "PGCONNECT_TIMEOUT",
  client_encoding: "PGCLIENTENCODING",
  target_session_attrs: "PGTARGETSESSIONATTRS",
  load_balance_hosts: "PGLOADBALANCEHOSTS",
  min_protocol_version: "PGMINPROTOCOLVERSION",
  max_protocol_version: "PGMAXPROTOCOLVERSION",
};

/** The name of the user who runs the program: psql's user when none is named. */
const LOGIN_VARIABLES = ["USER", "LOGNAME", "USERNAME"] as const;

/** A URL with one of these says itself how its connection is secured. */
const SECURITY = ["sslmode", "ssl", "sslaccept", "requiressl", "sslrootcert"] as const;

/**
 * A URL completed by the variables of psql, as parameters of the URL.
 *
 * @throws DatabaseUrlError when the URL itself cannot be read.
 */
export function completeDatabaseUrl(
  text: string,
  variables: Readonly<Record<string, string | undefined>>,
): string {
  const given = new Set([...keywordsOf(text).keys()].map((name) => name.toLowerCase()));
  const isSecured = SECURITY.some((name) => given.has(name));
  const found = Object.entries(PG_VARIABLES).flatMap(([name, variable]) => {
    const value = variables[variable];
    if (value === undefined || given.has(name)) return [];
    if (isSecured && (name === "sslmode" || name === "requiressl")) return [];
    // As in libpq.
    if (name === "requiressl" && variables["PGSSLMODE"] !== undefined) return [];
    return [[name, value] as const];
  });
  const login = LOGIN_VARIABLES.map((name) => variables[name]).find((name) => name !== undefined);
  const hasUser = given.has("user") || found.some(([name]) => name === "user");
  if (!hasUser && login !== undefined) found.push(["user", login]);
  if (found.length === 0) return text;
  const query = found.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return `${text}${text.includes("?") ? "&" : "?"}${query}`;
}

const SHAPE = "a URL beginning postgres:// or postgresql://, special characters of the password " +
  "percent-encoded";

/** The parts of a URL by libpq's keywords, decoded. A parameter beats the same thing before the question mark. */
function keywordsOf(text: string): ReadonlyMap<string, string> {
  const match = /^postgres(?:ql)?:\/\/([^\s\p{C}/?#]*)(?:\/([^\s\p{C}?#]*))?(?:\?([^\s\p{C}#]*))?$/u
    .exec(text);
  if (match === null) throw new DatabaseUrlError(SHAPE);
  const [, authority = "", path = "", query = ""] = match;
  const at = authority.lastIndexOf("@");
  // Otherwise a question mark in a password would make the rest of it a parameter.
  if (at < 0 && /@.*\//.test(query)) throw new DatabaseUrlError(SHAPE);
  const keywords = new Map<string, string>();
  const keep = (name: string, value: string): void => {
    if (value !== "") keywords.set(name, value);
  };
  const [user = "", ...password] = authority.slice(0, Math.max(0, at)).split(":");
  keep("user", decode(user));
  keep("password", decode(password.join(":")));
  const places = authority.slice(at + 1).split(",").map(splitPlace);
  keep("host", places.map(({ host }) => host).join(",").replace(/^,+$/, ""));
  keep("port", places.map(({ port }) => port).join(",").replace(/^,+$/, ""));
  keep("dbname", decode(path));
  for (const parameter of query.split("&").filter((part) => part !== "")) {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(parameter) ?? [];
    if (name === undefined) throw new DatabaseUrlError("each parameter of the URL as name=value");
    keep(decode(name), decode(value!));
  }
  return keywords;
}

function splitPlace(text: string): { readonly host: string; readonly port: string } {
  const match = /^(?:\[([\da-f:.]+)\]|([^:[\]]*))(?::(\d*))?$/i.exec(text);
  if (match === null) {
    throw new DatabaseUrlError(
      "a host and a port as a number, an IPv6 address in brackets; special characters of the " +
        "password percent-encoded",
    );
  }
  return { host: match[1] ?? decode(match[2]!), port: match[3] ?? "" };
}

function decode(text: string): string {
  if (/%(?![\da-f]{2})/i.test(text)) {
    throw new DatabaseUrlError("two hexadecimal digits after each %; % itself is written %25");
  }
  try {
    const decoded = decodeURIComponent(text);
    if (!decoded.includes("\0")) return decoded;
  } catch {
    // Not UTF-8.
  }
  throw new DatabaseUrlError("percent-encoded UTF-8 without zeros");
}

function hostsOf(
  { host, port, hostaddr }: {
    readonly host: string | undefined;
    readonly port: string;
    readonly hostaddr: string | undefined;
  },
): readonly ServerHost[] {
  const addresses = hostaddr?.split(",");
  const names = (host ?? hostaddr ?? "localhost").split(",");
  const count = names.length;
  if (addresses !== undefined && addresses.length !== count) {
    throw new DatabaseUrlError("as many addresses in hostaddr as hosts", "hostaddr");
  }
  const ports = port.split(",");
  if (ports.length > 1 && ports.length !== count) {
    throw new DatabaseUrlError("one port for all hosts, or one for each", "port");
  }
  return Array.from({ length: count }, (_, at) => {
    const name = names[at] || "localhost";
    if (name.startsWith("@")) {
      throw new DatabaseUrlError("a host without @: abstract sockets are not supported", "host");
    }
    return {
      name,
      port: portOf((ports.length > 1 ? ports[at] : ports[0]) || String(PORT_DEFAULT)),
      address: addresses?.[at] || undefined,
    };
  });
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new DatabaseUrlError("a port from 1 to 65535", "port");
}
