import assert from "node:assert/strict";
import { readDatabaseUrl } from "../../lib/config/database_url.ts";

const PLACE = "postgres://u:p%3Fw@db:5432/titan10";

for (
  const [query, mode] of [
    ["", undefined],
    ["?sslmode=disable", "disable"],
    ["?sslmode=require", "verify-full"],
    ["?sslmode=verify-ca", "verify-full"],
    ["?sslmode=verify-full", "verify-full"],
    ["?sslrootcert=system", "verify-full"],
    ["?sslmode=disable&sslrootcert=/ca.pem", "disable"],
  ] as const
) {
  Deno.test(`a database URL that ends "${query}" is secured by ${mode ?? "where it leads"}`, () => {
    const { url, tls } = readDatabaseUrl(PLACE + query)!;
    assert.equal(url, PLACE);
    assert.equal(tls.mode, mode);
  });
}

for (const mode of ["prefer", "allow", "none", "", "VERIFY-FULL"]) {
  Deno.test(`a database URL with sslmode=${mode} cannot be used`, () => {
    assert.equal(readDatabaseUrl(`${PLACE}?sslmode=${mode}`), undefined);
  });
}

Deno.test("a database URL keeps the parameters that are the server's", () => {
  const read = readDatabaseUrl(`${PLACE}?options=-c%20a%3Db&sslrootcert=%2Fa%20b&host=%2Frun&x=1`);
  assert.deepEqual(read, {
    url: `${PLACE}?options=-c+a%3Db&x=1`,
    tls: { mode: "verify-full", rootCertificatePath: "/a b" },
    host: "/run",
  });
});
