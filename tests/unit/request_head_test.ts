/** The head of a request: what is read, and what is refused because it could be read in two ways. @module */
import assert from "node:assert/strict";
import { BadHeadError, readHead } from "../../lib/serve/request_head.ts";

const lines = (...all: readonly string[]): string => all.join("\r\n");

const GET = "GET /status HTTP/1.1";
const HOST = "Host: localhost";

Deno.test("a head says what is asked for, as it was sent", () => {
  const head = readHead(
    lines(
      "GET /candles?exchange=kraken&symbol=%42?x HTTP/1.1",
      "hOsT:  localhost:9464 \t",
      "X: é\t1",
    ),
  );
  assert.deepEqual(head, {
    method: "GET",
    path: "/candles",
    query: "exchange=kraken&symbol=%42?x",
    host: "localhost:9464",
    authorization: undefined,
    purpose: undefined,
    lastEventId: undefined,
    isOld: false,
    keepsAlive: true,
  });
});

Deno.test("nothing in a path is decoded, resolved or joined", () => {
  for (
    const path of [
      "//status",
      "/a/../status",
      "/%2e%2e/status",
      "/%2Fstatus",
      "/status/",
      "/%zz",
      "/\\status",
    ]
  ) {
    assert.equal(readHead(lines(`GET ${path} HTTP/1.1`, HOST)).path, path);
  }
});

for (
  const [name, head, keepsAlive] of [
    ["HTTP/1.1", lines(GET, HOST), true],
    ["HTTP/1.1 that closes", lines(GET, HOST, "Connection: TE , Close"), false],
    ["HTTP/1.0", "GET /healthz HTTP/1.0", false],
    ["a body of a length", lines(GET, HOST, "Content-Length: 5"), false],
    ["a body of no length", lines(GET, HOST, "Content-Length: 0"), true],
    ["a body in chunks", lines(GET, HOST, "Transfer-Encoding: chunked"), false],
  ] as const
) {
  Deno.test(`after ${name} another request ${keepsAlive ? "may" : "may not"} follow`, () => {
    assert.equal(readHead(head).keepsAlive, keepsAlive);
  });
}

for (
  const [name, head, status] of [
    ["a URL in place of a path", lines("GET http://localhost/status HTTP/1.1", HOST), 400],
    ["a host to connect to", lines("CONNECT localhost:443 HTTP/1.1", HOST), 400],
    ["a star", lines("OPTIONS * HTTP/1.1", HOST), 400],
    ["a path with a space", lines("GET /a b HTTP/1.1", HOST), 400],
    ["a path beyond ASCII", lines("GET /é HTTP/1.1", HOST), 400],
    ["no version", lines("GET /status", HOST), 400],
    ["HTTP/2", "PRI * HTTP/2.0", 505],
    ["HTTP/0.9", lines("GET /status HTTP/0.9", HOST), 505],
    ["no Host", GET, 400],
    ["two Hosts", lines(GET, HOST, HOST), 400],
    ["two tokens", lines(GET, HOST, "Authorization: a", "Authorization: b"), 400],
    ["two lengths", lines(GET, HOST, "Content-Length: 1", "Content-Length: 2"), 400],
    ["a list of lengths", lines(GET, HOST, "Content-Length: 1, 1"), 400],
    ["a length with a sign", lines(GET, HOST, "Content-Length: +1"), 400],
    ["a space before the colon", lines(GET, "Host : localhost"), 400],
    ["a header that goes on in the next line", lines(GET, HOST, " and more"), 400],
    ["a header without a colon", lines(GET, HOST, "X"), 400],
    ["a line break that is none", lines(GET, `${HOST}\nX: 1`), 400],
    ["a NUL", lines(GET, HOST, "X: \0"), 400],
    ["a hundred and one headers", lines(GET, HOST, ...Array(100).fill("X: 1")), 431],
  ] as const
) {
  Deno.test(`${name}: refused with ${status}`, () => {
    assert.throws(
      () => readHead(head),
      (error) => error instanceof BadHeadError && error.status === status,
    );
  });
}
