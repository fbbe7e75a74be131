/** What the HTTP endpoints make of requests that nobody should send. @module */
import assert from "node:assert/strict";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { systemClock } from "../../lib/clock.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { readPage } from "../../lib/serve/page_files.ts";
import { type HttpServer, serveHttp } from "../../lib/serve/http_server.ts";
import { type Answers, visitorRoutes } from "../../lib/serve/routes.ts";
import type { Asked } from "../../lib/serve/http_answer.ts";
import { ListenerSlots } from "../../lib/serve/listener_slots.ts";
import { LiveFeed } from "../../lib/serve/live_feed.ts";
import { NO_NEWS } from "../../lib/serve/news.ts";
import type { Status } from "../../lib/serve/status.ts";
import { StatusFeed } from "../../lib/serve/status_feed.ts";

const TOKEN = "0123456789abcdef-titan10";

const STATUS: Status = {
  version: "0.0.0",
  startedAt: null,
  database: { kind: "embedded", timescaledb: null },
  lastReload: null,
  nodes: [],
  ...NO_NEWS,
  exchanges: [],
  series: [],
  funding: [],
  jobs: [],
};

const OPTIONS = { log: logger("test"), clock: systemClock, page: await readPage() };

const refuse = (): never => assert.fail("asked for what is answered on the unix socket only");

const ANSWERS: Answers = {
  health: () => ({ ok: true, reasons: [] }),
  readiness: () => ({ ok: false, reasons: ["the daemon is starting"] }),
  metrics: createMetrics(),
  status: () => Promise.resolve(STATUS),
  news: () => Promise.resolve(NO_NEWS),
  forming: () => undefined,
  followed: {
    ...{ find: refuse, changes: refuse, present: refuse, marks: refuse },
    onWritten: refuse,
  },
  events: refuse,
  candles: refuse,
  explained: refuse,
  file: refuse,
  reload: () => Promise.resolve({ ok: false, problems: ["a fault"] }),
  forget: refuse,
  plan: refuse,
  doctor: refuse,
  gaps: refuse,
  storage: refuse,
  report: refuse,
  export: refuse,
  query: refuse,
};

interface Answered {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** Sends bytes as they are, and reads until the server closes. What it does not answer has status 0. */
async function send(server: HttpServer, request: string): Promise<Answered> {
  const { hostname, port } = new URL(server.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  try {
    await connection.write(Uint8Array.from(request, (character) => character.charCodeAt(0)));
    const text = await new Response(connection.readable).text();
    const [headers = "", body = ""] = text.split("\r\n\r\n");
    return { status: Number(/^HTTP\/1\.[01] (\d+)/.exec(headers)?.[1] ?? 0), headers, body };
  } catch {
    // Reset: refused without a word.
    return { status: 0, headers: "", body: "" };
  }
}

function get(path: string, headers: readonly string[] = [], method = "GET"): string {
  const lines = [`${method} ${path} HTTP/1.1`, "Host: localhost", "Connection: close", ...headers];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** The headers of `titan10 reload`. */
const RELOADS = ["Titan10-Request: reload"];

interface BadRequest {
  readonly name: string;
  readonly request: string;
  readonly status: number;
  readonly says?: RegExp;
}

const A_MEGABYTE = "a".repeat(1_000_000);

const OPEN: readonly BadRequest[] = [
  {
    name: "an unknown path: 404, and the paths there are",
    request: get("/admin"),
    status: 404,
    says: /"\/healthz".*"\/status"/,
  },
  {
    name: "the path of what the unix socket alone answers: 404",
    request: get("/plan"),
    status: 404,
  },
  {
    name: "a path that climbs: 404",
    request: get("/../../etc/passwd"),
    status: 404,
  },
  {
    name: "a path that climbs in percent-encoding: 404",
    request: get("/%2e%2e/%2e%2e/etc/passwd"),
    status: 404,
  },
  {
    name: "a percent sign that encodes nothing: 404",
    request: get("/%zz%"),
    status: 404,
  },
  {
    name: "percent-encoded bytes that are no UTF-8: 404",
    request: get("/%ff%fe"),
    status: 404,
  },
  {
    name: "a query with a percent sign that encodes nothing: answered as without it",
    request: get("/healthz?%zz=%"),
    status: 200,
  },
  {
    name: "POST: 405, and what is allowed",
    request: get("/status", ["Content-Length: 2"], "POST") + "{}",
    status: 405,
    says: /POST is not allowed/,
  },
  {
    name: "a reload as a form of a web page sends it: 403",
    request: get("/reload", ["Content-Type: application/x-www-form-urlencoded"], "POST"),
    status: 403,
    says: /Send the header titan10-request: reload/,
  },
  {
    name: "what a browser asks before it sends a header of another page: 405",
    request: get("/reload", ["Access-Control-Request-Headers: titan10-request"], "OPTIONS"),
    status: 405,
  },
  {
    name: "a reload by GET: 405",
    request: get("/reload", RELOADS),
    status: 405,
  },
  {
    name: "a reload that is refused: 422, and why",
    request: get("/reload", RELOADS, "POST"),
    status: 422,
    says: /"ok":false,"problems":\["a fault"\]/,
  },
  {
    name: "a method nobody knows: 405",
    request: get("/status", [], "BREW"),
    status: 405,
  },
  {
    name: "a GET with a body: answered as without it",
    request: get("/healthz", ["Content-Length: 5"]) + "hello",
    status: 200,
  },
  {
    name: "a URL of a megabyte: refused, not kept to its end",
    request: get(`/${A_MEGABYTE}`),
    status: 431,
  },
  {
    name: "a header of a megabyte: refused, not kept to its end",
    request: get("/healthz", [`X-Long: ${A_MEGABYTE}`]),
    status: 431,
  },
  {
    name: "a thousand headers: refused",
    request: get("/healthz", Array.from({ length: 1000 }, (_, index) => `X-${index}: 1`)),
    status: 431,
  },
  {
    name: "what is no HTTP at all: 400",
    request: "\x16\x03\x01 hello\r\n\r\n",
    status: 400,
  },
  {
    name: "a Host that is no host: 400",
    request: "GET /healthz HTTP/1.1\r\nHost: %%%\r\nConnection: close\r\n\r\n",
    status: 400,
  },
  {
    name: "the name of another host, as of a web page whose name leads here: 421, and what to set",
    request: "GET /status HTTP/1.1\r\nHost: evil.example:9464\r\nConnection: close\r\n\r\n",
    status: 421,
    says: /evil\.example:9464.*HTTP_ALLOWED_HOSTS/,
  },
  {
    name: "another host for a path that needs no token: 421",
    request: "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\nConnection: close\r\n\r\n",
    status: 421,
  },
  {
    name: "two Hosts, the second a foreign one: 400",
    request: get("/status", ["Host: evil.example"]),
    status: 400,
  },
  {
    name: "no Host: 400",
    request: "GET /status HTTP/1.1\r\nConnection: close\r\n\r\n",
    status: 400,
  },
  {
    name: "a URL in place of a path, with a Host that is let in: 400",
    request: get("http://evil.example/status"),
    status: 400,
  },
  {
    name: "a path with two slashes: 404",
    request: get("//status"),
    status: 404,
  },
  {
    name: "a path with an encoded slash: 404",
    request: get("/%2Fstatus"),
    status: 404,
  },
  {
    name: "a path that leads to another one by dots: 404",
    request: get("/page/../status"),
    status: 404,
  },
  {
    name: "a body in chunks with a request in it: the body is not taken for a request",
    request: get("/healthz", ["Transfer-Encoding: chunked"]).replace("Connection: close\r\n", "") +
      "5e\r\n" + get("/status") + "\r\n0\r\n\r\n",
    status: 200,
    says: /^{"ok":true,"reasons":\[\]}$/,
  },
  {
    name: "HTTP/2 with prior knowledge: 505",
    request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    status: 505,
    says: /HTTP\/1\.1/,
  },
  {
    name: "an upgrade to HTTP/2: answered as without it",
    request: get("/healthz", ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"]),
    status: 200,
  },
  {
    name: "the beginning of TLS: 400",
    request: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    status: 400,
  },
  {
    name: "HTTP/1.0 without a Host: answered",
    request: "GET /healthz HTTP/1.0\r\n\r\n",
    status: 200,
  },
  {
    name: "a length that is no number: 400",
    request: get("/healthz", ["Content-Length: many"]),
    status: 400,
  },
];

const GUARDED: readonly BadRequest[] = [
  {
    name: "no token: 401, and what to bring",
    request: get("/status"),
    status: 401,
    says: /HTTP_TOKEN/,
  },
  {
    name: "a wrong token: 401",
    request: get("/metrics", ["Authorization: Bearer 0123456789abcdef-titan11"]),
    status: 401,
  },
  {
    name: "the beginning of the token: 401",
    request: get("/metrics", ["Authorization: Bearer 0123456789abcdef"]),
    status: 401,
  },
  {
    name: "the token by another scheme: 401",
    request: get("/metrics", [`Authorization: Basic ${TOKEN}`]),
    status: 401,
  },
  {
    name: "the token in the query, where it would be logged: 401",
    request: get(`/metrics?token=${TOKEN}`),
    status: 401,
  },
  {
    name: "an unknown path without a token: 401, and no word of the paths there are",
    request: get("/admin"),
    status: 401,
    says: /^(?!.*healthz)/,
  },
  {
    name: "the token: answered",
    request: get("/status", [`Authorization: bearer ${TOKEN}`]),
    status: 200,
    says: /"version":"0\.0\.0"/,
  },
  {
    name: "a reload without a token: 401",
    request: get("/reload", RELOADS, "POST"),
    status: 401,
  },
  {
    name: "a reload with the token: taken",
    request: get("/reload", [...RELOADS, `Authorization: bearer ${TOKEN}`], "POST"),
    status: 422,
  },
  {
    name: "health without a token: answered, for probes bring none",
    request: get("/healthz"),
    status: 200,
  },
  {
    name: "readiness without a token: answered",
    request: get("/readyz"),
    status: 503,
    says: /the daemon is starting/,
  },
];

for (
  const { token, requests } of [
    { token: undefined, requests: OPEN },
    { token: TOKEN, requests: GUARDED },
  ]
) {
  const kind = token === undefined ? "everybody" : "whoever brings the token";
  Deno.test(`an endpoint that is open to ${kind} bears every request`, async (t) => {
    const server = serveHttp(ANSWERS, { hostname: "127.0.0.1", port: 0, token, ...OPTIONS });
    try {
      for (const { name, request, status, says } of requests) {
        await t.step(name, async () => {
          const answered = await send(server, request);
          assert.equal(answered.status, status, JSON.stringify(answered));
          if (says !== undefined) assert.match(answered.body, says);
          const after = await send(server, get("/healthz"));
          assert.equal(after.status, 200, "the next request is answered");
        });
      }
    } finally {
      await server.stop();
    }
  });
}

Deno.test("a request that never ends delays neither others nor the end of the server", async () => {
  const server = serveHttp(ANSWERS, { hostname: "127.0.0.1", port: 0, ...OPTIONS });
  const { hostname, port } = new URL(server.url);
  const slow = await Promise.all(Array.from({ length: 100 }, async () => {
    const connection = await Deno.connect({ hostname, port: Number(port) });
    await connection.write(
      new TextEncoder().encode("GET /status HTTP/1.1\r\nHost: localhost\r\nX-"),
    );
    return connection;
  }));
  try {
    assert.equal((await send(server, get("/healthz"))).status, 200);
  } finally {
    await server.stop();
    for (const connection of slow) connection.close();
  }
});

Deno.test("without a token only the daemon's own machine may ask for a reload", async () => {
  const { status, news, forming, followed } = ANSWERS;
  const slots = new ListenerSlots();
  const feed = new StatusFeed({ status, news, forming, slots, ...OPTIONS });
  const live = new LiveFeed({ archive: followed, forming, slots, ...OPTIONS });
  for (
    const [peer, isGuarded, status] of [
      ["127.0.0.1", false, 422],
      ["0:0:0:0", false, 422],
      ["192.0.2.7", false, 403],
      ["192.0.2.7", true, 422],
    ] as const
  ) {
    const routes = visitorRoutes(ANSWERS, { ...OPTIONS, feed, live, isGuarded });
    const route = routes.find(({ path }) => path === "/reload");
    const answer = await route?.answer({ peer, purpose: "reload" } as Asked);
    assert.equal(answer?.status, status, `${peer} ${isGuarded}`);
  }
});
