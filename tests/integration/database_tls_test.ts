/** Who is believed to be the database, and what is said of those who are not. @module */
import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase, serverVersion } from "../../lib/store/connection/database.ts";
import { attempt, StoreError } from "../../lib/store/connection/store_error.ts";
import { makeCertificates } from "../support/certificates.ts";
import { type PostgresServer, startPostgres } from "../support/postgres_server.ts";

/** Opens, asks, closes: what the server says of the connection. */
async function isEncrypted(url: string): Promise<boolean> {
  const database = await openDatabase({ url, dataDir: "", poolMax: 2, clock: systemClock });
  try {
    return await attempt("ask the server", async () => {
      const [row] = await database.sql<{ ssl: boolean }[]>`
        select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
      return row!.ssl;
    });
  } finally {
    await database.close();
  }
}

function at(server: PostgresServer, host: string, query: string): string {
  const url = new URL(server.url);
  url.hostname = host;
  url.search = query;
  return url.href;
}

async function refused(url: string, says: RegExp): Promise<void> {
  await assert.rejects(isEncrypted(url), (error) => {
    assert(error instanceof StoreError, String(error));
    assert.equal(error.kind, "refused", "asking again is in vain");
    assert.match(error.message, says);
    return true;
  });
}

Deno.test("the connection to a server is encrypted, and the server has proved who it is", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "titan10-tls-" });
  const ours = await makeCertificates(folder, "IP:127.0.0.1");
  const server = await startPostgres({ tls: ours });
  const plain = await startPostgres();
  if (server === undefined || plain === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    await Deno.remove(folder, { recursive: true });
    return;
  }
  const others = join(folder, "others");
  await Deno.mkdir(others);
  const { authorityPath: strange } = await makeCertificates(others, "IP:127.0.0.1");
  const root = `sslrootcert=${encodeURIComponent(ours.authorityPath)}`;
  const encrypted = (query: string) => (): Promise<void> =>
    isEncrypted(at(server, "127.0.0.1", query)).then((ssl) => assert(ssl));
  const unencrypted = (query: string) => (): Promise<void> =>
    isEncrypted(at(server, "127.0.0.1", query)).then((ssl) => assert(!ssl));

  const steps: readonly (readonly [string, () => Promise<void>])[] = [
    ["sslmode=verify-full with its authority: encrypted", encrypted(`sslmode=verify-full&${root}`)],
    ["sslmode=verify-ca with its authority: encrypted", encrypted(`sslmode=verify-ca&${root}`)],
    ["sslmode=require with its authority: encrypted", encrypted(`sslmode=require&${root}`)],
    ["an authority and no sslmode: encrypted", encrypted(root)],
    ["this machine and no sslmode: plain", unencrypted("")],
    ["sslmode=disable: plain", unencrypted("sslmode=disable")],
    ["sslmode=verify-full and an authority nobody knows: refused, with what to set", () =>
      refused(
        at(server, "127.0.0.1", "sslmode=verify-full"),
        /certificate of 127\.0\.0\.1 could not be verified .*UnknownIssuer.*Set sslrootcert in DATABASE_URL .*disable/,
      )],
    [
      "sslmode=require and an authority nobody knows: refused, unlike libpq",
      () => refused(at(server, "127.0.0.1", "sslmode=require"), /could not be verified/),
    ],
    ["another authority: refused", () =>
      refused(
        at(server, "127.0.0.1", `sslrootcert=${encodeURIComponent(strange)}`),
        /could not be verified/,
      )],
    [
      "a certificate of another name: refused",
      () =>
        refused(
          at(server, "localhost", root),
          /localhost could not be verified .*Set the host in DATABASE_URL/,
        ),
    ],
    [
      "another machine and no sslmode: verified",
      () => refused(at(server, "0.0.0.0", ""), /0\.0\.0\.0 could not be verified/),
    ],
    ["another machine that speaks no TLS: refused, with what to set", () =>
      refused(
        at(plain, "0.0.0.0", ""),
        /does not support TLS\. Set sslmode=disable in DATABASE_URL where the network is private$/,
      )],
    ["another machine with sslmode=disable: plain", async () => {
      assert.equal(await isEncrypted(at(plain, "0.0.0.0", "sslmode=disable")), false);
    }],
    [
      "sslmode=prefer: refused, for it protects from nobody",
      () => refused(at(server, "127.0.0.1", "sslmode=prefer"), /expected sslmode=disable, require/),
    ],
    [
      "sslrootcert is not there: refused, with its path",
      () => refused(at(server, "127.0.0.1", "sslrootcert=/nowhere/ca.pem"), /\/nowhere\/ca\.pem/),
    ],
    [
      "sslrootcert holds no certificate: refused",
      () => refused(at(server, "127.0.0.1", `sslrootcert=${folder}/server.key`), /it holds none/),
    ],
    ["megabytes cross an encrypted connection whole, in both directions", async () => {
      const url = at(server, "127.0.0.1", root);
      const database = await openDatabase({ url, dataDir: "", poolMax: 2, clock: systemClock });
      try {
        const text = "0123456789abcdef".repeat(300_000);
        const answers = await Promise.all(
          [1, 2, 3].map(() => database.sql<{ text: string }[]>`select ${text}::text as text`),
        );
        for (const [row] of answers) assert(row?.text === text);
      } finally {
        await database.close();
      }
    }],
    ["a server that was killed is reached again, encrypted", async () => {
      const url = at(server, "127.0.0.1", root);
      const database = await openDatabase({ url, dataDir: "", poolMax: 1, clock: systemClock });
      try {
        await serverVersion(database);
        await server.kill9();
        await assert.rejects(
          serverVersion(database),
          (error) => error instanceof StoreError && error.kind === "unavailable",
        );
        await server.restart();
        assert.match(await untilReached(database), /^\d/);
      } finally {
        await database.close();
      }
    }],
  ];
  try {
    for (const [name, step] of steps) await t.step(name, step);
  } finally {
    await server.stop();
    await plain.stop();
    await Deno.remove(folder, { recursive: true });
  }
});

/** As the program does: a pool that has lost its connections may cost a statement more, never the server. */
async function untilReached(database: Database): Promise<string> {
  for (let attempts = 1;; attempts++) {
    try {
      return await serverVersion(database);
    } catch (error) {
      const isPassing = error instanceof StoreError && error.kind === "unavailable";
      if (!isPassing || attempts === 5) throw error;
    }
  }
}
