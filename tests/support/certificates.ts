/** Certificates for one test: an authority of its own, and a server's that it has signed. @module */
import { join } from "node:path";
import type { ServerCertificate } from "./postgres_server.ts";

export interface TestCertificates extends ServerCertificate {
  /** File of the authority's certificate. */
  readonly authorityPath: string;
}

/**
 * Makes them with `openssl`, which comes with every PostgreSQL, in a folder that the caller removes.
 *
 * @param names as in a certificate, `IP:127.0.0.1` or `DNS:localhost`
 */
export async function makeCertificates(folder: string, names: string): Promise<TestCertificates> {
  const [authority, server] = [join(folder, "authority"), join(folder, "server")];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"];
  await openssl(
    ["req", "-x509", ...key, "-subj", `/CN=authority ${crypto.randomUUID()}`],
    ["-keyout", `${authority}.key`, "-out", `${authority}.crt`],
  );
  await openssl(
    ["req", "-x509", ...key, "-subj", "/CN=server", "-addext", `subjectAltName=${names}`],
    ["-addext", "basicConstraints=critical,CA:FALSE"],
    ["-CA", `${authority}.crt`, "-CAkey", `${authority}.key`],
    ["-keyout", `${server}.key`, "-out", `${server}.crt`],
  );
  return {
    authorityPath: `${authority}.crt`,
    certificate: await Deno.readTextFile(`${server}.crt`),
    key: await Deno.readTextFile(`${server}.key`),
  };
}

async function openssl(...args: readonly (readonly string[])[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args: args.flat() }).output();
  if (!success) throw new Error(`Cannot make a certificate: ${new TextDecoder().decode(stderr)}`);
}
