/** Reads out of DATABASE_URL what the connection is secured by, after libpq's parameters. @module */

/** How the connection to a server is secured. */
interface TlsSettings {
  /**
   * - `disable`: it is plain.
   * - `verify-full`: encrypted, the server's certificate and its name verified.
   *
   * Undefined where the URL does not say: plain to this machine, else verified.
   */
  readonly mode: "disable" | "verify-full" | undefined;
  /** File with certificates of authorities that count next to the well-known ones; undefined for none. */
  readonly rootCertificatePath: string | undefined;
}

interface DatabaseUrl {
  /** The URL without the parameters that are ours to act on. */
  readonly url: string;
  readonly tls: TlsSettings;
  /** Directory of the server's unix socket, or a host, where the parameter `host` names one. */
  readonly host: string | undefined;
}

/** What is said of an `sslmode` that {@linkcode readDatabaseUrl} does not take. */
export const SSLMODES_ALLOWED = "sslmode=disable, require, verify-ca or verify-full, the last " +
  "three verified alike; prefer and allow protect from nobody";

/**
 * Splits the parameters off. `require` and `verify-ca` are taken for `verify-full`: encryption without knowing with whom
 * keeps out only those who do not try.
 *
 * @returns undefined when its `sslmode` is none of {@linkcode SSLMODES_ALLOWED}.
 */
export function readDatabaseUrl(text: string): DatabaseUrl | undefined {
  const [base = "", query] = split(text);
  const parameters = new URLSearchParams(query);
  const taken = (name: string): string | undefined => {
    const value = parameters.get(name) ?? undefined;
    parameters.delete(name);
    return value;
  };
  const mode = MODES.get(taken("sslmode"));
  if (mode === undefined) return undefined;
  const rootCertificate = taken("sslrootcert");
  const host = taken("host");
  const rest = parameters.toString();
  return {
    url: rest === "" ? base : `${base}?${rest}`,
    tls: {
      // Whoever names an authority wants the server verified.
      mode: mode ?? (rootCertificate === undefined ? undefined : "verify-full"),
      rootCertificatePath: rootCertificate === "system" ? undefined : rootCertificate,
    },
    host,
  };
}

/** Null for a URL that does not say. */
const MODES: ReadonlyMap<string | undefined, "disable" | "verify-full" | null> = new Map([
  [undefined, null],
  ["disable", "disable"],
  ["require", "verify-full"],
  ["verify-ca", "verify-full"],
  ["verify-full", "verify-full"],
]);

function split(text: string): readonly string[] {
  const at = text.indexOf("?");
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
