/** What postgres.js is told of each server of a database URL. @module */
import postgres from "postgres";
import type { Clock } from "../../clock.ts";
import type { ServerAddress, ServerHost } from "../../config/database_url.ts";
import { isLoopback } from "../../text/loopback.ts";
import { errorText, hideSecrets } from "../../text/redact.ts";
import { ServerSocket } from "./server_socket.ts";
import { type SessionScope, sessionSettings } from "./session_settings.ts";
import type { Sql } from "./sql.ts";
import { givenUp, StoreError } from "./store_error.ts";

const CONNECT_TIMEOUT_S = 10;

/** The wait before postgres.js connects again. It is short, because callers have their own backoff. */
const RECONNECT_S = 1;

// deno-lint-ignore ban-types -- as in sql.ts.
type Options = postgres.Options<{}>;

interface ServerOptions {
  readonly clock: Clock;
  readonly common: Options;
}

interface PoolOptions {
  /** The most connections. */
  readonly max: number;
  /** After this time the server ends a statement. @default never */
  readonly statementMsMax?: number | undefined;
}

/** Makes a pool of one of the servers. It contacts the server with its first statement. */
type OpenPool = (scope: SessionScope, options: PoolOptions) => Sql;

/**
 * Reads what the address leaves to files, and returns a maker of pools for each host. The environment is read now, for
 * it cannot be read later.
 *
 * @throws StoreError `refused` when a file of certificates or passwords cannot be used.
 */
export async function serverPools(
  address: ServerAddress,
  { clock, common }: ServerOptions,
): Promise<readonly OpenPool[]> {
  const { hosts, tls, user, database, settings } = address;
  const verifies = (host: ServerHost): boolean =>
    !isSocket(host) &&
    (tls.mode === undefined ? !isLoopback(host.address ?? host.name) : tls.mode !== "disable");
  const security = hosts.some(verifies)
    ? { rootCertificates: await readCertificates(tls.rootCertificatePath) }
    : undefined;
  const passwords = await readPasswords(address);
  return hosts.map((host) => {
    const password = address.password ?? passwords(host);
    const options = {
      ...common,
      ssl: false,
      host: [host.name],
      port: [host.port],
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
      ...(database === undefined ? {} : { database }),
      connect_timeout: address.connectTimeoutS ?? CONNECT_TIMEOUT_S,
      backoff: () => RECONNECT_S,
      connection: { application_name: "titan10", ...settings },
      socket: (): ServerSocket =>
        new ServerSocket({
          host,
          tls: verifies(host) ? security : undefined,
          keepsAlive: address.keepsAlive,
          clock,
        }),
    };
    // postgres.js accepts lists of hosts and `socket`, but its types do not declare them.
    const { options: parsed } = postgres(options as unknown as Options);
    return (scope, { max, statementMsMax }) => {
      const connection = {
        ...parsed.connection,
        ...sessionSettings(scope, { statementMsMax }),
      };
      const all = {
        ...parsed,
        max,
        connection,
        // A pooler may pass each statement to another connection.
        prepare: address.prepares && scope === "all",
        // Which server it is, is our own choice.
        target_session_attrs: null,
      };
      return closable(all as unknown as Options);
    };
  });
}

/**
 * A pool that stays closed. postgres.js closes one at once although a connection is to be opened again in a moment, opens it
 * nevertheless, and keeps it: one less of those that the server lets in.
 */
function closable(options: Options): Sql {
  const { socket: open } = options as unknown as { readonly socket: () => ServerSocket };
  let isClosed = false;
  // postgres.js gives its options. Whoever cancels a statement gives nothing, and may do so later.
  const socket = (asked?: unknown): ServerSocket => {
    if (isClosed && asked !== undefined) throw givenUp();
    return open();
  };
  const pool = postgres({ ...options, socket } as unknown as Options);
  const { end } = pool;
  return Object.assign(pool, {
    end: (ending?: { readonly timeout?: number }): Promise<void> => {
      isClosed ||= ending?.timeout === 0;
      return end(ending);
    },
  });
}

/** Whether a host is the directory of a unix socket. */
export function isSocket({ name }: ServerHost): boolean {
  return name.startsWith("/");
}

async function readCertificates(path: string | undefined): Promise<readonly string[]> {
  if (path === undefined) return [];
  const refuse = (why: string): never => {
    throw new StoreError(
      "refused",
      `Cannot read the certificates in ${path}: ${why}. Set sslrootcert in DATABASE_URL to a file of them`,
    );
  };
  const text = await Deno.readTextFile(path).catch((error: Error) => refuse(errorText(error)));
  return text.includes("-----BEGIN CERTIFICATE-----") ? [text] : refuse("it holds none");
}

/** Reads a file of lines `host:port:database:user:password`, `*` for any (PostgreSQL manual, 34.16). */
async function readPasswords(
  { passwordPath, password, user, database }: ServerAddress,
): Promise<(host: ServerHost) => string | undefined> {
  if (passwordPath === undefined || password !== undefined) return () => undefined;
  const text = await Deno.readTextFile(passwordPath).catch((error: Error) => {
    throw new StoreError(
      "refused",
      `Cannot read the passwords in ${passwordPath}: ${
        errorText(error)
      }. Set passfile in DATABASE_URL to a file of them`,
    );
  });
  const lines = text.split(/\r?\n/).filter((line) => !line.startsWith("#")).map(passwordFields);
  return (host) => {
    const wanted = [
      isSocket(host) ? "localhost" : host.name,
      String(host.port),
      database ?? user,
      user,
    ];
    const found = lines.find((fields) =>
      fields.length === wanted.length + 1 &&
      wanted.every((value, at) => fields[at] === "*" || unescaped(fields[at]!) === value)
    )?.map(unescaped).at(-1);
    if (found !== undefined) hideSecrets([found]);
    return found;
  };
}

/** Splits at the colons that no backslash precedes. */
function passwordFields(line: string): readonly string[] {
  return [...line.matchAll(/((?:\\.|[^\\:])*)(?::|$)/g)].slice(0, PASSWORD_FIELDS).map((
    [, field],
  ) => field!);
}

const PASSWORD_FIELDS = 5;

function unescaped(field: string): string {
  return field.replace(/\\(.)/g, "$1");
}
