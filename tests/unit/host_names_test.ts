/** Which hosts a request may name, by where the daemon listens. @module */
import assert from "node:assert/strict";
import { hostRule, isHost } from "../../lib/serve/host_names.ts";

const LOOPBACK = [
  "localhost",
  "LOCALHOST:9464",
  "127.0.0.1",
  "127.1.2.3:80",
  "[::1]",
  "[::1]:9464",
];
const FOREIGN = [
  "evil.example",
  "127.0.0.1.evil.example",
  "localhost.evil.example:9464",
  "evil.example:80",
];
const ADDRESSES = ["192.0.2.1:9464", "[2001:db8::1]"];

for (
  const { name, hostname, token, allowedHosts = [], yes, no } of [
    {
      name: "on loopback without a token only loopback",
      hostname: "127.0.0.1",
      yes: LOOPBACK,
      no: [...FOREIGN, ...ADDRESSES],
    },
    {
      name: "on loopback by its name, too",
      hostname: "localhost",
      yes: LOOPBACK,
      no: FOREIGN,
    },
    {
      name: "on loopback configured names beside it",
      hostname: "::1",
      allowedHosts: ["titan10.example.org"],
      yes: [...LOOPBACK, "titan10.example.org", "Titan10.Example.Org:443"],
      no: [...FOREIGN, ...ADDRESSES, "a.titan10.example.org"],
    },
    {
      name: "elsewhere configured names, and addresses, which no name leads to",
      hostname: "0.0.0.0",
      allowedHosts: ["titan10"],
      yes: [...LOOPBACK, ...ADDRESSES, "titan10:9464"],
      no: FOREIGN,
    },
    {
      name: "with a token any, for no browser brings it",
      hostname: "127.0.0.1",
      token: "0123456789abcdef",
      yes: [...LOOPBACK, ...FOREIGN],
      no: [],
    },
    { name: "elsewhere any when none is configured", hostname: "0.0.0.0", yes: FOREIGN, no: [] },
  ]
) {
  Deno.test(`accepted: ${name}`, () => {
    const accepts = hostRule({ hostname, token, allowedHosts });
    for (const host of yes) assert.equal(accepts(host), true, host);
    for (const host of no) assert.equal(accepts(host), false, host);
  });
}

Deno.test("what is no host is told from what is one", () => {
  for (const host of [...LOOPBACK, ...FOREIGN, ...ADDRESSES]) {
    assert.equal(isHost(host), true, host);
  }
  for (const text of ["", "%%%", "a b", "a/b", "user@a", "[::1", "a:b", "a:123456", "a,b"]) {
    assert.equal(isHost(text), false, text);
  }
});
