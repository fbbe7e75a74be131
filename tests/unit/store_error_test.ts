/** Which failures of a database pass, by what the server says. @module */
import assert from "node:assert/strict";
import {
  attempt,
  serverRemedy,
  StoreError,
  type StoreErrorKind,
} from "../../lib/store/connection/store_error.ts";

async function kindOf(facts: Readonly<Record<string, string>>): Promise<StoreErrorKind> {
  const error = await attempt("write", () => Promise.reject(Object.assign(new Error("no"), facts)))
    .catch((error: unknown) => error);
  assert(error instanceof StoreError);
  return error.kind;
}

Deno.test("a connection that the server ends over a trouble of its own is had again later", async () => {
  // "could not write init file": the disk is full, and the connection is new.
  assert.equal(await kindOf({ code: "XX000", severity: "FATAL" }), "unavailable");
  assert.equal(await kindOf({ code: "XX000", severity: "PANIC" }), "unavailable");
});

Deno.test("an internal error of one statement would come again", async () => {
  assert.equal(await kindOf({ code: "XX000", severity: "ERROR" }), "refused");
});

Deno.test("a connection that is refused for good is not asked for again", async () => {
  assert.equal(await kindOf({ code: "28P01", severity: "FATAL" }), "refused");
});

Deno.test("what the user can do about a server is told, and nothing where the statement is to blame", async () => {
  const remedy = async (code: string, message = "no"): Promise<string | undefined> => {
    const failure = attempt(
      "ask",
      () => Promise.reject(Object.assign(new Error(message), { code })),
    );
    return serverRemedy(await failure.catch((error) => error));
  };
  assert.match(await remedy("ECONNREFUSED") ?? "", /^Start that server/);
  assert.match(await remedy("57P03") ?? "", /^Start that server/);
  assert.match(await remedy("53300") ?? "", /^Lower DB_POOL_MAX, or let in more: /);
  assert.match(await remedy("28P01") ?? "", /^Correct user and password/);
  assert.match(await remedy("3D000") ?? "", /^Create that database/);
  assert.match(await remedy("42501") ?? "", /^Grant that permission/);
  assert.match(await remedy("", "failed to lookup address information") ?? "", /^Correct the host/);
  assert.equal(await remedy("42P01"), undefined);
  // Of several hosts: they are named with what each is.
  assert.equal(await remedy("08001"), undefined);
});
