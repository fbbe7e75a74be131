/** Reads the security parameters of DATABASE_URL, which are those of libpq. @module */

/** How the connection to a server is secured. */
interface TlsSettings {
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

interface DatabaseUrl {
  /** The URL without the parameters that this program handles itself. */
  readonly url: string;
  readonly tls: TlsSettings;
  /** Directory of the server's unix socket, or a host; the value of the parameter `host`. */
  readonly host: string | undefined;
}

/** The message for an `sslmode` that {@linkcode readDatabaseUrl} rejects. */
export const SSLMODES_ALLOWED = "sslmode=disable, require, verify-ca or verify-full, the last " +
  "three verified alike; prefer and allow protect from nobody";

/**
 * Separates the parameters from the URL. `require` and `verify-ca` are treated as `verify-full`, because encryption
 * without verifying the server does not stop an attacker in between.
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
      // A URL with a certificate of an authority asks for a verified server.
      mode: mode ?? (rootCertificate === undefined ? undefined : "verify-full"),
      rootCertificatePath: rootCertificate === "system" ? undefined : rootCertificate,
    },
    host,
  };
}

/** Null when the URL has no `sslmode`. */
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
