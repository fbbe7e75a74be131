import assert from "node:assert/strict";
import { isLoopback } from "../../lib/text/loopback.ts";

for (
  const host of [
    "127.0.0.1",
    "127.8.9.10",
    "localhost",
    "LOCALHOST.",
    "db.localhost",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
  ]
) {
  Deno.test(`${host} is this machine alone`, () => assert(isLoopback(host)));
}

for (
  const host of [
    "",
    "0.0.0.0",
    "::",
    "::2",
    "127.example.com",
    "128.0.0.1",
    "localhost.example.com",
    "notlocalhost",
    "db",
  ]
) {
  Deno.test(`"${host}" may be another machine`, () => assert(!isLoopback(host)));
}
